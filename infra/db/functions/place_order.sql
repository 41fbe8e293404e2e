-- Why one function: the market's lock is held from the first line to the commit, so the match, its
-- money and its record are one round trip, and no caller can do half of it. Definer, because a
-- match writes other people's rows; the actor comes from presage.user_id, never from an argument.
--
-- Order of things: lock the market (that serialises all its books); answer a repeated client order
-- id; let match_order judge the order and walk the book without writing; lock every account touched
-- in one statement by id; judge the funds; write. The order's row is written once, in its final
-- state; all its money reaches the accounts in one statement, the transfers in another. FOR NO KEY
-- UPDATE, so that foreign keys never wait. Functions are called in assignments and not by PERFORM:
-- an assignment is an expression, PERFORM a statement of its own.
--
-- p_price_bps is the limit in the order's own position; p_amount_micros (FOK or FAK buy, instead of
-- p_size_lots) includes fees, and lots are rounded down; p_expires_at belongs to GTD. Availability
-- is judged before anything the sweep itself releases: an order never funds its own replacement.
-- Raises PR400 (field in `column`), PR401, PR402, PR403, PR404, PR410, PR411, PR422.
create or replace function public.place_order(
    p_market_id uuid, p_outcome smallint, p_position text, p_side text, p_type text,
    p_price_bps integer, p_size_lots bigint, p_amount_micros bigint, p_post_only boolean,
    p_self_trade_prevention text, p_client_order_id text, p_request_hash bytea, p_order_id uuid,
    p_now timestamptz, p_expires_at timestamptz default null
) returns table (
    order_id uuid, status text, size_lots bigint, filled_lots bigint, remaining_lots bigint,
    cost_micros bigint, fee_micros bigint, average_price_bps numeric, fills jsonb,
    created_at timestamptz, replayed boolean
)
language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
    v_actor     uuid := nullif(current_setting('presage.user_id', true), '')::uuid;
    v_now       timestamptz;
    v_market    public.market_terms;
    v_first     record;
    v_order     public.order_draft;
    v_available bigint;
    v_ids       bigint[];  -- accounts locked
    v_deltas    bigint[];  -- what each of them gains
    v_transfer  public.transfer_draft;
    v_fill      public.fill_draft;
    v_fills     public.fill_draft[];
    v_count     integer;
    v_place     integer;
    v_new       integer := 0;
    v_result    jsonb[] := '{}';
    v_told      jsonb[] := '{}';
