-- Why: a bet slip is one call: 1..20 orders of one person, matched in sequence by match_order and
-- written together by write_orders, one statement a table. Each element of p_orders names market_id
-- (id or slug), outcome (a number, or what find_outcome knows), position, side, type, price_bps,
-- size_lots, amount_micros, post_only, self_trade_prevention, client_order_id, request_hash (hex),
-- expires_at and order_id, with the meanings of place_order.
--
-- An order that is refused is answered with its SQLSTATE and field, not raised. Independent: the
-- rest goes on; money is taken in sequence while it lasts, and nothing that the batch releases,
-- sells or buys funds it. Atomic: any refusal, or a stop by self-trade prevention, fails it whole.
-- No order may cancel another of its batch. A failed batch keeps its row and its key too.
--
-- Locks: all markets by id, then all accounts of all sweeps by id. The balance is read before the
-- sweeps and judged again with the lock: when others spent it meanwhile and it matters, 40001 asks
-- for the call again.
-- Raises PR400 (mode, orders, batch_key), PR401, PR411 (the key was used for another batch).
create or replace function public.place_orders(
    p_mode text, p_orders jsonb, p_batch_key text, p_request_hash bytea, p_batch_id uuid,
    p_now timestamptz
) returns table (
    batch_id uuid, status text, mode text, orders jsonb, created_at timestamptz, replayed boolean
)
language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
    c_max_orders constant integer := 20;
    v_actor     uuid := public.actor_id();
    v_now       timestamptz;
    v_drafts    public.order_draft[];
    v_refusals  jsonb := '{}';
    v_batch     record;
    v_terms     public.market_terms[];
    v_markets   uuid[];
    v_market    public.market_terms;
    v_order     public.order_draft;
    v_fill      public.fill_draft;
    v_accepted  public.order_draft[] := '{}';
    v_order_ids uuid[];
    v_met       uuid[] := '{}';
    v_left      bigint[] := '{}';
    v_rests     integer[] := '{}';  -- places of accepted orders that rest or sell
    v_bid       boolean;
    v_limit_bps integer;
    v_ahead_bps integer;
    v_other     public.order_draft;
    v_place     integer;
    v_cash      bigint;
    v_locked    bigint;
    v_spent     bigint := 0;
    v_margin    bigint := 9223372036854775807;  -- the least that was left above a need
    v_free      bigint;
    v_first     record;
    v_code      text;
    v_message   text;
    v_field     text;
    v_status    text;
    v_new       integer;
