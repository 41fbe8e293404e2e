-- Why: the one matcher, for single orders and batches. Judges an order by itself and its market,
-- walks the book, and answers the order as it would be written; it only reads, so that funds can
-- be judged and all accounts locked in one statement before anything is written. The caller holds
-- the market's lock.
--
-- In a batch p_met and p_left say what earlier orders left of the makers they met, and p_ahead_bps
-- is the best price, in YES terms, of an earlier order of the batch that this one crosses: it is
-- the same owner's, and self-trade prevention may stop this order but not cancel that one.
-- Raises PR400 (field in `column`), PR403, PR410, PR422.
create or replace function public.match_order(
    p_order public.order_draft, p_market public.market_terms, p_actor uuid,
    p_met uuid[], p_left bigint[], p_ahead_bps integer, p_now timestamptz
) returns public.order_draft
language plpgsql volatile set search_path = ''
as $$
#variable_conflict use_column
declare
    c_max_fills constant integer := 1000;
    c_scale     constant numeric := 100000000;  -- fees are computed in 1e-8 micros, exactly
    v_side      text := p_order.side;
    v_yes       boolean := p_order.position = 'YES';
    v_bid       boolean := (v_side = 'BUY') = v_yes;
    v_price_bps integer := p_order.price_bps;
    v_limit_bps integer := case when v_yes then v_price_bps else 10000 - v_price_bps end;
    v_fee_bps   integer := p_market.fee_bps;
    v_cash      bigint := p_market.cash_account;
    v_escrow    bigint := p_market.escrow_account;
    v_orders    bigint := p_market.orders_account;
    v_field     text;
    v_reason    text;
    v_book      refcursor;
    v_maker     record;
    v_met       boolean;
    v_place     integer;
    v_fill      public.fill_draft;
    v_fills     public.fill_draft[] := '{}';
    v_transfers public.transfer_draft[] := '{}';
    v_accounts  bigint[];
    v_dropped   uuid[] := '{}';
    v_expired   uuid[] := '{}';
    v_count     integer := 0;
    v_passed    integer := 0;
    v_left      bigint := p_order.size_lots;
    v_budget    numeric := p_order.amount_micros * c_scale;
    v_unit      numeric;
    v_lots      bigint;
    v_own_bps   integer;
    v_last_bps  integer;
    v_stopped   boolean := false;
    v_filled    bigint := 0;
    v_cost      bigint := 0;
    v_volume    bigint := 0;
    v_weight    bigint := 0;  -- lots x p x (1 - p): what the fee is taken on
    v_fee       bigint := 0;
    v_mint_taker   bigint := 0;  -- MINT: cash -> escrow
    v_mint_makers  bigint := 0;  -- MINT: market:orders -> escrow
    v_merge_taker  bigint := 0;  -- MERGE: escrow -> cash
    v_from_buyers  bigint := 0;  -- TRANSFER, taker sells: market:orders -> cash
    v_need      numeric;
