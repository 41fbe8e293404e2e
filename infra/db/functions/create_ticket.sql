-- Opens a support escalation for the caller, who may have twenty open at a time: the user's row is
-- locked, so that the count holds. Its words stay out of the audit log: people write all sorts of
-- things to support. Definer: presage_api may not write escalations. Raises PR401, PR409.
create or replace function public.create_ticket(
    p_ticket_id uuid, p_title text, p_message text, p_request_id text, p_ip text, p_now timestamptz
) returns public.escalations
language plpgsql volatile security definer set search_path = ''
as $$
declare
    c_max_open constant integer := 20;
    v_actor    uuid := public.actor_id();
    v_open     integer;
    v_ticket   public.escalations;
begin
    perform from public.users as u where u.id = v_actor for no key update;
    if not found then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    select count(*) into v_open
    from public.escalations as e
    where e.user_id = v_actor and e.status = 'open';
    if v_open >= c_max_open then
        raise exception using errcode = 'PR409',
            message = format('you have %s open tickets, which is the most', v_open);
    end if;
    insert into public.escalations (kind, subject, user_id, title, reason, created_at)
    values ('support', 'ticket:' || p_ticket_id, v_actor, p_title, p_message, p_now)
    returning * into v_ticket;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, created_at)
    values (v_actor, 'create_ticket', 'escalation', v_ticket.id::text, p_request_id, p_ip, p_now);
    return v_ticket;
end;
$$;
revoke execute on function public.create_ticket(uuid, text, text, text, text, timestamptz)
    from public;
grant execute on function public.create_ticket(uuid, text, text, text, text, timestamptz)
    to presage_api;
