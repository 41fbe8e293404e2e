-- Why: a question that nobody answers grows louder after 30 minutes, 2 and 8 hours, once at each
-- level: the raise, the admins' notifications and the operators' alert are one transaction. One that
-- was not looked at for hours goes straight to the level it has earned. People's tickets share one alert a level, or anybody could fill
-- the operators' channels; the others have one each. p_severities are the alert's
-- severities at the three levels. Answers how many were raised (less than p_limit is the end), and how
-- many of their alerts are CRITICAL.
create or replace function public.escalate_overdue(
    p_limit integer, p_severities text[], p_now timestamptz
) returns table (count integer, critical_count integer)
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_raised   public.escalations;
    v_count    integer := 0;
    v_critical integer := 0;
begin
    for v_raised in
        with due as (
            select e.id,
                   case when e.created_at <= p_now - interval '8 hours' then 3
                        when e.created_at <= p_now - interval '2 hours' then 2
                        else 1 end as level
            from public.escalations as e
            where e.status = 'open' and e.created_at <= p_now - interval '30 minutes'
              and e.level < case when e.created_at <= p_now - interval '8 hours' then 3
                                 when e.created_at <= p_now - interval '2 hours' then 2
                                 else 1 end
            order by e.created_at, e.id
            limit p_limit
            for no key update of e skip locked
        )
        update public.escalations as e
        set level = d.level, severity = (array['MEDIUM', 'HIGH', 'CRITICAL'])[d.level]
        from due as d
        where e.id = d.id
        returning e.*
    loop
        v_count := v_count + 1;
        if p_severities[v_raised.level] = 'CRITICAL' then
            v_critical := v_critical + 1;
        end if;
        insert into public.notifications (user_id, type, market_id, facts, created_at)
        select u.id, 'settlement_escalation', v_raised.market_id,
               jsonb_build_object('escalationId', v_raised.id, 'severity', v_raised.severity), p_now
        from public.users as u
        where u.role <> 'user';
        perform public.raise_alert(
            'escalation_overdue', p_severities[v_raised.level],
            format('escalation_overdue:%s:%s',
                case when v_raised.user_id is null then v_raised.id::text else 'tickets' end,
                v_raised.level),
            jsonb_build_object('escalationId', v_raised.id, 'kind', v_raised.kind,
                'level', v_raised.level, 'openedAt', v_raised.created_at),
            p_now);
    end loop;
    return query select v_count, v_critical;
end;
$$;
revoke execute on function public.escalate_overdue(integer, text[], timestamptz) from public;
grant execute on function public.escalate_overdue(integer, text[], timestamptz) to presage_worker;