begin
    v_field := public.misfit_of_order(p_order.position, v_side, p_order.type, v_price_bps,
        v_left, p_order.amount_micros, p_order.post_only, p_order.self_trade_prevention,
        p_order.client_order_id, p_order.expires_at, p_market.tick_size_bps,
        p_market.min_size_lots, v_fee_bps, p_now);
    if v_field is null and (p_order.outcome = any (p_market.outcomes)) is not true then
        v_field := 'outcome';
    end if;
    if v_field is not null then
        raise exception using errcode = 'PR400', column = v_field, message = case v_field
            when 'price' then format('price is a multiple of %s between 0 and 1',
                trim_scale(p_market.tick_size_bps / 10000.0))
            when 'size' then format('size is at least %s shares, at most a thousand million',
                trim_scale(p_market.min_size_lots / 100.0))
            when 'amount' then 'amount stands instead of size in a FOK or FAK buy; it buys at least '
                'the smallest size at the limit'
            when 'post_only' then 'an order that may not rest cannot be post-only'
            when 'expiration' then 'a GTD order, and no other, ends at least 60 seconds from now'
            when 'outcome' then 'the market has no such outcome'
            else format('%s is not one that orders know', v_field) end;
    end if;
    v_reason := public.why_not_trading(p_market.venue, p_market.state, p_market.trading_status,
        p_market.opens_at, p_market.closes_at, p_order.post_only, p_now);
    if v_reason is not null then
        raise exception using errcode = 'PR410', message = v_reason;
    elsif p_market.closed_only and v_side = 'BUY' then
        raise exception using errcode = 'PR403', message = 'this account may only sell and cancel';
    end if;

    if v_bid then
        open v_book for
            select o.id, o.user_id, o.account_id, o.side, o.position, o.price_bps,
                   o.book_price_bps, o.remaining_lots, o.expires_at
            from public.orders as o
            where o.market_id = p_order.market_id and o.outcome = p_order.outcome and o.is_open
              and o.book_side = 'ask' and o.book_price_bps <= v_limit_bps
            order by o.book_price_bps, o.seq;
    else
        open v_book for
            select o.id, o.user_id, o.account_id, o.side, o.position, o.price_bps,
                   o.book_price_bps, o.remaining_lots, o.expires_at
            from public.orders as o
            where o.market_id = p_order.market_id and o.outcome = p_order.outcome and o.is_open
              and o.book_side = 'bid' and o.book_price_bps >= v_limit_bps
            order by o.book_price_bps desc, o.seq;
    end if;
    v_accounts := array[v_cash];
    while v_left is null or v_left > 0 loop
        fetch v_book into v_maker;
        v_met := found;
        if p_ahead_bps is not null and (not v_met
            or case when v_bid then p_ahead_bps < v_maker.book_price_bps
                    else p_ahead_bps > v_maker.book_price_bps end) then
            if p_order.post_only then
                raise exception using errcode = 'PR422',
                    message = 'a post-only order may not cross the book';
            elsif p_order.self_trade_prevention <> 'cancel_taker' then
                raise exception using errcode = 'PR422', column = 'self_trade_prevention',
                    message = 'an order may not cancel another of its own batch';
            end if;
            v_stopped := true;
            exit;
        end if;
        exit when not v_met;
        if p_met is not null then
            v_place := array_position(p_met, v_maker.id);
            if v_place is not null then
                continue when p_left[v_place] = 0;
                v_maker.remaining_lots := p_left[v_place];
            end if;
        end if;
        if v_count + v_passed >= c_max_fills then
            v_stopped := true;  -- what it met stands, the rest is cancelled
            exit;
        end if;
        if v_maker.expires_at <= p_now then
            v_expired := v_expired || v_maker.id;
            v_accounts := v_accounts || v_maker.account_id;
            v_passed := v_passed + 1;
            continue;
        end if;
        if p_order.post_only then
            raise exception using errcode = 'PR422',
                message = 'a post-only order may not cross the book';
        end if;
        if v_maker.user_id = p_actor then
            if p_order.self_trade_prevention <> 'cancel_taker' then
                v_dropped := v_dropped || v_maker.id;
                v_passed := v_passed + 1;
            end if;
            v_stopped := p_order.self_trade_prevention <> 'cancel_maker';
            exit when v_stopped;
            continue;
        end if;
        v_own_bps := case when v_yes then v_maker.book_price_bps
                          else 10000 - v_maker.book_price_bps end;
        if v_budget is null then
            v_lots := least(v_left, v_maker.remaining_lots);
            v_left := v_left - v_lots;
        else
            -- ceil(fee) fits a whole number of micros exactly when the fee itself does.
            v_unit := v_own_bps * c_scale + v_own_bps * (10000 - v_own_bps) * v_fee_bps::numeric;
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
        if v_maker.side = 'SELL' then  -- the one maker that is paid
            v_accounts := v_accounts || v_maker.account_id;
            v_transfers := v_transfers || row(
                case v_side when 'BUY' then v_cash else v_escrow end, v_maker.account_id,
                v_lots * v_maker.price_bps,
                case v_side when 'BUY' then 'transfer' else 'merge' end)::public.transfer_draft;
            if v_side = 'SELL' then
                v_merge_taker := v_merge_taker + v_lots * v_own_bps;
            end if;
        elsif v_side = 'BUY' then
            v_mint_taker := v_mint_taker + v_lots * v_own_bps;
            v_mint_makers := v_mint_makers + v_lots * v_maker.price_bps;
        else
            v_from_buyers := v_from_buyers + v_lots * v_own_bps;
        end if;
        v_fills := v_fills || row(
            nextval('public.fill_ids'), v_maker.id, v_maker.user_id, v_maker.account_id,
            v_maker.side, v_maker.position, v_maker.price_bps, v_maker.remaining_lots - v_lots,
            v_maker.book_price_bps, v_lots,
            case when v_side = v_maker.side then case v_side when 'BUY' then 'MINT' else 'MERGE' end
                 else 'TRANSFER' end,
            0)::public.fill_draft;
    end loop;
    close v_book;

    -- What is left: nothing, a rest in the book, or a cancelled remainder.
    p_order.rest_lots := 0;
    p_order.held_micros := 0;
    if v_budget is not null then
        p_order.size_lots := v_filled;
        v_unit := v_price_bps * c_scale + v_price_bps * (10000 - v_price_bps) * v_fee_bps::numeric;
        v_left := div(v_budget, v_unit);
    end if;
    if v_left = 0 then
        p_order.status := 'filled';
    elsif p_order.type = 'FOK' then
        raise exception using errcode = 'PR422', message = 'the order cannot be filled entirely';
    elsif v_stopped or p_order.type = 'FAK' then
        p_order.status := 'cancelled';
    else
        p_order.rest_lots := v_left;
        p_order.status := case when v_filled > 0 then 'partial' else 'open' end;
        if v_side = 'BUY' then
            p_order.held_micros := v_left * v_price_bps;
            v_transfers := v_transfers || row(v_cash, v_orders, p_order.held_micros,
                'order')::public.transfer_draft;
        end if;
    end if;

    if v_count > 0 then
        v_accounts := v_accounts || v_orders || v_escrow || p_market.fees_account;
        if v_fee_bps > 0 then
            v_fee := ceil(v_weight::numeric * v_fee_bps / c_scale);
            v_transfers := v_transfers || row(v_cash, p_market.fees_account, v_fee,
                'fee')::public.transfer_draft;
        end if;
        if v_fee > 0 and p_market.maker_rebate_bps > 0 then
            for i in 1..v_count loop  -- rounded down: the dust stays with the platform
                v_fill := v_fills[i];
                v_fill.rebate_micros := div(
                    v_fee::numeric * p_market.maker_rebate_bps * v_fill.size_lots
                        * v_fill.price_bps * (10000 - v_fill.price_bps),
                    v_weight::numeric * 10000);
                if v_fill.rebate_micros > 0 then
                    v_fills[i] := v_fill;
                    v_accounts := v_accounts || v_fill.maker_account;
                    v_transfers := v_transfers || row(p_market.fees_account, v_fill.maker_account,
                        v_fill.rebate_micros, 'rebate')::public.transfer_draft;
                end if;
            end loop;
        end if;
        if v_mint_taker > 0 then
            v_transfers := v_transfers
                || row(v_cash, v_escrow, v_mint_taker, 'mint')::public.transfer_draft
                || row(v_orders, v_escrow, v_mint_makers, 'mint')::public.transfer_draft;
        end if;
        if v_merge_taker > 0 then
            v_transfers := v_transfers
                || row(v_escrow, v_cash, v_merge_taker, 'merge')::public.transfer_draft;
        end if;
        if v_from_buyers > 0 then
            v_transfers := v_transfers
                || row(v_orders, v_cash, v_from_buyers, 'transfer')::public.transfer_draft;
        end if;
    elsif p_order.held_micros > 0 or v_passed > 0 then
        v_accounts := v_accounts || v_orders;
    end if;

    p_order.need_micros := 0;
    if v_side = 'BUY' then
        v_need := p_order.amount_micros;
        if v_need is null then
            v_need := p_order.size_lots * v_price_bps;
            if v_count > 0 and v_fee_bps > 0 then
                v_need := v_need + ceil(v_need * (10000 - v_price_bps) * v_fee_bps / c_scale);
            end if;
        end if;
        p_order.need_micros := v_need;
    end if;
    p_order.is_stopped := v_stopped;
    p_order.is_bid := v_bid;
    p_order.book_price_bps := v_limit_bps;
    p_order.filled_lots := v_filled;
    p_order.cost_micros := v_cost;
    p_order.volume_micros := v_volume;
    p_order.fee_micros := v_fee;
    p_order.last_bps := v_last_bps;
    p_order.account_id := v_cash;
    p_order.fee_bps := v_fee_bps;
    p_order.maker_rebate_bps := p_market.maker_rebate_bps;
    p_order.dropped := v_dropped;
    p_order.expired := v_expired;
    p_order.accounts := v_accounts;
    p_order.fills := v_fills;
    p_order.transfers := v_transfers;
    return p_order;
end;
$$;
revoke execute on function public.match_order(
    public.order_draft, public.market_terms, uuid, uuid[], bigint[], integer, timestamptz
) from public;
