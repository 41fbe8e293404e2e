-- Why definer: who traded is not public; an admin may ask by wallet (readable_user). Fills have no
-- index by person, which every match would have to write: they are found through the person's orders,
-- the newest first. Orders that never traded are passed over five hundred at most: the last row then
-- is of no fill and says where the next page goes on. Prices are in the order's own terms.
create or replace function public.user_trades(
    p_wallet text, p_as_admin boolean, p_before_seq bigint, p_before_fill bigint, p_limit integer
) returns table (
    seq bigint, fill_id bigint, market_id uuid, outcome smallint, "position" text, side text,
    is_taker boolean, price_bps integer, size_lots bigint, traded_at timestamptz
)
language sql stable security definer set search_path = ''
as $$
    with looked as materialized (
        select o.id, o.seq, o.market_id, o.outcome, o.position, o.side, o.filled_lots
        from public.orders as o
        where o.user_id = (select public.readable_user(p_wallet, p_as_admin))
          and (p_before_seq is null or o.seq <= p_before_seq)
        order by o.seq desc
        limit 500
    )
    (select o.seq, f.id, o.market_id, o.outcome, o.position::text, o.side::text, f.is_taker,
            case o.position when 'YES' then f.price_bps else 10000 - f.price_bps end,
            f.size_lots, f.created_at
     from looked as o
     cross join lateral (
         (select t.id, true as is_taker, t.price_bps::integer, t.size_lots, t.created_at
          from public.fills as t where t.taker_order_id = o.id)
         union all
         (select m.id, false, m.price_bps::integer, m.size_lots, m.created_at
          from public.fills as m where m.maker_order_id = o.id)
     ) as f
     where o.filled_lots > 0
       and (p_before_seq is null or (o.seq, f.id) < (p_before_seq, p_before_fill))
     order by o.seq desc, f.id desc
     limit least(p_limit, 101))
    union all
    (select min(o.seq), null, null, null, null, null, null, null, null, null
     from looked as o
     having count(*) = 500)
$$;
revoke execute on function public.user_trades(text, boolean, bigint, bigint, integer) from public;
grant execute on function public.user_trades(text, boolean, bigint, bigint, integer)
    to presage_api, presage_admin, presage_worker;
