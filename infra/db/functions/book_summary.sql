-- Why: the one definition of an outcome's mid and liquidity, for statistics and snapshots alike.
-- mid_bps is half the best bid plus best ask, rounded down; the last trade, then 5,000, while a
-- side is empty. liquidity_micros is price x lots, in YES terms, of what rests within 5 % of the
-- exact mid; depths count the whole side.
create or replace function public.book_summary(p_market_id uuid, p_outcome smallint)
returns table (
    best_bid_bps integer, best_ask_bps integer, mid_bps integer, bid_depth_lots bigint,
    ask_depth_lots bigint, liquidity_micros bigint
)
language sql stable set search_path = ''
as $$
    select t.bid, t.ask, t.mid2 / 2,
           coalesce(sum(o.remaining_lots) filter (where o.book_side = 'bid'), 0)::bigint,
           coalesce(sum(o.remaining_lots) filter (where o.book_side = 'ask'), 0)::bigint,
           coalesce(sum(o.remaining_lots * o.book_price_bps)
                    filter (where abs(2 * o.book_price_bps - t.mid2) * 20 <= t.mid2), 0)::bigint
    from (
        select b.bid, b.ask, coalesce(b.bid + b.ask, 2 * c.last_price_bps, 10000) as mid2
        from public.outcomes as c
        cross join lateral (
            select
                (select o.book_price_bps from public.orders as o
                 where o.market_id = p_market_id and o.outcome = p_outcome and o.is_open
                   and o.book_side = 'bid'
                 order by o.book_price_bps desc limit 1) as bid,
                (select o.book_price_bps from public.orders as o
                 where o.market_id = p_market_id and o.outcome = p_outcome and o.is_open
                   and o.book_side = 'ask'
                 order by o.book_price_bps limit 1) as ask
        ) as b
        where c.market_id = p_market_id and c.outcome = p_outcome
    ) as t
    left join public.orders as o
        on o.market_id = p_market_id and o.outcome = p_outcome and o.is_open
    group by t.bid, t.ask, t.mid2
$$;
revoke execute on function public.book_summary(uuid, smallint) from public;
