-- Ends a key of the caller and answers its hash, under which Redis may hold a copy. Revoking again
-- answers the first time. Definer: presage_api may not write the table. Raises PR404.
create or replace function public.revoke_api_key(
    p_id uuid, p_request_id text, p_ip text, p_now timestamptz
) returns table (id uuid, revoked_at timestamptz, key_hash bytea)
language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
    v_actor uuid := public.actor_id();
begin
    perform from public.api_keys as k where k.id = p_id and k.user_id = v_actor for no key update;
    if not found then
        raise exception using errcode = 'PR404', column = 'key_id',
            message = 'you have no such key';
    end if;
    update public.api_keys as k set revoked_at = p_now where k.id = p_id and k.revoked_at is null;
    if found then
        insert into public.audit_log
            (actor_id, action, resource, resource_id, request_id, ip, created_at)
        values (v_actor, 'revoke_api_key', 'api_key', p_id::text, p_request_id, p_ip, p_now);
    end if;
    return query select k.id, k.revoked_at, k.key_hash from public.api_keys as k where k.id = p_id;
end;
$$;
revoke all on function public.revoke_api_key from public;
grant execute on function public.revoke_api_key to presage_api;
