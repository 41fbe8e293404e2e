-- A human has answered. The same answer again answers the same; another one is refused.
-- Raises PR403, PR404, PR410.
create or replace function public.resolve_escalation(
    p_escalation_id bigint, p_resolution text, p_request_id text, p_ip text, p_now timestamptz
) returns public.escalations
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_actor      uuid := public.actor_id();
    v_escalation public.escalations;
begin
    if not exists (select from public.users as u where u.id = v_actor and u.role <> 'user') then
        raise exception using errcode = 'PR403', message = 'only an admin may resolve an escalation';
    end if;
    select e.* into v_escalation
    from public.escalations as e
    where e.id = p_escalation_id
    for no key update;
    if not found then
        raise exception using errcode = 'PR404', column = 'escalation_id',
            message = 'there is no such escalation';
    elsif v_escalation.status = 'resolved' then
        if v_escalation.resolution is distinct from p_resolution then
            raise exception using errcode = 'PR410', column = 'resolution',
                message = 'the escalation is resolved already';
        end if;
        return v_escalation;
    end if;
    update public.escalations as e
    set status = 'resolved', resolution = p_resolution, resolved_at = p_now, resolved_by = v_actor
    where e.id = p_escalation_id
    returning e.* into v_escalation;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_actor, 'resolve_escalation', 'escalation', p_escalation_id::text, p_request_id, p_ip,
        jsonb_build_object('kind', v_escalation.kind, 'level', v_escalation.level), p_now
    );
    return v_escalation;
end;
$$;
revoke execute on function public.resolve_escalation(bigint, text, text, text, timestamptz)
    from public;
grant execute on function public.resolve_escalation(bigint, text, text, text, timestamptz)
    to presage_admin;
