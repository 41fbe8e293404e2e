-- Why: thousands of markets may close in one minute. Those past their close that are not halted yet
-- are tidied together, p_markets at a time: up to p_orders of their open orders leave the book, whose
-- money goes back, and who has none left is halted. Skips p_except and those that somebody works on;
-- a later look finds them. Answers which were halted, and how many orders were released; none of both
-- is the end: large chunks scan less than many small ones. Plans are made for the arrays at hand: the generic ones, which come with the sixth call
-- of a connection, take five times as long.
create or replace function public.tidy_closed_markets(
    p_except uuid[], p_markets integer, p_orders integer, p_now timestamptz
) returns table (halted uuid[], released integer)
language plpgsql volatile security definer set search_path = '' set work_mem = '64MB'
set plan_cache_mode = 'force_custom_plan'
as $$
declare
    v_now      timestamptz := public.effective_now(p_now);
    v_markets  uuid[];
    v_halted   uuid[];
    v_released integer;
begin
    v_markets := array(
        select m.id from public.markets as m
        where m.state in ('ACTIVE', 'RESOLVING', 'DISPUTED') and m.venue = 'native'
          and m.closes_at <= v_now and m.trading_status <> 'halted' and m.id <> all (p_except)
        order by m.id
        limit p_markets
        for no key update of m skip locked
    );
    select count(*) into v_released
    from public.release_orders(
        array(select o.id from public.orders as o
              where o.market_id = any (v_markets) and o.is_open
              order by o.market_id, o.seq limit p_orders),
        'cancelled', v_now);
    with done as (
        update public.markets as m
        set trading_status = 'halted', updated_at = v_now
        where m.id = any (v_markets)
          and not exists (select from public.orders as o where o.market_id = m.id and o.is_open)
        returning m.id
    ),
    said as (
        insert into public.outbox (topic, market_id, payload, created_at)
        select 'trading_status', d.id, '{"tradingStatus": "halted"}', v_now from done as d
    )
    select array_agg(d.id) into v_halted from done as d;
    return query select coalesce(v_halted, '{}'), v_released;
end;
$$;
revoke execute on function public.tidy_closed_markets(uuid[], integer, integer, timestamptz) from public;
grant execute on function public.tidy_closed_markets(uuid[], integer, integer, timestamptz)
    to presage_worker;
