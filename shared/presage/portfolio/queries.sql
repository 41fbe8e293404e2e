-- name: list_positions
-- One page of the caller's positions that hold shares or have earned or lost something.
select x.market_id, m.slug as market_slug, m.question, x.outcome, x.position, x.held_lots,
       x.locked_lots, x.cost_micros, x.realised_micros, x.updated_at,
       case x.position when 'YES' then q.price_bps else 10000 - q.price_bps end as price_bps
from (
    select p.market_id, p.outcome, p.position, p.held_lots, p.locked_lots, p.cost_micros,
           p.realised_micros, p.updated_at
    from public.positions p
    where p.user_id = (select public.actor_id())
      and (p.held_lots > 0 or p.realised_micros <> 0)
      and (%(market_id)s::uuid is null or p.market_id = %(market_id)s::uuid)
      and (%(after_market)s::uuid is null
           or (p.market_id >= %(after_market)s::uuid
               and (p.market_id, p.outcome, p.position)
                   > (%(after_market)s::uuid, %(after_outcome)s::smallint,
                      %(after_position)s::text)))
    order by p.market_id, p.outcome, p.position
    limit %(limit)s
) x
join public.markets m on m.id = x.market_id
cross join lateral (
    select v.price_bps from public.market_quotes(x.market_id) v where v.outcome = x.outcome
) q
order by x.market_id, x.outcome, x.position;

-- name: total_positions
-- Sums over all positions of the caller. Only what is held is priced, each market once: a settled
-- position costs a row and no look at a book.
with own as materialized (
    select p.market_id, p.outcome, p.position, p.held_lots, p.cost_micros, p.realised_micros
    from public.positions p
    where p.user_id = (select public.actor_id())
      and (%(market_id)s::uuid is null or p.market_id = %(market_id)s::uuid)
)
select coalesce(sum(o.cost_micros), 0)::bigint as cost_micros,
       coalesce((
           select sum(h.held_lots * case h.position when 'YES' then q.price_bps
                                    else 10000 - q.price_bps end)
           from (select distinct n.market_id from own n where n.held_lots > 0) d
           cross join lateral public.market_quotes(d.market_id) q
           join own h on h.market_id = d.market_id and h.outcome = q.outcome and h.held_lots > 0
       ), 0)::bigint as value_micros,
       coalesce(sum(o.realised_micros), 0)::bigint as realised_micros
from own o;

-- name: list_fifo_costs
-- What the caller's positions cost and earned when the shares held longest leave first.
select f.market_id, f.outcome, f.position, f.cost_micros, f.realised_micros
from public.fifo_positions(%(market_id)s) f
where %(method)s = 'fifo';

-- name: change_shares
-- Make or unmake shares without a counterparty. An outcome left out means all of a market's, which
-- is the one pair of a binary market and the complete set of another.
select c.operation_id as id, c.market_id, c.kind, c.outcome, c.size_lots, c.amount_micros,
       c.created_at, c.replayed
from public.markets m
left join lateral (
    select o.outcome
    from public.find_outcome(m.id::text, coalesce(%(outcome)s, '0'), null) o
    where %(outcome)s::text is not null or m.market_type = 'binary'
) f on true
cross join lateral public.change_shares(
    m.id, case when f.outcome is null then %(kind_of_all)s else %(kind)s end, f.outcome,
    %(size_lots)s, %(key)s, %(request_hash)s, %(operation_id)s, %(now)s,
    %(request_id)s, %(ip)s
) c
where m.id = %(market_id)s;
