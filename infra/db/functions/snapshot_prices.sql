-- Why: a point for every active outcome in one set-based statement, so that the five-minute job
-- costs the same calls for ten markets as for ten thousand. A slot is written once: the second run
-- in a slot adds nothing. previous_price_bps becomes the point before, change_24h_bps is measured
-- against the oldest point of the last 24 hours. Answers how many points were written.
create or replace function public.snapshot_prices(p_now timestamptz) returns integer
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_slot  timestamptz := date_bin('5 minutes', public.effective_now(p_now), 'epoch');
    v_count integer;
begin
    with written as (
        insert into public.price_points (
            market_id, outcome, slot, mid_bps, last_price_bps, best_bid_bps, best_ask_bps,
            spread_bps, bid_depth_lots, ask_depth_lots, liquidity_micros, volume_micros
        )
        select o.market_id, o.outcome, v_slot, s.mid_bps, o.last_price_bps, s.best_bid_bps,
               s.best_ask_bps, s.best_ask_bps - s.best_bid_bps, s.bid_depth_lots,
               s.ask_depth_lots, s.liquidity_micros, o.volume_micros
        from public.markets as m
        join public.outcomes as o on o.market_id = m.id
        cross join lateral public.book_summary(o.market_id, o.outcome) as s
        where m.state = 'ACTIVE' and m.venue = 'native'
        on conflict (market_id, outcome, slot) do nothing
        returning market_id, outcome, mid_bps
    ),
    changed as (
        update public.outcomes as o set
            previous_price_bps = coalesce((
                select p.mid_bps from public.price_points as p
                where p.market_id = w.market_id and p.outcome = w.outcome and p.slot < v_slot
                order by p.slot desc limit 1), o.previous_price_bps),
            change_24h_bps = w.mid_bps - coalesce((
                select p.mid_bps from public.price_points as p
                where p.market_id = w.market_id and p.outcome = w.outcome
                  and p.slot >= v_slot - interval '24 hours' and p.slot < v_slot
                order by p.slot limit 1), w.mid_bps)
        from written as w
        where o.market_id = w.market_id and o.outcome = w.outcome
    )
    select count(*) into v_count from written;
    return v_count;
end;
$$;
revoke execute on function public.snapshot_prices(timestamptz) from public;
grant execute on function public.snapshot_prices(timestamptz) to presage_admin, presage_worker;
