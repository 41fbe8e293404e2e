-- Why: writes matched orders of one taker, one or twenty, in any number of markets, with one
-- statement a table whatever the number of fills. The caller holds the locks of the markets and of
-- all accounts in the drafts, and has judged the money; shares are judged here, since they cannot
-- change under the markets' locks: PR402 when a sale's are not there. An aggregated sale takes the
-- same cost out as its parts, but for dust between cost and realised.
-- No sequential scans: the planner takes any array for ten rows and would read all of a small table
-- instead. Answers the number of orders.
create or replace function public.write_orders(
    p_orders public.order_draft[], p_taker_id uuid, p_now timestamptz
) returns integer
language plpgsql volatile set search_path = '' set enable_seqscan = off
as $$
declare
    v_traders integer;
    v_ids     uuid[];
begin
    -- The taker's sales first: what the batch buys does not fund what it sells.
    if exists (select from unnest(p_orders) as o where o.side = 'SELL') then
        update public.positions as p set
            held_lots = p.held_lots - s.filled,
            locked_lots = p.locked_lots + s.rest,
            cost_micros = p.cost_micros - div(p.cost_micros::numeric * s.filled, p.held_lots),
            realised_micros = p.realised_micros + s.gain
                - div(p.cost_micros::numeric * s.filled, p.held_lots),
            updated_at = p_now
        from (
            select o.market_id, o.outcome, o.position, sum(o.filled_lots)::bigint as filled,
                   sum(o.rest_lots)::bigint as rest, sum(o.size_lots) as size,
                   sum(o.cost_micros - o.fee_micros)::bigint as gain
            from unnest(p_orders) as o
            where o.side = 'SELL'
            group by o.market_id, o.outcome, o.position
        ) as s
        where p.market_id = s.market_id and p.user_id = p_taker_id and p.outcome = s.outcome
          and p.position = s.position
          and p.held_lots - p.locked_lots >= case when cardinality(p_orders) = 1 then s.size
                                                  else s.filled + s.rest end;
        if not found then
            raise exception using errcode = 'PR402',
                message = 'the available shares do not cover this order';
        end if;
    end if;

    insert into public.orders (
        id, user_id, account_id, market_id, outcome, position, side, type, price_bps, size_lots,
        amount_micros, post_only, self_trade_prevention, client_order_id, request_hash,
        expires_at, book_side, book_price_bps, status, is_open, filled_lots, remaining_lots,
        placed_status, placed_filled_lots, placed_cost_micros, fee_micros, created_at, updated_at
    )
    select o.order_id, p_taker_id, o.account_id, o.market_id, o.outcome, o.position, o.side,
           o.type, o.price_bps, o.size_lots, o.amount_micros, o.post_only,
           o.self_trade_prevention, o.client_order_id, o.request_hash, o.expires_at,
           case when o.is_bid then 'bid' else 'ask' end, o.book_price_bps, o.status,
           o.rest_lots > 0, o.filled_lots, o.rest_lots, o.status, o.filled_lots, o.cost_micros,
           o.fee_micros, p_now, p_now
    from unnest(p_orders) as o;

    v_ids := array(select i from unnest(p_orders) as o cross join lateral unnest(o.dropped) as i);
    if cardinality(v_ids) > 0 then
        perform public.release_orders(v_ids, 'cancelled', p_now);
    end if;
    v_ids := array(select i from unnest(p_orders) as o cross join lateral unnest(o.expired) as i);
    if cardinality(v_ids) > 0 then
        perform public.release_orders(v_ids, 'expired', p_now);
    end if;

    with moved as (
        insert into public.transfers
            (debit_account, credit_account, amount_micros, kind, reference, market_id, created_at)
        select t.debit_account, t.credit_account, sum(t.amount_micros), t.kind, o.order_id,
               o.market_id, p_now
        from unnest(p_orders) as o
        cross join lateral unnest(o.transfers) as t
        group by o.order_id, o.market_id, t.debit_account, t.credit_account, t.kind
        returning debit_account, credit_account, amount_micros
    )
    update public.accounts as a set balance_micros = a.balance_micros + s.delta
    from (
        select d.account, sum(d.delta)::bigint as delta
        from (
            select m.debit_account as account, -m.amount_micros as delta from moved as m
            union all
            select m.credit_account, m.amount_micros from moved as m
        ) as d
        group by d.account
    ) as s
    where a.id = s.account and s.delta <> 0;

    if exists (select from unnest(p_orders) as o where o.filled_lots > 0) then
        v_traders := public.write_trades(p_orders, p_taker_id, p_now);
    end if;

    insert into public.outbox (topic, market_id, payload, created_at)
    select 'order', o.market_id, jsonb_build_object(
        'order', jsonb_build_object(
            'order_id', o.order_id, 'user_id', p_taker_id, 'outcome', o.outcome,
            'position', o.position, 'side', o.side, 'price_bps', o.price_bps,
            'size_lots', o.size_lots, 'status', o.status, 'filled_lots', o.filled_lots,
            'remaining_lots', o.rest_lots, 'client_order_id', o.client_order_id),
        'fills', coalesce((
            select jsonb_agg(jsonb_build_object(
                'fill_id', f.fill_id, 'maker_order_id', f.maker_order_id,
                'maker_id', f.maker_id, 'price_bps', f.price_bps, 'size_lots', f.size_lots,
                'kind', f.kind, 'maker_remaining_lots', f.maker_left_lots))
            from unnest(o.fills) as f), '[]'::jsonb)), p_now
    from unnest(p_orders) as o;
    return cardinality(p_orders);
end;
$$;
revoke execute on function public.write_orders(public.order_draft[], uuid, timestamptz) from public;
