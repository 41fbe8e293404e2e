-- Opens an escalation for an admin and tells the others. Each is one of its own, whatever is open on
-- the same market. Its words stay out of the audit log, as a ticket's do. user_id stays null: that is
-- whose ticket it is. Raises PR400, PR403.
create or replace function public.create_escalation(
    p_escalation_id uuid, p_kind text, p_market_id uuid, p_title text, p_reason text,
    p_request_id text, p_ip text, p_now timestamptz
) returns public.escalations
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_actor      uuid := public.actor_id();
    v_escalation public.escalations;
begin
    if not exists (select from public.users as u where u.id = v_actor and u.role <> 'user') then
        raise exception using errcode = 'PR403', message = 'only an admin may open an escalation';
    elsif p_market_id is not null
        and not exists (select from public.markets as m where m.id = p_market_id) then
        raise exception using errcode = 'PR400', column = 'market_id',
            message = 'there is no such market';
    end if;
    insert into public.escalations (kind, subject, market_id, title, reason, created_at)
    values (p_kind, 'admin:' || p_escalation_id, p_market_id, p_title, p_reason, p_now)
    returning * into v_escalation;
    insert into public.notifications (user_id, type, market_id, facts, created_at)
    select u.id, 'settlement_escalation', p_market_id,
           jsonb_build_object('escalationId', v_escalation.id, 'severity', v_escalation.severity),
           p_now
    from public.users as u
    where u.role <> 'user' and u.id <> v_actor;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_actor, 'create_escalation', 'escalation', v_escalation.id::text, p_request_id, p_ip,
        jsonb_build_object('kind', p_kind, 'marketId', p_market_id), p_now
    );
    return v_escalation;
end;
$$;
revoke execute on function public.create_escalation(
    uuid, text, uuid, text, text, text, text, timestamptz) from public;
grant execute on function public.create_escalation(
    uuid, text, uuid, text, text, text, text, timestamptz) to presage_admin;
