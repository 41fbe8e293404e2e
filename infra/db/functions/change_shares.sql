-- Why: the ways shares are made and unmade without a counterparty, in one place because they differ
-- only in which shares come and go:
--   split     1.00 -> YES and NO of one outcome          merge   back
--   complete  1.00 -> a YES of every outcome             redeem  back
--   convert   a NO of one outcome -> a YES of every other
-- The last three exist on exhaustive markets only: with c = YES_i - NO_i, the same for every
-- outcome, escrow = c + the sum of NO_i holds through all of them, and pays any vector.
-- They close with trading. Money in or out is shared equally among the shares, odd micros to the
-- first outcomes (YES before NO); convert hands its NO's cost on and realises nothing.
-- p_key is required: a repeat answers the first result. amount_micros is what the cash gained.
-- p_request_id and p_ip are for the audit log; code of before they were there leaves them out.
-- Raises PR400 (kind, outcome, size, idempotency_key), PR401, PR402, PR403, PR404, PR410, PR411,
-- PR422 (not exhaustive).
create or replace function public.change_shares(
    p_market_id uuid, p_kind text, p_outcome smallint, p_size_lots bigint, p_key text,
    p_request_hash bytea, p_operation_id uuid, p_now timestamptz,
    p_request_id text default null, p_ip text default null
) returns table (
    operation_id uuid, market_id uuid, kind text, outcome smallint, size_lots bigint,
    amount_micros bigint, created_at timestamptz, replayed boolean
)
language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
    c_max_lots constant bigint := 100000000000;
    v_actor    uuid := public.actor_id();
    v_now      timestamptz;
    v_market   record;
    v_first    record;
    v_reason   text;
    v_field    text;
    v_leg      record;
    v_count    integer;
    v_amount   bigint;   -- what the cash gains
    v_cash     bigint;
    v_cost     bigint;   -- of the shares that go
    v_basis    bigint;   -- money to share among the legs: paid in, paid out, or handed on
    v_share    bigint;
    v_new      integer := 0;
    v_result   jsonb;
