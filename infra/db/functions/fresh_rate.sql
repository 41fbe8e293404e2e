-- Why: money converts at the latest stored rate, and at none at all rather than at yesterday's.
-- Answers millionths of p_quote for one p_base. Raises PR410 (no rate, or one over 24 hours old).
create or replace function public.fresh_rate(p_base text, p_quote text, p_now timestamptz)
returns bigint
language plpgsql stable set search_path = ''
as $$
declare
    c_longest constant interval := interval '24 hours';
    v_rate bigint;
begin
    select r.rate_micros into v_rate
    from (
        select r.rate_micros, r.observed_at from public.exchange_rates as r
        where r.base = p_base and r.quote = p_quote
        order by r.observed_at desc, r.id desc
        limit 1
    ) as r
    where r.observed_at >= p_now - c_longest;
    if not found then
        raise exception using errcode = 'PR410', column = 'currency',
            message = format('there is no rate of %s that is under a day old', p_base);
    end if;
    return v_rate;
end;
$$;
revoke execute on function public.fresh_rate(text, text, timestamptz) from public;
