-- Keeps a new key of the caller. The user's row is locked, so that ten keys are ten however many
-- are asked for at once. Definer: a key's hash is a credential, which presage_api may not write.
-- Raises PR401, PR403 (a scope above the caller's role), PR409 (ten live keys).
create or replace function public.create_api_key(
    p_id uuid, p_name text, p_prefix text, p_key_hash bytea, p_scopes text[],
    p_ip_allow_list text[], p_expires_at timestamptz, p_request_id text, p_ip text,
    p_now timestamptz
) returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
    c_max_live constant integer := 10;
    v_actor uuid := public.actor_id();
    v_role  text;
begin
    select u.role into v_role from public.users as u where u.id = v_actor for no key update;
    if not found then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    elsif 'admin' = any (p_scopes) and v_role = 'user' then
        raise exception using errcode = 'PR403', column = 'scopes',
            message = 'only an admin may make a key with the scope admin';
    elsif 'service' = any (p_scopes) and v_role <> 'super_admin' then
        raise exception using errcode = 'PR403', column = 'scopes',
            message = 'only a super_admin may make a key with the scope service';
    elsif (
        select count(*) from public.api_keys as k
        where k.user_id = v_actor and k.revoked_at is null
          and (k.expires_at is null or k.expires_at > p_now)
    ) >= c_max_live then
        raise exception using errcode = 'PR409',
            message = format('a user holds at most %s live keys: revoke one first', c_max_live);
    end if;
    insert into public.api_keys (
        id, user_id, name, prefix, key_hash, scopes, ip_allow_list, created_at, expires_at
    )
    values (
        p_id, v_actor, p_name, p_prefix, p_key_hash, p_scopes, p_ip_allow_list::cidr[], p_now,
        p_expires_at
    );
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_actor, 'create_api_key', 'api_key', p_id::text, p_request_id, p_ip,
        jsonb_build_object(
            'name', p_name, 'prefix', p_prefix, 'scopes', p_scopes,
            'ip_allow_list', p_ip_allow_list, 'expires_at', p_expires_at),
        p_now
    );
end;
$$;
revoke all on function public.create_api_key from public;
grant execute on function public.create_api_key to presage_api;
