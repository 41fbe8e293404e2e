-- Why one function: the market's lock is held from the first line to the commit, so the match, its
-- money and its record are one round trip, and no caller can do half of it. Definer, because a
-- match writes other people's rows; the actor comes from presage.user_id, never from an argument.
--
-- Order of things: lock the market (that serialises all its books); answer a repeated client order
-- id; judge the order; walk the book without writing; lock every account touched in one statement
-- by id; judge the funds; write. The order's row is written once, in its final state; all money of
-- the order is summed in v_deltas and reaches the accounts in one statement, the transfers in
-- another. FOR NO KEY UPDATE, so that foreign keys never wait. Functions are called in assignments
-- and not by PERFORM: an assignment is an expression, PERFORM a statement of its own.
--
-- p_price_bps is the limit in the order's own position; p_amount_micros (FOK or FAK buy, instead of
-- p_size_lots) includes fees, and lots are rounded down. Availability is judged before anything the
-- sweep itself releases: an order never funds its own replacement.
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
    c_max_fills constant integer := 1000;
    c_scale     constant numeric := 100000000;  -- fees are computed in 1e-8 micros, exactly
    v_actor     uuid := nullif(current_setting('presage.user_id', true), '')::uuid;
    v_now       timestamptz := case
        when current_setting('presage.clock', true) = 'replay' then p_now
        else greatest(p_now, clock_timestamp()) end;
    v_market    record;
    v_first     record;
    v_book      refcursor;
    v_maker     record;
    v_fill      public.fill_draft;
    v_fills     public.fill_draft[] := '{}';
    v_count     integer := 0;
    v_bid       boolean := (p_side = 'BUY') = (p_position = 'YES');
    v_limit_bps integer := case p_position when 'NO' then 10000 - p_price_bps else p_price_bps end;
    v_left      bigint := p_size_lots;
    v_budget    numeric := p_amount_micros * c_scale;
    v_unit      numeric;
    v_lots      bigint;
    v_own_bps   integer;
    v_last_bps  integer;
    v_stopped   boolean := false;
    v_dropped   uuid[] := '{}';
    v_expired   uuid[] := '{}';
    v_available bigint;
    v_need      numeric;
    v_filled    bigint := 0;
    v_cost      bigint := 0;  -- lots x price in the taker's own terms
    v_volume    bigint := 0;  -- lots x price in YES terms
    v_weight    bigint := 0;  -- lots x p x (1 - p): what the fee is taken on
    v_fee       bigint := 0;
    v_to_sellers   bigint := 0;  -- TRANSFER, taker buys: cash -> makers
    v_from_buyers  bigint := 0;  -- TRANSFER, taker sells: market:orders -> cash
    v_mint_taker   bigint := 0;  -- MINT: cash -> escrow
    v_mint_makers  bigint := 0;  -- MINT: market:orders -> escrow
    v_merge_taker  bigint := 0;  -- MERGE: escrow -> cash
    v_merge_makers bigint := 0;  -- MERGE: escrow -> makers
    v_rebates      bigint := 0;
    v_rest         bigint := 0;
    v_held_micros  bigint := 0;  -- what the resting remainder of a buy holds
    v_ids       bigint[];        -- accounts touched, the taker's first
    v_deltas    bigint[];        -- what each of them gains
    v_place     integer;
    v_amount    bigint;
    v_transfers public.transfer_draft[] := '{}';
    v_status    text;
    v_size      bigint;
    v_new       integer := 0;
    v_field     text;
    v_result    jsonb[] := '{}';
    v_told      jsonb[] := '{}';
