-- name: keep_ticks
-- Store ticks; of two values for one moment the one received later replaces the other.
insert into public.price_feeds as f (source, symbol, observed_at, value, received_at)
select t.source, t.symbol, t.observed_at, t.value, %(now)s
from jsonb_to_recordset(%(ticks)s::jsonb)
    as t (source text, symbol text, observed_at timestamptz, value numeric)
on conflict (symbol, source, observed_at) do update
set value = excluded.value, received_at = excluded.received_at
where f.received_at <= excluded.received_at;

-- name: tick_at
-- The latest tick at or before a bound, within the tolerance.
select source, symbol, observed_at, value
from public.price_feeds
where source = %(source)s and symbol = %(symbol)s
  and observed_at <= %(bound)s
  and observed_at >= %(bound)s - make_interval(secs => %(tolerance_s)s)
order by observed_at desc
limit 1;

-- name: has_tick_after
-- Whether the source has gone past a bound, so that nothing at or before it is still to come.
select exists (
    select from public.price_feeds
    where source = %(source)s and symbol = %(symbol)s and observed_at > %(bound)s
) as done;
