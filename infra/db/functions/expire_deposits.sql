-- Why: marks a chunk of the announcements whose day is over; verification refuses them anyway, this
-- only tidies up. One that somebody is deciding is passed over: the next sweep finds it. Answers how
-- many were marked.
create or replace function public.expire_deposits(
    p_limit integer, p_request_id text, p_ip text, p_now timestamptz
) returns integer
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_now   timestamptz := public.effective_now(p_now);
    v_id    uuid;
    v_count integer := 0;
begin
    for v_id in
        select d.id from public.deposits as d
        where d.status = 'pending' and d.expires_at <= v_now
        order by d.expires_at
        limit p_limit
        for no key update skip locked
    loop
        if public.expire_deposit(v_id, p_request_id, p_ip, v_now) then
            v_count := v_count + 1;
        end if;
    end loop;
    return v_count;
end;
$$;
revoke execute on function public.expire_deposits(integer, text, text, timestamptz) from public;
grant execute on function public.expire_deposits(integer, text, text, timestamptz)
    to presage_worker;
