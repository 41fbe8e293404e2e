-- Keeps a ticket of the caller for one WebSocket handshake. Definer: presage_api may not write the
-- table, where a ticket's hash is a credential. Raises PR401.
create or replace function public.create_ws_ticket(
    p_ticket_hash bytea, p_expires_at timestamptz, p_request_id text, p_ip text, p_now timestamptz
) returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_actor uuid := public.actor_id();
begin
    if v_actor is null then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    insert into public.ws_tickets (ticket_hash, user_id, created_at, expires_at)
    values (p_ticket_hash, v_actor, p_now, p_expires_at);
    insert into public.audit_log (actor_id, action, resource, resource_id, request_id, ip, created_at)
    values (v_actor, 'create_ws_ticket', 'user', v_actor::text, p_request_id, p_ip, p_now);
end;
$$;
revoke all on function public.create_ws_ticket from public;
grant execute on function public.create_ws_ticket to presage_api;
