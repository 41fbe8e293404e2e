-- Why: the trades of write_orders: fills, the resting orders they met, both sides' shares, bars and
-- counters, each in one statement. A maker may be met by several orders of a batch: what the last
-- one left is the least. Bars open with the first fill and close with the last, by id. Answers how
-- many people hold something of these markets for the first time.
create or replace function public.write_trades(
    p_orders public.order_draft[], p_taker_id uuid, p_now timestamptz
) returns integer
language plpgsql volatile set search_path = '' set enable_seqscan = off
as $$
declare
    v_traders integer;
begin
    insert into public.fills (
        id, market_id, outcome, taker_order_id, maker_order_id, taker_id, maker_id, kind,
        taker_side, taker_position, price_bps, size_lots, fee_bps, maker_rebate_bps,
        rebate_micros, created_at
    )
    select f.fill_id, o.market_id, o.outcome, o.order_id, f.maker_order_id, p_taker_id, f.maker_id,
           f.kind, o.side, o.position, f.price_bps, f.size_lots, o.fee_bps, o.maker_rebate_bps,
           f.rebate_micros, p_now
    from unnest(p_orders) as o
    cross join lateral unnest(o.fills) as f;

    update public.orders as o set
        filled_lots = o.filled_lots + s.lots,
        remaining_lots = s.left_lots,
        status = case when s.left_lots = 0 then 'filled' else 'partial' end,
        is_open = s.left_lots > 0,
        updated_at = p_now
    from (
        select f.maker_order_id, sum(f.size_lots)::bigint as lots, min(f.maker_left_lots) as left_lots
        from unnest(p_orders) as d
        cross join lateral unnest(d.fills) as f
        group by f.maker_order_id
    ) as s
    where o.id = s.maker_order_id;

    with buyers as (
        select distinct o.market_id, b.user_id
        from unnest(p_orders) as o
        cross join lateral (
            select f.maker_id as user_id from unnest(o.fills) as f where f.maker_side = 'BUY'
            union all
            select p_taker_id where o.side = 'BUY' and o.filled_lots > 0
        ) as b
    ),
    newcomers as materialized (
        select b.market_id, count(*)::integer as traders
        from buyers as b
        where not exists (
            select from public.positions as p
            where p.market_id = b.market_id and p.user_id = b.user_id)
        group by b.market_id
    ),
    traded as materialized (
        select o.market_id, o.outcome, f.fill_id, f.price_bps, f.size_lots
        from unnest(p_orders) as o
        cross join lateral unnest(o.fills) as f
    ),
    books as materialized (
        select t.market_id, t.outcome, (array_agg(t.price_bps order by t.fill_id))[1] as open_bps,
               max(t.price_bps) as high_bps, min(t.price_bps) as low_bps,
               (array_agg(t.price_bps order by t.fill_id desc))[1] as close_bps,
               sum(t.size_lots * t.price_bps)::bigint as volume_micros,
               sum(t.size_lots)::bigint as volume_lots, count(*)::integer as trades
        from traded as t
        group by t.market_id, t.outcome
    ),
    barred as (
        insert into public.price_bars as b (
            market_id, outcome, interval_s, bucket, open_bps, high_bps, low_bps, close_bps,
            volume_micros, volume_lots, trade_count
        )
        select k.market_id, k.outcome, i.seconds, i.bucket, k.open_bps, k.high_bps, k.low_bps,
               k.close_bps, k.volume_micros, k.volume_lots, k.trades
        from books as k
        cross join (
            values (300, date_bin('5 minutes', p_now, 'epoch')),
                   (3600, date_bin('1 hour', p_now, 'epoch'))
        ) as i (seconds, bucket)
        on conflict (market_id, outcome, interval_s, bucket) do update set
            high_bps = greatest(b.high_bps, excluded.high_bps),
            low_bps = least(b.low_bps, excluded.low_bps),
            close_bps = excluded.close_bps,
            volume_micros = b.volume_micros + excluded.volume_micros,
            volume_lots = b.volume_lots + excluded.volume_lots,
            trade_count = b.trade_count + excluded.trade_count
    ),
    priced as (
        update public.outcomes as c set
            last_price_bps = k.close_bps,
            volume_micros = c.volume_micros + k.volume_micros,
            trade_count = c.trade_count + k.trades
        from books as k
        where c.market_id = k.market_id and c.outcome = k.outcome
    ),
    counted as (
        update public.market_counters as c set
            volume_micros = c.volume_micros + k.volume,
            trade_count = c.trade_count + k.trades,
            unique_traders = c.unique_traders + coalesce(n.traders, 0),
            last_trade_at = p_now
        from (
            select b.market_id, sum(b.volume_micros)::bigint as volume, sum(b.trades) as trades
            from books as b
            group by b.market_id
        ) as k
        left join newcomers as n on n.market_id = k.market_id
        where c.market_id = k.market_id
    )
    select coalesce(sum(n.traders), 0) into v_traders from newcomers as n;

    update public.positions as p set
        held_lots = p.held_lots - s.lots,
        locked_lots = p.locked_lots - s.lots,
        cost_micros = p.cost_micros - div(p.cost_micros::numeric * s.lots, p.held_lots),
        realised_micros = p.realised_micros + s.gain
            - div(p.cost_micros::numeric * s.lots, p.held_lots),
        updated_at = p_now
    from (
        select o.market_id, o.outcome, f.maker_id, f.maker_position, sum(f.size_lots)::bigint as lots,
               sum(f.size_lots * f.maker_price_bps + f.rebate_micros)::bigint as gain
        from unnest(p_orders) as o
        cross join lateral unnest(o.fills) as f
        where f.maker_side = 'SELL'
        group by o.market_id, o.outcome, f.maker_id, f.maker_position
    ) as s
    where p.market_id = s.market_id and p.user_id = s.maker_id and p.outcome = s.outcome
      and p.position = s.maker_position;

    insert into public.positions as p
        (market_id, user_id, outcome, position, held_lots, cost_micros, realised_micros, updated_at)
    select b.market_id, b.user_id, b.outcome, b.position, sum(b.lots), sum(b.cost), sum(b.gain), p_now
    from (
        select o.market_id, f.maker_id as user_id, o.outcome, f.maker_position as position,
               f.size_lots as lots, f.size_lots * f.maker_price_bps as cost, f.rebate_micros as gain
        from unnest(p_orders) as o
        cross join lateral unnest(o.fills) as f
        where f.maker_side = 'BUY'
        union all
        select o.market_id, p_taker_id, o.outcome, o.position, o.filled_lots, o.cost_micros,
               -o.fee_micros
        from unnest(p_orders) as o
        where o.side = 'BUY' and o.filled_lots > 0
    ) as b
    group by b.market_id, b.user_id, b.outcome, b.position
    on conflict (market_id, user_id, outcome, position) do update set
        held_lots = p.held_lots + excluded.held_lots,
        cost_micros = p.cost_micros + excluded.cost_micros,
        realised_micros = p.realised_micros + excluded.realised_micros,
        updated_at = excluded.updated_at;
    return v_traders;
end;
$$;
revoke execute on function public.write_trades(public.order_draft[], uuid, timestamptz) from public;