begin
    if v_actor is null then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    select m.id, m.venue, m.state, m.trading_status, m.tick_size_bps, m.min_size_lots, m.fee_bps,
           m.maker_rebate_bps, m.opens_at, m.closes_at, l.orders_account, l.escrow_account,
           l.fees_account, u.closed_only, a.id, array[c.outcome]
    into v_market
    from public.markets as m
    join public.market_ledgers as l on l.market_id = m.id
    left join public.users as u on u.id = v_actor
    left join public.accounts as a on a.user_id = v_actor
    left join public.outcomes as c on c.market_id = m.id and c.outcome = p_outcome
    where m.id = p_market_id
    for no key update of m;
    if not found then
        raise exception using errcode = 'PR404', message = 'there is no such market';
    end if;
    v_now := case  -- effective_now, after the wait for the lock
        when current_setting('presage.clock', true) = 'replay' then p_now
        else greatest(p_now, clock_timestamp()) end;

    if p_client_order_id is not null then
        select o.id, o.request_hash into v_first
        from public.orders as o
        where o.user_id = v_actor and o.client_order_id = p_client_order_id;
        if found then
            if v_first.request_hash is distinct from p_request_hash then
                raise exception using errcode = 'PR411', column = 'client_order_id',
                    message = 'this client order id was used with another order';
            end if;
            return query select * from public.replayed_order(v_first.id);
            return;
        end if;
    end if;
    if v_market.closed_only is null then
        raise exception using errcode = 'PR401', message = 'there is no such user';
    end if;

    v_order.order_id := p_order_id;
    v_order.market_id := p_market_id;
    v_order.outcome := p_outcome;
    v_order.position := p_position;
    v_order.side := p_side;
    v_order.type := p_type;
    v_order.price_bps := p_price_bps;
    v_order.size_lots := p_size_lots;
    v_order.amount_micros := p_amount_micros;
    v_order.post_only := coalesce(p_post_only, false);
    v_order.self_trade_prevention := p_self_trade_prevention;
    v_order.client_order_id := p_client_order_id;
    v_order.request_hash := case when p_client_order_id is not null then p_request_hash end;
    v_order.expires_at := p_expires_at;
    v_order := public.match_order(v_order, v_market, v_actor, null, null, null, v_now);

    -- Every account touched, by id, before any write; the taker's balance comes with the locks.
    select max(s.balance_micros) filter (where s.id = v_order.account_id), array_agg(s.id)
    into v_available, v_ids
    from (
        select a.id, a.balance_micros from public.accounts as a
        where a.id = any (v_order.accounts)
        order by a.id
        for no key update
    ) as s;
    if v_order.need_micros > 0 and (v_available >= v_order.need_micros) is not true then
        raise exception using errcode = 'PR402',
            message = 'the available balance does not cover this order';
    end if;
    v_fills := v_order.fills;
    v_count := cardinality(v_fills);

    if v_count > 3 then  -- 14 us a fill against 42
        v_new := public.write_orders(array[v_order], v_actor, v_now);
    else
        if p_side = 'SELL' then
            update public.positions as p set
                held_lots = p.held_lots - v_order.filled_lots,
                locked_lots = p.locked_lots + v_order.rest_lots,
                cost_micros = p.cost_micros
                    - div(p.cost_micros::numeric * v_order.filled_lots, p.held_lots),
                realised_micros = p.realised_micros + v_order.cost_micros - v_order.fee_micros
                    - div(p.cost_micros::numeric * v_order.filled_lots, p.held_lots),
                updated_at = v_now
            where p.market_id = p_market_id and p.user_id = v_actor and p.outcome = p_outcome
              and p.position = p_position and p.held_lots - p.locked_lots >= p_size_lots;
            if not found then
                raise exception using errcode = 'PR402',
                    message = 'the available shares do not cover this order';
            end if;
        end if;
        insert into public.orders (
            id, user_id, account_id, market_id, outcome, position, side, type, price_bps, size_lots,
            amount_micros, post_only, self_trade_prevention, client_order_id, request_hash,
            expires_at, book_side, book_price_bps, status, is_open, filled_lots, remaining_lots,
            placed_status, placed_filled_lots, placed_cost_micros, fee_micros, created_at,
            updated_at
        ) values (
            p_order_id, v_actor, v_order.account_id, p_market_id, p_outcome, p_position, p_side,
            p_type, p_price_bps, v_order.size_lots, p_amount_micros, v_order.post_only,
            p_self_trade_prevention, p_client_order_id, v_order.request_hash, p_expires_at,
            case when v_order.is_bid then 'bid' else 'ask' end, v_order.book_price_bps,
            v_order.status, v_order.rest_lots > 0, v_order.filled_lots, v_order.rest_lots,
            v_order.status, v_order.filled_lots, v_order.cost_micros, v_order.fee_micros, v_now,
            v_now
        );
        if cardinality(v_order.dropped) > 0 then
            perform public.release_orders(v_order.dropped, 'cancelled', v_now);
        end if;
        if cardinality(v_order.expired) > 0 then
            perform public.release_orders(v_order.expired, 'expired', v_now);
        end if;
        if cardinality(v_order.transfers) > 0 then
            insert into public.transfers
                (debit_account, credit_account, amount_micros, kind, reference, market_id, created_at)
            select t.debit_account, t.credit_account, sum(t.amount_micros), t.kind, p_order_id,
                   p_market_id, v_now
            from unnest(v_order.transfers) as t
            group by t.debit_account, t.credit_account, t.kind;
            v_deltas := array_fill(0::bigint, array[cardinality(v_ids)]);
            foreach v_transfer in array v_order.transfers loop
                v_place := array_position(v_ids, v_transfer.debit_account);
                v_deltas[v_place] := v_deltas[v_place] - v_transfer.amount_micros;
                v_place := array_position(v_ids, v_transfer.credit_account);
                v_deltas[v_place] := v_deltas[v_place] + v_transfer.amount_micros;
            end loop;
            update public.accounts as a set
                balance_micros = a.balance_micros + v_deltas[array_position(v_ids, a.id)]
            where a.id = any (v_ids) and v_deltas[array_position(v_ids, a.id)] <> 0;
        end if;
        if v_count > 0 then
            if p_side = 'BUY' then
                v_new := public.add_shares(p_market_id, v_actor, p_outcome, p_position,
                    v_order.filled_lots, v_order.cost_micros, -v_order.fee_micros, v_now);
            end if;
            v_new := v_new + public.write_fills(v_fills, p_market_id, p_outcome, p_order_id,
                v_actor, p_side, p_position, v_order.fee_bps, v_order.maker_rebate_bps, v_now);
            v_new := public.record_trades(p_market_id, p_outcome, v_fills[1].price_bps,
                v_order.last_bps, v_order.volume_micros, v_order.filled_lots, v_count, v_new,
                v_now);
        end if;
    end if;

    foreach v_fill in array v_fills loop
        v_result := v_result || jsonb_build_object(
            'fill_id', v_fill.fill_id,
            'price_bps', case p_position when 'YES' then v_fill.price_bps
                                         else 10000 - v_fill.price_bps end,
            'size_lots', v_fill.size_lots, 'kind', v_fill.kind);
        v_told := v_told || jsonb_build_object(
            'fill_id', v_fill.fill_id, 'maker_order_id', v_fill.maker_order_id,
            'maker_id', v_fill.maker_id, 'price_bps', v_fill.price_bps,
            'size_lots', v_fill.size_lots, 'kind', v_fill.kind,
            'maker_remaining_lots', v_fill.maker_left_lots);
    end loop;
    if v_count <= 3 then
        insert into public.outbox (topic, market_id, payload, created_at)
        values ('order', p_market_id, jsonb_build_object(
            'order', jsonb_build_object(
                'order_id', p_order_id, 'user_id', v_actor, 'outcome', p_outcome,
                'position', p_position, 'side', p_side, 'price_bps', p_price_bps,
                'size_lots', v_order.size_lots, 'status', v_order.status,
                'filled_lots', v_order.filled_lots, 'remaining_lots', v_order.rest_lots,
                'client_order_id', p_client_order_id),
            'fills', to_jsonb(v_told)), v_now);
    end if;
    return query select p_order_id, v_order.status, v_order.size_lots, v_order.filled_lots,
        v_order.rest_lots, v_order.cost_micros, v_order.fee_micros,
        round(v_order.cost_micros::numeric / nullif(v_order.filled_lots, 0), 4),
        to_jsonb(v_result), v_now, false;
end;
$$;
revoke execute on function public.place_order(
    uuid, smallint, text, text, text, integer, bigint, bigint, boolean, text, text, bytea, uuid,
    timestamptz, timestamptz
) from public;
grant execute on function public.place_order(
    uuid, smallint, text, text, text, integer, bigint, bigint, boolean, text, text, bytea, uuid,
    timestamptz, timestamptz
) to presage_api;
