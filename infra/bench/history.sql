-- name: sweeps
-- Taker orders to come, one every step of 30 days, each sweeping 50 fills: the first market has all
-- of them, the second market one at every stride.
create temporary table sweeps as
select s * 2 + m.place as number, m.id as market_id, s, gen_random_uuid() as order_id,
       a.id as account_id, a.user_id,
       %(since)s::timestamptz + (%(until)s::timestamptz - %(since)s::timestamptz) * s / %(sweeps)s as at
from generate_series(0, %(sweeps)s - 1) as s
cross join (select id, (id <> %(market)s)::integer as place from markets) as m
join (
    select a.id, a.user_id, row_number() over (order by a.id) - 1 as place
    from accounts as a where a.user_id is not null
) as a on a.place = (s * 31 + m.place) %% %(takers)s
where m.place = 0 or s %% %(stride)s = 0
order by 1;

-- name: makers
-- Resting orders that will have been filled: four at each of 55 prices of each market.
create temporary table makers as
select m.id as market_id, level, lane, gen_random_uuid() as order_id, a.id as account_id, a.user_id
from markets as m
cross join generate_series(20, 74) as level
cross join generate_series(0, 3) as lane
join (
    select a.id, a.user_id, row_number() over (order by a.id) - 1 as place
    from accounts as a where a.user_id is not null
) as a on a.place = %(takers)s + (level * 4 + lane) %% %(takers)s;

-- name: fills
-- Every sweep climbs five prices from where the market is; YES against NO, so that shares are minted.
insert into fills (id, market_id, outcome, taker_order_id, maker_order_id, taker_id, maker_id, kind,
    taker_side, taker_position, price_bps, size_lots, fee_bps, maker_rebate_bps, rebate_micros,
    created_at)
select w.number * 50 + k + 1, w.market_id, 0, w.order_id, m.order_id, w.user_id, m.user_id, 'MINT',
       'BUY', 'YES', 100 * m.level, 100 * (1 + (w.s + k) %% 10), 0, 0, 0, w.at
from sweeps as w
cross join generate_series(0, 49) as k
join makers as m on m.market_id = w.market_id and m.lane = k %% 4
    and m.level = 20 + w.s * 7919 %% 50 + k / 10;

-- name: fill_ids
-- The next fill comes after these.
select setval('fill_ids', (select max(id) from fills));

-- name: taker_orders
-- The takers' orders, filled when they were placed.
insert into orders (id, user_id, account_id, market_id, outcome, position, side, type, price_bps,
    size_lots, book_side, book_price_bps, status, is_open, filled_lots, placed_status,
    placed_filled_lots, placed_cost_micros, created_at, updated_at)
select w.order_id, w.user_id, w.account_id, w.market_id, 0, 'YES', 'BUY', 'GTC', f.last, f.lots,
       'bid', f.last, 'filled', false, f.lots, 'filled', f.lots, f.cost, w.at, w.at
from sweeps as w
join (
    select taker_order_id, max(price_bps) as last, sum(size_lots)::bigint as lots,
           sum(size_lots * price_bps)::bigint as cost
    from fills group by taker_order_id
) as f on f.taker_order_id = w.order_id
order by w.number;

-- name: maker_orders
-- The makers' orders, open when they were placed and filled since.
insert into orders (id, user_id, account_id, market_id, outcome, position, side, type, price_bps,
    size_lots, book_side, book_price_bps, status, is_open, filled_lots, placed_status, created_at,
    updated_at)
select m.order_id, m.user_id, m.account_id, m.market_id, 0, 'NO', 'BUY', 'GTC',
       10000 - 100 * m.level, f.lots, 'ask', 100 * m.level, 'filled', false, f.lots, 'open',
       %(since)s, f.at
from makers as m
join (
    select maker_order_id, sum(size_lots)::bigint as lots, max(created_at) as at
    from fills group by maker_order_id
) as f on f.maker_order_id = m.order_id;

-- name: positions
-- What everybody holds now.
insert into positions (market_id, user_id, outcome, position, held_lots, cost_micros, updated_at)
select market_id, taker_id, 0, 'YES', sum(size_lots), sum(size_lots * price_bps), max(created_at)
from fills group by market_id, taker_id
union all
select market_id, maker_id, 0, 'NO', sum(size_lots), sum(size_lots * (10000 - price_bps)),
       max(created_at)
