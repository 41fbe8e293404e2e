-- Why: write_fills for long sweeps: one statement a table whatever the number of fills (14 us a
-- fill against 42). Same arguments, same effects. No sequential scans: the planner takes any array
-- for a hundred rows and would read all of a small orders table instead.
create or replace function public.write_many_fills(
    p_fills public.fill_draft[], p_market_id uuid, p_outcome smallint, p_order_id uuid,
    p_taker_id uuid, p_side text, p_position text, p_fee_bps integer, p_maker_rebate_bps integer,
    p_now timestamptz
) returns integer
language plpgsql volatile set search_path = '' set enable_seqscan = off
as $$
declare
    v_new integer;
begin
    insert into public.fills (
        id, market_id, outcome, taker_order_id, maker_order_id, taker_id, maker_id, kind,
        taker_side, taker_position, price_bps, size_lots, fee_bps, maker_rebate_bps,
        rebate_micros, created_at
    )
    select f.fill_id, p_market_id, p_outcome, p_order_id, f.maker_order_id, p_taker_id, f.maker_id,
           f.kind, p_side, p_position, f.price_bps, f.size_lots, p_fee_bps, p_maker_rebate_bps,
           f.rebate_micros, p_now
    from unnest(p_fills) as f;

    update public.orders as o set
        filled_lots = o.filled_lots + f.size_lots,
        remaining_lots = f.maker_left_lots,
        status = case when f.maker_left_lots = 0 then 'filled' else 'partial' end,
        is_open = f.maker_left_lots > 0,
        updated_at = p_now
    from unnest(p_fills) as f
    where o.id = f.maker_order_id;

    select count(distinct f.maker_id) into v_new
    from unnest(p_fills) as f
    where f.maker_side = 'BUY' and not exists (
        select from public.positions as p
        where p.market_id = p_market_id and p.user_id = f.maker_id);

    insert into public.positions as p
        (market_id, user_id, outcome, position, held_lots, cost_micros, realised_micros, updated_at)
    select p_market_id, f.maker_id, p_outcome, f.maker_position, sum(f.size_lots),
           sum(f.size_lots * f.maker_price_bps), sum(f.rebate_micros), p_now
    from unnest(p_fills) as f
    where f.maker_side = 'BUY'
    group by f.maker_id, f.maker_position
    on conflict (market_id, user_id, outcome, position) do update set
        held_lots = p.held_lots + excluded.held_lots,
        cost_micros = p.cost_micros + excluded.cost_micros,
        realised_micros = p.realised_micros + excluded.realised_micros,
        updated_at = excluded.updated_at;

    update public.positions as p set
        held_lots = p.held_lots - s.lots,
        locked_lots = p.locked_lots - s.lots,
        cost_micros = p.cost_micros - div(p.cost_micros::numeric * s.lots, p.held_lots),
        realised_micros = p.realised_micros + s.amount + s.rebate
            - div(p.cost_micros::numeric * s.lots, p.held_lots),
        updated_at = p_now
    from (
        select f.maker_id, f.maker_position, sum(f.size_lots)::bigint as lots,
               sum(f.size_lots * f.maker_price_bps)::bigint as amount,
               sum(f.rebate_micros)::bigint as rebate
        from unnest(p_fills) as f
        where f.maker_side = 'SELL'
        group by f.maker_id, f.maker_position
    ) as s
    where p.market_id = p_market_id and p.user_id = s.maker_id and p.outcome = p_outcome
      and p.position = s.maker_position;
    return v_new;
end;
$$;
revoke execute on function public.write_many_fills(
    public.fill_draft[], uuid, smallint, uuid, uuid, text, text, integer, integer, timestamptz
) from public;