begin
    if v_actor is null then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    select m.venue, m.state, m.trading_status, m.tick_size_bps, m.min_size_lots, m.fee_bps,
           m.maker_rebate_bps, m.opens_at, m.closes_at, l.orders_account, l.escrow_account,
           l.fees_account, u.closed_only, a.id as cash_account, c.outcome
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

    v_field := public.misfit_of_order(p_position, p_side, p_type, p_price_bps, p_size_lots,
        p_amount_micros, p_post_only, p_self_trade_prevention, p_client_order_id, p_expires_at,
        v_market.tick_size_bps, v_market.min_size_lots, v_market.fee_bps, v_now);
    if v_field is null and v_market.outcome is null then
        v_field := 'outcome';
    end if;
    if v_field is not null then
        raise exception using errcode = 'PR400', column = v_field, message = case v_field
            when 'price' then format('price is a multiple of %s between 0 and 1',
                trim_scale(v_market.tick_size_bps / 10000.0))
            when 'size' then format('size is at least %s shares, at most a thousand million',
                trim_scale(v_market.min_size_lots / 100.0))
            when 'amount' then 'amount stands instead of size in a FOK or FAK buy; it buys at least '
                'the smallest size at the limit'
            when 'post_only' then 'an order that may not rest cannot be post-only'
            when 'expiration' then 'a GTD order, and no other, ends at least 60 seconds from now'
            when 'outcome' then 'the market has no such outcome'
            else format('%s is not one that orders know', v_field) end;
    end if;
    v_status := public.why_not_trading(v_market.venue, v_market.state, v_market.trading_status,
        v_market.opens_at, v_market.closes_at, p_post_only, v_now);
    if v_status is not null then
        raise exception using errcode = 'PR410', message = v_status;
    elsif v_market.closed_only is null then
        raise exception using errcode = 'PR401', message = 'there is no such user';
    elsif v_market.closed_only and p_side = 'BUY' then
        raise exception using errcode = 'PR403', message = 'this account may only sell and cancel';
    end if;

    -- The sweep: only reads.
    if v_bid then
        open v_book for
            select o.id, o.user_id, o.account_id, o.side, o.position, o.price_bps,
                   o.book_price_bps, o.remaining_lots, o.expires_at
            from public.orders as o
            where o.market_id = p_market_id and o.outcome = p_outcome and o.is_open
              and o.book_side = 'ask' and o.book_price_bps <= v_limit_bps
            order by o.book_price_bps, o.seq;
    else
        open v_book for
            select o.id, o.user_id, o.account_id, o.side, o.position, o.price_bps,
                   o.book_price_bps, o.remaining_lots, o.expires_at
            from public.orders as o
            where o.market_id = p_market_id and o.outcome = p_outcome and o.is_open
              and o.book_side = 'bid' and o.book_price_bps >= v_limit_bps
            order by o.book_price_bps desc, o.seq;
    end if;
    v_ids := array[v_market.cash_account];
    while v_left is null or v_left > 0 loop
        fetch v_book into v_maker;
        exit when not found;
        if v_count + cardinality(v_dropped) + cardinality(v_expired) >= c_max_fills then
            raise exception using errcode = 'PR422',
                message = format('the order meets more than %s resting orders', c_max_fills);
        end if;
        if v_maker.expires_at <= v_now then
            v_expired := v_expired || v_maker.id;
            v_ids := v_ids || v_maker.account_id;
            continue;
        end if;
        if p_post_only then
            raise exception using errcode = 'PR422',
                message = 'a post-only order may not cross the book';
        end if;
        if v_maker.user_id = v_actor then
            if p_self_trade_prevention <> 'cancel_taker' then
                v_dropped := v_dropped || v_maker.id;
            end if;
            v_stopped := p_self_trade_prevention <> 'cancel_maker';
            exit when v_stopped;
            continue;
        end if;
        v_own_bps := case p_position when 'YES' then v_maker.book_price_bps
                                     else 10000 - v_maker.book_price_bps end;
        if v_budget is null then
            v_lots := least(v_left, v_maker.remaining_lots);
            v_left := v_left - v_lots;
        else
            -- ceil(fee) fits a whole number of micros exactly when the fee itself does.
            v_unit := v_own_bps * c_scale
                + v_own_bps * (10000 - v_own_bps) * v_market.fee_bps::numeric;
            v_lots := least(v_maker.remaining_lots, div(v_budget, v_unit));
            exit when v_lots = 0;
            v_budget := v_budget - v_lots * v_unit;
        end if;
        v_count := v_count + 1;
        v_last_bps := v_maker.book_price_bps;
        v_filled := v_filled + v_lots;
        v_cost := v_cost + v_lots * v_own_bps;
        v_volume := v_volume + v_lots * v_last_bps;
        v_weight := v_weight + v_lots * v_own_bps * (10000 - v_own_bps);
        if p_side = 'BUY' and v_maker.side = 'SELL' then
            v_to_sellers := v_to_sellers + v_lots * v_own_bps;
        elsif p_side = 'BUY' then
            v_mint_taker := v_mint_taker + v_lots * v_own_bps;
            v_mint_makers := v_mint_makers + v_lots * v_maker.price_bps;
        elsif v_maker.side = 'BUY' then
            v_from_buyers := v_from_buyers + v_lots * v_own_bps;
        else
            v_merge_taker := v_merge_taker + v_lots * v_own_bps;
            v_merge_makers := v_merge_makers + v_lots * v_maker.price_bps;
        end if;
        v_fills := v_fills || row(
            nextval('public.fill_ids'), v_maker.id, v_maker.user_id, v_maker.account_id,
            v_maker.side, v_maker.position, v_maker.price_bps, v_maker.remaining_lots - v_lots,
            v_maker.book_price_bps, v_lots,
            case when p_side = v_maker.side then case p_side when 'BUY' then 'MINT' else 'MERGE' end
                 else 'TRANSFER' end,
            0)::public.fill_draft;
    end loop;
    close v_book;

    -- What is left: nothing, a rest in the book, or a cancelled remainder.
    v_size := p_size_lots;
    if v_budget is not null then
        v_size := v_filled;
        v_unit := p_price_bps * c_scale
            + p_price_bps * (10000 - p_price_bps) * v_market.fee_bps::numeric;
        v_left := div(v_budget, v_unit);
    end if;
    if v_left = 0 then
        v_status := 'filled';
    elsif p_type = 'FOK' then
        raise exception using errcode = 'PR422', message = 'the order cannot be filled entirely';
    elsif v_stopped or p_type = 'FAK' then
        v_status := 'cancelled';
    else
        v_rest := v_left;
        v_status := case when v_filled > 0 then 'partial' else 'open' end;
        v_held_micros := case p_side when 'BUY' then v_rest * p_price_bps else 0 end;
    end if;
    if v_weight > 0 and v_market.fee_bps > 0 then
        v_fee := ceil(v_weight::numeric * v_market.fee_bps / c_scale);
    end if;

    -- The money: what every account gains and why, makers first, then the taker and the house.
    v_deltas := array_fill(0::bigint, array[cardinality(v_ids)]);
    for i in 1..v_count loop
        v_fill := v_fills[i];
        v_amount := 0;
        if v_fill.maker_side = 'SELL' then
            v_amount := v_fill.size_lots * v_fill.maker_price_bps;
            v_transfers := v_transfers || row(
                case v_fill.kind when 'MERGE' then v_market.escrow_account
                                 else v_market.cash_account end,
                v_fill.maker_account, v_amount, lower(v_fill.kind))::public.transfer_draft;
        end if;
        if v_fee > 0 and v_market.maker_rebate_bps > 0 then  -- the dust stays with the platform
            v_fill.rebate_micros := div(
                v_fee::numeric * v_market.maker_rebate_bps * v_fill.size_lots
                    * v_fill.price_bps * (10000 - v_fill.price_bps),
                v_weight::numeric * 10000);
            if v_fill.rebate_micros > 0 then
                v_fills[i].rebate_micros := v_fill.rebate_micros;
                v_rebates := v_rebates + v_fill.rebate_micros;
                v_amount := v_amount + v_fill.rebate_micros;
                v_transfers := v_transfers || row(v_market.fees_account, v_fill.maker_account,
                    v_fill.rebate_micros, 'rebate')::public.transfer_draft;
            end if;
        end if;
        if v_amount > 0 then
            v_place := array_position(v_ids, v_fill.maker_account);
            if v_place is null then
                v_ids := v_ids || v_fill.maker_account;
                v_deltas := v_deltas || v_amount;
            else
                v_deltas[v_place] := v_deltas[v_place] + v_amount;
            end if;
        end if;
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
    v_deltas[1] := v_merge_taker + v_from_buyers - v_mint_taker - v_to_sellers - v_fee
        - v_held_micros;
    v_amount := v_held_micros - v_mint_makers - v_from_buyers;
    if v_amount <> 0 or cardinality(v_dropped) + cardinality(v_expired) > 0 then
        v_ids := v_ids || v_market.orders_account;
        v_deltas := v_deltas || v_amount;
    end if;
    if v_count > 0 then
        v_ids := v_ids || v_market.escrow_account || v_market.fees_account;
        v_deltas := v_deltas || (v_mint_taker + v_mint_makers - v_merge_taker - v_merge_makers)
            || (v_fee - v_rebates);
    end if;

    -- Every account touched, by id, before any write; the taker's balance comes with the locks.
    select max(s.balance_micros) filter (where s.id = v_market.cash_account) into v_available
    from (
        select a.id, a.balance_micros from public.accounts as a
        where a.id = any (v_ids)
        order by a.id
        for no key update
    ) as s;
    if p_side = 'BUY' then
        if p_amount_micros is not null then
            v_need := p_amount_micros;
        else
            v_need := p_size_lots * p_price_bps;
            if v_filled > 0 and v_market.fee_bps > 0 then
                v_need := v_need + ceil(
                    v_need * (10000 - p_price_bps) * v_market.fee_bps / c_scale);
            end if;
        end if;
        if v_available is null or v_available < v_need then
            raise exception using errcode = 'PR402',
                message = 'the available balance does not cover this order';
        end if;
    else
        update public.positions as p set
            held_lots = p.held_lots - v_filled,
            locked_lots = p.locked_lots + v_rest,
            cost_micros = p.cost_micros - div(p.cost_micros::numeric * v_filled, p.held_lots),
            realised_micros = p.realised_micros + v_cost - v_fee
                - div(p.cost_micros::numeric * v_filled, p.held_lots),
            updated_at = v_now
        where p.market_id = p_market_id and p.user_id = v_actor and p.outcome = p_outcome
          and p.position = p_position and p.held_lots - p.locked_lots >= p_size_lots;
        if not found then
            raise exception using errcode = 'PR402',
                message = 'the available shares do not cover this order';
        end if;
    end if;

    -- From here on everything is written.
    insert into public.orders (
        id, user_id, account_id, market_id, outcome, position, side, type, price_bps, size_lots,
        amount_micros, post_only, self_trade_prevention, client_order_id, request_hash, expires_at,
        book_side, book_price_bps, status, is_open, filled_lots, remaining_lots, placed_status,
        placed_filled_lots, placed_cost_micros, fee_micros, created_at, updated_at
    ) values (
        p_order_id, v_actor, v_market.cash_account, p_market_id, p_outcome, p_position, p_side,
        p_type, p_price_bps, v_size, p_amount_micros, coalesce(p_post_only, false),
        p_self_trade_prevention, p_client_order_id,
        case when p_client_order_id is not null then p_request_hash end, p_expires_at,
        case when v_bid then 'bid' else 'ask' end, v_limit_bps, v_status, v_rest > 0, v_filled,
        v_rest, v_status, v_filled, v_cost, v_fee, v_now, v_now
    );
    if cardinality(v_dropped) > 0 then
        perform public.release_orders(v_dropped, 'cancelled', v_now);
    end if;
    if cardinality(v_expired) > 0 then
        perform public.release_orders(v_expired, 'expired', v_now);
    end if;

    if v_mint_taker > 0 then
        v_transfers := v_transfers
            || row(v_market.cash_account, v_market.escrow_account, v_mint_taker,
                   'mint')::public.transfer_draft
            || row(v_market.orders_account, v_market.escrow_account, v_mint_makers,
                   'mint')::public.transfer_draft;
    end if;
    if v_merge_taker > 0 then
        v_transfers := v_transfers
            || row(v_market.escrow_account, v_market.cash_account, v_merge_taker,
                   'merge')::public.transfer_draft;
    end if;
    if v_from_buyers > 0 then
        v_transfers := v_transfers
            || row(v_market.orders_account, v_market.cash_account, v_from_buyers,
                   'transfer')::public.transfer_draft;
    end if;
    if v_fee > 0 then
        v_transfers := v_transfers
            || row(v_market.cash_account, v_market.fees_account, v_fee,
                   'fee')::public.transfer_draft;
    end if;
    if v_held_micros > 0 then
        v_transfers := v_transfers
            || row(v_market.cash_account, v_market.orders_account, v_held_micros,
                   'order')::public.transfer_draft;
    end if;
    if cardinality(v_transfers) > 0 then
        insert into public.transfers
            (debit_account, credit_account, amount_micros, kind, reference, market_id, created_at)
        select t.debit_account, t.credit_account, sum(t.amount_micros), t.kind, p_order_id,
               p_market_id, v_now
        from unnest(v_transfers) as t
        group by t.debit_account, t.credit_account, t.kind;
        update public.accounts as a set
            balance_micros = a.balance_micros + v_deltas[array_position(v_ids, a.id)]
        where a.id = any (v_ids) and v_deltas[array_position(v_ids, a.id)] <> 0;
    end if;

    if v_count > 0 then
        if p_side = 'BUY' then
            v_new := public.add_shares(p_market_id, v_actor, p_outcome, p_position, v_filled,
                v_cost, -v_fee, v_now);
        end if;
        if v_count <= 3 then
            v_new := v_new + public.write_fills(v_fills, p_market_id, p_outcome, p_order_id,
                v_actor, p_side, p_position, v_market.fee_bps, v_market.maker_rebate_bps, v_now);
        else
            v_new := v_new + public.write_many_fills(v_fills, p_market_id, p_outcome, p_order_id,
                v_actor, p_side, p_position, v_market.fee_bps, v_market.maker_rebate_bps, v_now);
        end if;
        v_new := public.record_trades(p_market_id, p_outcome, v_fills[1].price_bps, v_last_bps,
            v_volume, v_filled, v_count, v_new, v_now);
    end if;

    insert into public.outbox (topic, market_id, payload, created_at)
    values ('order', p_market_id, jsonb_build_object(
        'order', jsonb_build_object(
            'order_id', p_order_id, 'user_id', v_actor, 'outcome', p_outcome,
            'position', p_position, 'side', p_side, 'price_bps', p_price_bps, 'size_lots', v_size,
            'status', v_status, 'filled_lots', v_filled, 'remaining_lots', v_rest,
            'client_order_id', p_client_order_id),
        'fills', to_jsonb(v_told)), v_now);
    return query select p_order_id, v_status, v_size, v_filled, v_rest, v_cost, v_fee,
        round(v_cost::numeric / nullif(v_filled, 0), 4), to_jsonb(v_result), v_now, false;
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
