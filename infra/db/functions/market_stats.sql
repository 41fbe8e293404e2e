-- Why: statistics come from counters and hourly bars (0.04 ms against 350 ms over raw fills).
-- volume_24h_micros is the current hour and the 23 before it. No row: no such market.
create or replace function public.market_stats(p_market_id uuid, p_now timestamptz)
returns table (
    volume_micros bigint, volume_24h_micros bigint, trade_count bigint, unique_traders bigint,
    follower_count bigint, bookmark_count bigint, open_interest_micros bigint, liquidity_micros bigint, last_updated timestamptz
)
language sql stable security definer set search_path = ''
as $$
    select c.volume_micros,
           (select coalesce(sum(b.volume_micros), 0)::bigint
            from public.outcomes as o
            join public.price_bars as b on b.market_id = o.market_id and b.outcome = o.outcome
            where o.market_id = p_market_id and b.interval_s = 3600
              and b.bucket > date_bin('1 hour', p_now, 'epoch') - interval '24 hours'
              and b.bucket <= p_now),
           c.trade_count, c.unique_traders, coalesce(e.follower_count, 0),
           coalesce(e.bookmark_count, 0), a.balance_micros,
           (select coalesce(sum(s.liquidity_micros), 0)::bigint
            from public.outcomes as o
            cross join lateral public.book_summary(p_market_id, o.outcome) as s
            where o.market_id = p_market_id),
           coalesce(c.last_trade_at, m.updated_at)
    from public.market_counters as c
    join public.markets as m on m.id = c.market_id
    join public.market_ledgers as l on l.market_id = c.market_id
    join public.accounts as a on a.id = l.escrow_account
    left join public.market_audience as e on e.market_id = c.market_id
    where c.market_id = p_market_id
$$;
revoke execute on function public.market_stats(uuid, timestamptz) from public;
grant execute on function public.market_stats(uuid, timestamptz)
    to presage_api, presage_admin, presage_worker;
