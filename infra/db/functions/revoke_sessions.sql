-- Ends every session of the caller and says how many. Definer: presage_api has no right to the
-- table itself, where a token's hash is a credential.
create or replace function public.revoke_sessions(p_ip text, p_request_id text, p_now timestamptz)
returns integer
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_actor   uuid := nullif(current_setting('presage.user_id', true), '')::uuid;
    v_revoked integer;
begin
    update public.sessions set revoked_at = p_now
    where user_id = v_actor and revoked_at is null;
    get diagnostics v_revoked = row_count;

    insert into public.audit_log (actor_id, action, resource, resource_id, request_id, ip, created_at)
    values (v_actor, 'logout', 'user', v_actor::text, p_request_id, p_ip, p_now);
    return v_revoked;
end;
$$;
revoke all on function public.revoke_sessions from public;
grant execute on function public.revoke_sessions to presage_api;
