-- name: list_positions
-- One page of the caller's positions that hold shares or have earned or lost something.
select p.market_id, m.slug as market_slug, m.question, p.outcome, p.position, p.held_lots,
       p.locked_lots, p.cost_micros, p.realised_micros, p.updated_at,
       case p.position when 'YES' then q.price_bps else 10000 - q.price_bps end as price_bps
from public.positions p
join public.markets m on m.id = p.market_id
cross join lateral (
    select v.price_bps from public.market_quotes(p.market_id) v where v.outcome = p.outcome
) q
where p.user_id = public.actor_id()
  and (p.held_lots > 0 or p.realised_micros <> 0)
  and (%(market_id)s::uuid is null or p.market_id = %(market_id)s::uuid)
  and (%(after_market)s::uuid is null
       or (p.market_id, p.outcome, p.position)
          > (%(after_market)s::uuid, %(after_outcome)s::smallint, %(after_position)s::text))
order by p.market_id, p.outcome, p.position
limit %(limit)s;

-- name: total_positions
-- Sums over all positions of the caller.
select coalesce(sum(p.cost_micros), 0)::bigint as cost_micros,
       coalesce(sum(p.held_lots * case p.position when 'YES' then q.price_bps
                                  else 10000 - q.price_bps end), 0)::bigint as value_micros,
       coalesce(sum(p.realised_micros), 0)::bigint as realised_micros
from public.positions p
cross join lateral (
    select v.price_bps from public.market_quotes(p.market_id) v where v.outcome = p.outcome
) q
where p.user_id = public.actor_id()
  and (p.held_lots > 0 or p.realised_micros <> 0)
  and (%(market_id)s::uuid is null or p.market_id = %(market_id)s::uuid);