from fills group by market_id, maker_id;

-- name: money
-- What they paid for it, into the escrows: one transfer a holder and market.
with paid as (
    select a.id as account, l.escrow_account as escrow, p.market_id, p.cost_micros as micros
    from positions as p
    join accounts as a on a.user_id = p.user_id
    join market_ledgers as l on l.market_id = p.market_id
),
moved as (
    insert into transfers (debit_account, credit_account, amount_micros, kind, reference, market_id,
        created_at)
    select account, escrow, micros, 'mint', 'bulk', market_id, %(until)s from paid
)
update accounts as a set balance_micros = a.balance_micros + d.delta
from (
    select account as id, -sum(micros)::bigint as delta from paid group by account
    union all
    select escrow, sum(micros)::bigint from paid group by escrow
) as d
where a.id = d.id;

-- name: trades
-- What each taker order traded, numbered in time.
create temporary table trades as
select row_number() over (order by min(id)) as number, market_id, min(price_bps) as first,
       max(price_bps) as last, sum(size_lots * price_bps)::bigint as volume,
       sum(size_lots)::bigint as lots, count(*)::integer as trades, min(created_at) as at
from fills group by market_id, taker_order_id
order by 1;

-- name: record_trades
-- Bars and counters by the match's own writer, order by order in time. A chunk a transaction: old
-- versions of a row that one transaction updates again and again cannot be pruned.
select count(public.record_trades(t.market_id, 0::smallint, t.first, t.last, t.volume, t.lots,
    t.trades, 0, t.at))
from (
    select * from trades where number > %(after)s::bigint and number <= %(after)s::bigint + %(chunk)s
    order by number
) as t;

-- name: count_traders
-- Holders ever, as the match counts them: rows of positions.
update market_counters as c set unique_traders = (
    select count(distinct p.user_id) from positions as p where p.market_id = c.market_id);

-- name: aggregate_bars
-- The peer's hourly bars: one pass over the market's fills, first and last by packing id and price.
select date_bin('1 hour', f.created_at, 'epoch') as start,
       (min(f.id * 10000 + f.price_bps) %% 10000)::integer as open_bps,
       max(f.price_bps) as high_bps, min(f.price_bps) as low_bps,
       (max(f.id * 10000 + f.price_bps) %% 10000)::integer as close_bps,
       sum(f.size_lots * f.price_bps)::bigint as volume_micros, count(*)::integer as trade_count
from fills as f
where f.market_id = %(market)s and f.outcome = 0
  and f.created_at between %(since)s and %(now)s
group by 1
order by 1;

-- name: aggregate_stats
-- The peer's figures of a market: everything from fills, positions and open orders.
select f.volume_micros, f.volume_24h_micros, f.trade_count,
       (select count(distinct t.id) from (
            select taker_id as id from fills where market_id = %(market)s
            union all
            select maker_id from fills where market_id = %(market)s) as t) as unique_traders,
       (select count(*) from follows where market_id = %(market)s) as follower_count,
       (select count(*) from bookmarks where market_id = %(market)s) as bookmark_count,
       (select sum(p.held_lots)::bigint * 10000 from positions as p
        where p.market_id = %(market)s and p.position = 'YES') as open_interest_micros,
       (select coalesce(sum(o.remaining_lots * o.book_price_bps), 0)::bigint
        from orders as o,
             (select (max(o.book_price_bps) filter (where o.book_side = 'bid')
                      + min(o.book_price_bps) filter (where o.book_side = 'ask')) / 2.0 as mid
              from orders as o where o.market_id = %(market)s and o.is_open) as b
        where o.market_id = %(market)s and o.is_open
          and abs(o.book_price_bps - b.mid) <= b.mid * 0.05) as liquidity_micros,
       f.last_updated
from (
    select sum(f.size_lots * f.price_bps)::bigint as volume_micros,
           coalesce(sum(f.size_lots * f.price_bps) filter (
               where f.created_at >= date_bin('1 hour', %(now)s, 'epoch') - interval '23 hours'
           ), 0)::bigint as volume_24h_micros,
           count(*) as trade_count, max(f.created_at) as last_updated
    from fills as f where f.market_id = %(market)s
) as f;
