-- The best bid and ask of each outcome and the price to show and value by, in YES terms: the mid,
-- rounded down to a basis point; the last trade when a side is empty; when nothing traded the first
-- probability, or a half.
-- Definer: the top of a book is public although the orders in it are not.
create or replace function public.market_quotes(p_market_id uuid)
returns table (outcome smallint, best_bid_bps integer, best_ask_bps integer, price_bps integer)
language sql stable security definer set search_path = ''
as $$
    select o.outcome, b.price, a.price,
           coalesce((b.price + a.price) / 2, o.last_price_bps, o.probability_bps, 5000)
    from public.outcomes o
    left join lateral (
        select max(r.book_price_bps) as price from public.orders r
        where r.market_id = p_market_id and r.outcome = o.outcome
          and r.is_open and r.book_side = 'bid'
    ) b on true
    left join lateral (
        select min(r.book_price_bps) as price from public.orders r
        where r.market_id = p_market_id and r.outcome = o.outcome
          and r.is_open and r.book_side = 'ask'
    ) a on true
    where o.market_id = p_market_id;
$$;
revoke all on function public.market_quotes from public;
grant execute on function public.market_quotes to presage_api, presage_admin, presage_worker;
