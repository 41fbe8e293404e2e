-- name: place_order
-- Match an order and rest what remains: everything happens in this one call.
select p.order_id, p.status, p.size_lots, p.filled_lots, p.remaining_lots, p.cost_micros,
       p.fee_micros, p.fills, p.created_at, p.replayed
from public.find_outcome(%(market_id)s::text, %(outcome)s, %(position)s) f
cross join lateral public.place_order(
    f.market_id, f.outcome, f.position, %(side)s, %(type)s, %(price_bps)s, %(size_lots)s,
    %(amount_micros)s, %(post_only)s, %(self_trade_prevention)s, %(client_order_id)s,
    %(request_hash)s, %(order_id)s, %(now)s, %(expires_at)s
) p;

-- name: place_orders
-- Match a slip of orders in sequence and write them together.
select batch_id, status, mode, orders, created_at, replayed
from public.place_orders(
    %(mode)s, %(orders)s::jsonb, %(key)s, %(request_hash)s, %(batch_id)s, %(now)s
);

-- name: list_orders
-- One page of the caller's orders, newest first (row policies keep to the caller's own). Orders that
-- rest have an index of their own, which only is_open reaches.
select id, seq, client_order_id, market_id, outcome, position, side, type, price_bps, size_lots,
       filled_lots, remaining_lots, placed_filled_lots, placed_cost_micros, fee_micros, post_only,
       self_trade_prevention, status, error, strategy_id, strategy_run_id, expires_at, created_at,
       updated_at
from public.orders
where user_id = (select public.actor_id())
  and (%(status)s::text is null or status = %(status)s::text)
  and (not %(rests)s or is_open)
  and (%(market_id)s::uuid is null or market_id = %(market_id)s::uuid)
  and (%(side)s::text is null or side = %(side)s::text)
  and (%(placed_from)s::timestamptz is null or created_at >= %(placed_from)s::timestamptz)
  and (%(placed_to)s::timestamptz is null or created_at < %(placed_to)s::timestamptz)
  and (%(before_seq)s::bigint is null or seq < %(before_seq)s::bigint)
order by seq desc
limit %(limit)s;

-- name: get_order
-- One order of the caller.
select id, seq, client_order_id, market_id, outcome, position, side, type, price_bps, size_lots,
       filled_lots, remaining_lots, placed_filled_lots, placed_cost_micros, fee_micros, post_only,
       self_trade_prevention, status, error, strategy_id, strategy_run_id, expires_at, created_at,
       updated_at
from public.orders
where id = %(order_id)s and user_id = public.actor_id();

-- name: list_order_fills
-- The latest trades of one order of the caller, newest first.
select f.id, case when f.taker_order_id = o.id then 'taker' else 'maker' end as role,
       case o.position when 'YES' then f.price_bps else 10000 - f.price_bps end as price_bps,
       f.size_lots, f.kind, f.created_at
from public.orders o
join public.fills f on f.taker_order_id = o.id or f.maker_order_id = o.id
where o.id = %(order_id)s and o.user_id = public.actor_id()
order by f.id desc
limit 500;

-- name: amend_order
-- Lower an open order's size; it keeps its priority.
select order_id as id, status, size_lots, filled_lots, remaining_lots, released_lots,
       released_micros
from public.amend_order(%(order_id)s, %(size_lots)s, %(now)s);

-- name: expire_orders
-- Release a chunk of orders past their expiration.
select public.expire_orders(%(limit)s, %(now)s) as count;

-- name: cancel_order
-- Cancel one open order of the caller.
select order_id as id, status, filled_lots, released_lots, released_micros
from public.cancel_order(%(order_id)s, %(now)s);

-- name: cancel_orders
-- Cancel a chunk of the caller's open orders, of one market or of all.
select order_id as id, status, filled_lots, released_lots, released_micros
from public.cancel_orders(%(market_id)s, %(now)s);
