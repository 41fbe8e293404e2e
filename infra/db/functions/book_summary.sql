-- Why: the one definition of an outcome's mid and liquidity, for statistics and snapshots alike.
-- mid_bps is half the best bid plus best ask, rounded down; the last trade, then 5,000, while a
-- side is empty. liquidity_micros is price x lots, in YES terms, of what rests within 5 % of the
-- exact mid; depths count the whole side. Each side is asked for by name: the indexes of the book are
-- one a side, and a query that names none reads every open order of the exchange.
create or replace function public.book_summary(p_market_id uuid, p_outcome smallint)
returns table (
    best_bid_bps integer, best_ask_bps integer, mid_bps integer, bid_depth_lots bigint,
    ask_depth_lots bigint, liquidity_micros bigint
)
language sql stable set search_path = ''
as $$
    select b.best, a.best, t.mid2 / 2, b.lots, a.lots,
           (select coalesce(sum(o.remaining_lots * o.book_price_bps), 0)::bigint
            from public.orders as o
            where o.market_id = p_market_id and o.outcome = p_outcome and o.is_open
              and o.book_side = 'bid'
              and abs(2 * o.book_price_bps - t.mid2) * 20 <= t.mid2)
           + (select coalesce(sum(o.remaining_lots * o.book_price_bps), 0)::bigint
              from public.orders as o
              where o.market_id = p_market_id and o.outcome = p_outcome and o.is_open
                and o.book_side = 'ask'
                and abs(2 * o.book_price_bps - t.mid2) * 20 <= t.mid2)
    from public.outcomes as c
    cross join lateral (
        select max(o.book_price_bps) as best, coalesce(sum(o.remaining_lots), 0)::bigint as lots
        from public.orders as o
        where o.market_id = p_market_id and o.outcome = p_outcome and o.is_open
          and o.book_side = 'bid'
    ) as b
    cross join lateral (
        select min(o.book_price_bps) as best, coalesce(sum(o.remaining_lots), 0)::bigint as lots
        from public.orders as o
        where o.market_id = p_market_id and o.outcome = p_outcome and o.is_open
          and o.book_side = 'ask'
    ) as a
    cross join lateral (
        select coalesce(b.best + a.best, 2 * c.last_price_bps, 10000) as mid2
    ) as t
    where c.market_id = p_market_id and c.outcome = p_outcome
$$;
revoke execute on function public.book_summary(uuid, smallint) from public;
