-- Why: the same trouble told a thousand times is one alert. What was first seen within the hour
-- counts up, anything else is a new row; callers with one fingerprint come one after the other, by a
-- lock that ends with their transaction. Answers the alert's id and how often it was raised.
create or replace function public.raise_alert(
    p_type text, p_severity text, p_fingerprint text, p_data jsonb, p_now timestamptz
) returns table (id bigint, count bigint)
language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
    v_id bigint;
begin
    perform pg_advisory_xact_lock(hashtextextended(p_fingerprint, 0));
    select a.id into v_id
    from public.ops_alerts as a
    where a.fingerprint = p_fingerprint and a.first_seen_at > p_now - interval '1 hour'
    order by a.first_seen_at desc
    limit 1;
    if v_id is null then
        return query
        insert into public.ops_alerts as a
            (type, severity, fingerprint, data, first_seen_at, last_seen_at, next_attempt_at)
        values (p_type, p_severity, p_fingerprint, p_data, p_now, p_now, p_now)
        returning a.id, a.count;
    else
        return query
        update public.ops_alerts as a
        set count = a.count + 1, last_seen_at = greatest(a.last_seen_at, p_now), data = p_data
        where a.id = v_id
        returning a.id, a.count;
    end if;
end;
$$;
revoke execute on function public.raise_alert(text, text, text, jsonb, timestamptz) from public;
grant execute on function public.raise_alert(text, text, text, jsonb, timestamptz)
    to presage_admin, presage_worker;