begin
    if v_actor is null then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    elsif coalesce(length(p_key), 0) not between 1 and 128 then
        raise exception using errcode = 'PR400', column = 'idempotency_key',
            message = 'give a key of 1 to 128 characters';
    end if;
    select m.venue, m.state, m.trading_status, m.opens_at, m.closes_at, m.is_exhaustive,
           l.escrow_account, u.closed_only, a.id as cash_account
    into v_market
    from public.markets as m
    join public.market_ledgers as l on l.market_id = m.id
    left join public.users as u on u.id = v_actor
    left join public.accounts as a on a.user_id = v_actor
    where m.id = p_market_id
    for no key update of m;
    if not found then
        raise exception using errcode = 'PR404', message = 'there is no such market';
    end if;
    v_now := public.effective_now(p_now);
    v_result := public.used_key(v_actor, 'change_shares', p_key, p_request_hash);
    if v_result is not null then
        return query select r.operation_id, r.market_id, r.kind, r.outcome, r.size_lots,
            r.amount_micros, r.created_at, true
        from jsonb_to_record(v_result) as r (
            operation_id uuid, market_id uuid, kind text, outcome smallint, size_lots bigint,
            amount_micros bigint, created_at timestamptz);
        return;
    end if;

    v_field := case
        when p_kind is null or p_kind not in ('split', 'merge', 'convert', 'complete', 'redeem')
            then 'kind'
        when (p_kind in ('complete', 'redeem')) <> (p_outcome is null) then 'outcome'
        when p_outcome is not null and not exists (
            select from public.outcomes as o
            where o.market_id = p_market_id and o.outcome = p_outcome) then 'outcome'
        when coalesce(p_size_lots, 0) not between 1 and c_max_lots then 'size' end;
    v_reason := public.why_not_trading(v_market.venue, v_market.state, v_market.trading_status,
        v_market.opens_at, v_market.closes_at, true, v_now);
    if v_field is not null then
        raise exception using errcode = 'PR400', column = v_field,
            message = format('the %s does not fit', v_field);
    elsif v_reason is not null then
        raise exception using errcode = 'PR410', message = v_reason;
    elsif v_market.closed_only is null then
        raise exception using errcode = 'PR401', message = 'there is no such user';
    elsif v_market.closed_only and p_kind in ('split', 'complete', 'convert') then
        raise exception using errcode = 'PR403', message = 'this account may only sell and cancel';
    elsif p_kind in ('convert', 'complete', 'redeem') and not v_market.is_exhaustive then
        raise exception using errcode = 'PR422', message = 'the outcomes are not exhaustive';
    end if;

    v_amount := case when p_kind in ('split', 'complete') then -p_size_lots * 10000
                     when p_kind in ('merge', 'redeem') then p_size_lots * 10000 else 0 end;
    if v_amount <> 0 then
        select max(s.balance_micros) filter (where s.id = v_market.cash_account) into v_cash
        from (
            select a.id, a.balance_micros from public.accounts as a
            where a.id in (v_market.cash_account, v_market.escrow_account)
            order by a.id
            for no key update
        ) as s;
        if coalesce(v_cash, 0) + v_amount < 0 then
            raise exception using errcode = 'PR402',
                message = 'the available balance does not cover this';
        end if;
    end if;

    v_basis := abs(v_amount);
    for v_leg in
        select l.*, count(*) over (partition by l.gone) as legs,
               row_number() over (partition by l.gone order by l.outcome, l.position desc) as no
        from (
            select o.outcome, s.position,
                   p_kind in ('merge', 'redeem') or (p_kind = 'convert' and s.position = 'NO') as gone
            from public.outcomes as o
            cross join (values ('YES'), ('NO')) as s (position)
            where o.market_id = p_market_id and case p_kind
                when 'split' then o.outcome = p_outcome
                when 'merge' then o.outcome = p_outcome
                when 'convert' then (o.outcome = p_outcome) = (s.position = 'NO')
                else s.position = 'YES' end
        ) as l
        order by l.gone desc, l.outcome, l.position desc
    loop
        v_share := v_basis / v_leg.legs + case when v_leg.no <= v_basis % v_leg.legs then 1 else 0 end;
        if not v_leg.gone then
            v_new := greatest(v_new, public.add_shares(p_market_id, v_actor, v_leg.outcome,
                v_leg.position, p_size_lots, v_share, 0, v_now));
            continue;
        end if;
        select div(p.cost_micros::numeric * p_size_lots, p.held_lots) into v_cost
        from public.positions as p
        where p.market_id = p_market_id and p.user_id = v_actor and p.outcome = v_leg.outcome
          and p.position = v_leg.position and p.held_lots - p.locked_lots >= p_size_lots;
        if not found then
            raise exception using errcode = 'PR402',
                message = 'the available shares do not cover this';
        end if;
        update public.positions as p set
            held_lots = p.held_lots - p_size_lots,
            cost_micros = p.cost_micros - v_cost,
            realised_micros = p.realised_micros
                + case p_kind when 'convert' then 0 else v_share - v_cost end,
            updated_at = v_now
        where p.market_id = p_market_id and p.user_id = v_actor and p.outcome = v_leg.outcome
          and p.position = v_leg.position;
        if p_kind = 'convert' then
            v_basis := v_cost;
        end if;
    end loop;
    if v_amount <> 0 then
        insert into public.transfers
            (debit_account, credit_account, amount_micros, kind, reference, market_id, created_at)
        values (
            case when v_amount < 0 then v_market.cash_account else v_market.escrow_account end,
            case when v_amount < 0 then v_market.escrow_account else v_market.cash_account end,
            abs(v_amount), p_kind, p_operation_id, p_market_id, v_now);
        update public.accounts as a set
            balance_micros = a.balance_micros
                + case a.id when v_market.cash_account then v_amount else -v_amount end
        where a.id in (v_market.cash_account, v_market.escrow_account);
    end if;
    if v_new > 0 then
        update public.market_counters as c set unique_traders = c.unique_traders + v_new
        where c.market_id = p_market_id;
    end if;

    insert into public.share_operations
        (id, market_id, user_id, kind, outcome, size_lots, amount_micros, created_at)
    values (p_operation_id, p_market_id, v_actor, p_kind, p_outcome, p_size_lots, v_amount, v_now);
    v_result := jsonb_build_object(
        'operation_id', p_operation_id, 'market_id', p_market_id, 'kind', p_kind,
        'outcome', p_outcome, 'size_lots', p_size_lots, 'amount_micros', v_amount,
        'created_at', v_now);
    insert into public.idempotency_keys (actor_id, route, key, request_hash, result, created_at)
    values (v_actor, 'change_shares', p_key, p_request_hash, v_result, v_now);
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (v_actor, 'change_shares', 'market', p_market_id::text, p_request_id, p_ip, v_result,
        v_now);
    insert into public.outbox (topic, market_id, payload, created_at)
    values ('shares', p_market_id, v_result || jsonb_build_object('user_id', v_actor), v_now);
    return query select p_operation_id, p_market_id, p_kind, p_outcome, p_size_lots, v_amount,
        v_now, false;
end;
$$;
revoke execute on function public.change_shares(
    uuid, text, smallint, bigint, text, bytea, uuid, timestamptz, text, text
) from public;
grant execute on function public.change_shares(
    uuid, text, smallint, bigint, text, bytea, uuid, timestamptz, text, text
) to presage_api;
