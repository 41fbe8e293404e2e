-- Why definer: a book is public, the orders in it are not. Levels in YES terms, best first, at most
-- p_depth a side (100 at most); the partial indexes give them in order, so deep books cost no more.
create or replace function public.market_book(
    p_market_id uuid, p_outcome smallint, p_depth integer
) returns table (side text, price_bps integer, size_lots bigint, orders integer)
language sql stable security definer set search_path = ''
as $$
    (select 'bid', o.book_price_bps, sum(o.remaining_lots)::bigint, count(*)::integer
     from public.orders as o
     where o.market_id = p_market_id and o.outcome = p_outcome and o.is_open
       and o.book_side = 'bid'
     group by o.book_price_bps
     order by o.book_price_bps desc
     limit least(p_depth, 100))
    union all
    (select 'ask', o.book_price_bps, sum(o.remaining_lots)::bigint, count(*)::integer
     from public.orders as o
     where o.market_id = p_market_id and o.outcome = p_outcome and o.is_open
       and o.book_side = 'ask'
     group by o.book_price_bps
     order by o.book_price_bps
     limit least(p_depth, 100))
$$;
revoke execute on function public.market_book(uuid, smallint, integer) from public;
grant execute on function public.market_book(uuid, smallint, integer)
    to presage_api, presage_admin, presage_worker;