begin
    if v_actor is null then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    v_field := case
        when p_mode is null or p_mode not in ('independent', 'atomic') then 'mode'
        when coalesce(length(p_batch_key), 0) not between 1 and 128 then 'batch_key'
        when jsonb_typeof(p_orders) is distinct from 'array' then 'orders'
        when jsonb_array_length(p_orders) not between 1 and c_max_orders then 'orders' end;
    if v_field is not null then
        raise exception using errcode = 'PR400', column = v_field,
            message = case v_field when 'orders' then 'a batch has 1 to 20 orders'
                when 'mode' then 'mode is independent or atomic'
                else 'a batch needs a key of 1 to 128 characters' end;
    end if;

    v_drafts := public.batch_drafts(p_orders);
    for v_place in
        select (e.no)::integer from jsonb_array_elements(p_orders) with ordinality as e (body, no)
        where jsonb_typeof(e.body -> 'outcome') is distinct from 'number'
           or (v_drafts[e.no::integer]).market_id is null
    loop  -- by name
        begin
            v_order := v_drafts[v_place];
            select f.market_id, f.outcome, f.position
            into v_order.market_id, v_order.outcome, v_order.position
            from public.find_outcome(p_orders -> (v_place - 1) ->> 'market_id',
                p_orders -> (v_place - 1) ->> 'outcome',
                p_orders -> (v_place - 1) ->> 'position') as f;
            v_drafts[v_place] := v_order;
        exception when sqlstate 'PR400' or sqlstate 'PR404' then
            get stacked diagnostics v_code = returned_sqlstate, v_message = message_text,
                v_field = column_name;
            v_refusals := v_refusals || public.batch_refusal(v_place, v_code, v_message, v_field);
        end;
    end loop;

    select array_agg(t.terms), array_agg((t.terms).market_id) into v_terms, v_markets
    from (
        select row(m.id, m.venue, m.state, m.trading_status, m.tick_size_bps, m.min_size_lots,
                   m.fee_bps, m.maker_rebate_bps, m.opens_at, m.closes_at, l.orders_account,
                   l.escrow_account, l.fees_account, u.closed_only, a.id,
                   array(select c.outcome from public.outcomes as c where c.market_id = m.id)
               )::public.market_terms as terms
        from public.markets as m
        join public.market_ledgers as l on l.market_id = m.id
        left join public.users as u on u.id = v_actor
        left join public.accounts as a on a.user_id = v_actor
        where m.id in (select d.market_id from unnest(v_drafts) as d)
        order by m.id
        for no key update of m
    ) as t;
    v_now := public.effective_now(p_now);
    select b.* into v_batch from public.order_batches as b
    where b.user_id = v_actor and b.batch_key = p_batch_key;
    if found then
        if v_batch.request_hash is distinct from p_request_hash then
            raise exception using errcode = 'PR411', column = 'batch_key',
                message = 'this batch key was used with another batch';
        end if;
        return query select v_batch.id, v_batch.status, v_batch.mode,
            public.replayed_batch(v_batch.order_ids, v_batch.refusals), v_batch.created_at, true;
        return;
    end if;
    if not exists (select from public.users as u where u.id = v_actor) then
        raise exception using errcode = 'PR401', message = 'there is no such user';
    end if;
    v_cash := coalesce((select a.balance_micros from public.accounts as a where a.user_id = v_actor), 0);
    v_order_ids := array_fill(null::uuid, array[cardinality(v_drafts)]);

    for i in 1..cardinality(v_drafts) loop
        continue when v_refusals ? (i - 1)::text;
        v_order := v_drafts[i];
        if v_market.market_id is distinct from v_order.market_id then
            v_place := array_position(v_markets, v_order.market_id);
            v_market := case when v_place is null then null else v_terms[v_place] end;
        end if;
        v_bid := (v_order.side = 'BUY') = (v_order.position = 'YES');
        v_limit_bps := case v_order.position when 'YES' then v_order.price_bps
                                             else 10000 - v_order.price_bps end;
        v_ahead_bps := null;
        v_free := 0;
        foreach v_place in array v_rests loop
            v_other := v_accepted[v_place];
            continue when v_other.market_id <> v_order.market_id
                or v_other.outcome <> v_order.outcome;
            if v_other.side = 'SELL' and v_other.position = v_order.position then
                v_free := v_free - v_other.filled_lots - v_other.rest_lots;
            end if;
            if v_other.rest_lots > 0 and v_other.is_bid <> v_bid then
                if v_bid and v_other.book_price_bps <= v_limit_bps then
                    v_ahead_bps := least(v_ahead_bps, v_other.book_price_bps);
                elsif not v_bid and v_other.book_price_bps >= v_limit_bps then
                    v_ahead_bps := greatest(v_ahead_bps, v_other.book_price_bps);
                end if;
            end if;
        end loop;
        begin
            if v_market.market_id is null then
                raise exception using errcode = 'PR404', message = 'there is no such market';
            end if;
            if v_order.client_order_id is not null then
                select o.id, o.request_hash into v_first
                from public.orders as o
                where o.user_id = v_actor and o.client_order_id = v_order.client_order_id;
                if found and v_first.request_hash is not distinct from v_order.request_hash then
                    v_order_ids[i] := v_first.id;
                    continue;
                elsif found or exists (
                    select from unnest(v_accepted) as d
                    where d.client_order_id = v_order.client_order_id
                ) then
                    raise exception using errcode = 'PR411', column = 'client_order_id',
                        message = 'this client order id was used with another order';
                end if;
            end if;
            v_order := public.match_order(
                v_order, v_market, v_actor, v_met, v_left, v_ahead_bps, v_now);
            if v_order.is_stopped and p_mode = 'atomic' then
                raise exception using errcode = 'PR422', column = 'self_trade_prevention',
                    message = 'the order meets another of its owner, or too many others';
            elsif v_order.side = 'SELL' then
                v_free := v_free + coalesce((
                    select p.held_lots - p.locked_lots from public.positions as p
                    where p.market_id = v_order.market_id and p.user_id = v_actor
                      and p.outcome = v_order.outcome and p.position = v_order.position), 0);
                if v_free < v_order.size_lots then
                    raise exception using errcode = 'PR402',
                        message = 'the available shares do not cover this order';
                end if;
            elsif v_cash - v_spent < v_order.need_micros then
                raise exception using errcode = 'PR402',
                    message = 'the available balance does not cover this order';
            else
                v_margin := least(v_margin, v_cash - v_spent - v_order.need_micros);
                v_spent := v_spent + v_order.cost_micros + v_order.fee_micros
                    + v_order.held_micros;
            end if;
        exception when sqlstate 'PR400' or sqlstate 'PR402' or sqlstate 'PR403'
            or sqlstate 'PR404' or sqlstate 'PR410' or sqlstate 'PR411' or sqlstate 'PR422'
        then
            get stacked diagnostics v_code = returned_sqlstate, v_message = message_text,
                v_field = column_name;
            v_refusals := v_refusals || public.batch_refusal(i, v_code, v_message, v_field);
            continue;
        end;
        v_order_ids[i] := v_order.order_id;
        v_accepted := v_accepted || v_order;
        if v_order.side = 'SELL' or v_order.rest_lots > 0 then
            v_rests := v_rests || cardinality(v_accepted);
        end if;
        foreach v_fill in array v_order.fills loop
            v_place := array_position(v_met, v_fill.maker_order_id);
            if v_place is null then
                v_met := v_met || v_fill.maker_order_id;
                v_left := v_left || v_fill.maker_left_lots;
            else
                v_left[v_place] := v_fill.maker_left_lots;
            end if;
        end loop;
        if cardinality(v_order.dropped) + cardinality(v_order.expired) > 0 then
            v_met := v_order.dropped || v_order.expired || v_met;  -- the first place counts
            v_left := array_fill(0::bigint,
                array[cardinality(v_order.dropped) + cardinality(v_order.expired)]) || v_left;
        end if;
    end loop;

    v_status := case
        when v_refusals = '{}' then 'completed'
        when p_mode = 'atomic' or array_remove(v_order_ids, null) = '{}' then 'failed'
        else 'partial' end;
    if v_status = 'failed' then
        for i in 1..cardinality(v_drafts) loop
            v_order_ids[i] := null;
            if not v_refusals ? (i - 1)::text then
                v_refusals := v_refusals || public.batch_refusal(i, 'PR422',
                    'another order of the batch was refused', null);
            end if;
        end loop;
        v_accepted := '{}';
    end if;
    if cardinality(v_accepted) > 0 then
        select max(s.balance_micros) filter (where s.user_id = v_actor) into v_locked
        from (
            select a.user_id, a.balance_micros from public.accounts as a
            where a.id = any (array(
                select n from unnest(v_accepted) as d cross join lateral unnest(d.accounts) as n))
            order by a.id
            for no key update
        ) as s;
        if v_cash - v_locked > v_margin then
            raise exception using errcode = '40001',
                message = 'the balance was spent by another call meanwhile';
        end if;
    end if;
    insert into public.order_batches
        (id, user_id, batch_key, request_hash, mode, status, order_ids, refusals, created_at)
    values (p_batch_id, v_actor, p_batch_key, p_request_hash, p_mode, v_status, v_order_ids,
            v_refusals, v_now);
    if cardinality(v_accepted) > 0 then
        v_new := public.write_orders(v_accepted, v_actor, v_now);
    end if;
    return query select p_batch_id, v_status, p_mode,
        public.batch_results(v_accepted, v_order_ids, v_refusals, v_now), v_now, false;
end;
$$;
revoke execute on function public.place_orders(text, jsonb, text, bytea, uuid, timestamptz)
    from public;
grant execute on function public.place_orders(text, jsonb, text, bytea, uuid, timestamptz)
    to presage_api;
