-- Somebody has taken an alert up: the first who said so stays. Saying so again changes nothing.
-- Raises PR403, PR404.
create or replace function public.acknowledge_alert(
    p_alert_id bigint, p_request_id text, p_ip text, p_now timestamptz
) returns public.ops_alerts
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_actor uuid := public.actor_id();
    v_alert public.ops_alerts;
begin
    if not exists (select from public.users as u where u.id = v_actor and u.role <> 'user') then
        raise exception using errcode = 'PR403', message = 'only an admin may acknowledge an alert';
    end if;
    select a.* into v_alert from public.ops_alerts as a where a.id = p_alert_id for no key update;
    if not found then
        raise exception using errcode = 'PR404', column = 'alert_id',
            message = 'there is no such alert';
    elsif v_alert.acknowledged_at is not null then
        return v_alert;
    end if;
    -- Channels that were given up are worth another try: there is something new to tell.
    update public.ops_alerts as a
    set acknowledged_at = p_now, acknowledged_by = v_actor, attempts = 0
    where a.id = p_alert_id
    returning a.* into v_alert;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_actor, 'acknowledge_alert', 'alert', p_alert_id::text, p_request_id, p_ip,
        jsonb_build_object('type', v_alert.type, 'severity', v_alert.severity), p_now
    );
    return v_alert;
end;
$$;
revoke execute on function public.acknowledge_alert(bigint, text, text, timestamptz) from public;
grant execute on function public.acknowledge_alert(bigint, text, text, timestamptz)
    to presage_admin;
