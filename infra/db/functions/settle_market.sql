-- Why: a market with 100,000 holders settles without a long transaction: each call releases at most
-- p_limit open orders, or pays at most p_limit holders, and commits. Holders are paid once: their
-- row in settlements, the transfer and the emptied positions commit together, so a killed or
-- repeated call goes on where the last commit stopped. YES of i is paid f_i, NO of i 10,000 - f_i;
-- a binary market's vector is {YES, NO}. paid_users counts holders taken, losers (paid zero) too.
-- Raises PR404, PR410 (not FINALIZED), PR422 (the vector does not fit), PR409 (escrow left over).
create or replace function public.settle_market(
    p_market_id uuid, p_limit integer, p_now timestamptz
) returns table (paid_users integer, paid_micros bigint, released_orders integer, done boolean)
language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
    v_now      timestamptz := public.effective_now(p_now);
    v_market   record;
    v_released integer;
    v_users    uuid[];
    v_paid     bigint;
begin
    select m.state, m.final_payout_bps as payout, m.settled_at, l.escrow_account
    into v_market
    from public.markets as m
    join public.market_ledgers as l on l.market_id = m.id
    where m.id = p_market_id
    for no key update of m;
    if not found then
        raise exception using errcode = 'PR404', message = 'there is no such market';
    elsif v_market.settled_at is not null then
        return query select 0, 0::bigint, 0, true;
        return;
    elsif v_market.state <> 'FINALIZED' then
        raise exception using errcode = 'PR410', message = format('the market is %s', v_market.state);
    elsif not public.payout_fits(p_market_id, v_market.payout) then
        raise exception using errcode = 'PR422', message = 'the payout vector does not fit the market';
    end if;

    v_released := public.release_market_orders(p_market_id, p_limit, p_now);
    if v_released > 0 then
        return query select 0, 0::bigint, v_released, false;
        return;
    end if;

    v_users := array(
        select distinct p.user_id from public.positions as p
        where p.market_id = p_market_id and p.held_lots > 0
        order by p.user_id limit p_limit);
    perform public.cash_account(u.id) from unnest(v_users) as u (id);
    perform from public.accounts as a
    where a.user_id = any (v_users) or a.id = v_market.escrow_account
    order by a.id
    for no key update;

    with owed as materialized (
        select p.user_id, a.id as account, sum(p.held_lots * case p.position
                   when 'YES' then v_market.payout[p.outcome + 1]
                   else 10000 - v_market.payout[p.outcome + 1] end)::bigint as amount
        from public.positions as p
        join public.accounts as a on a.user_id = p.user_id
        where p.market_id = p_market_id and p.user_id = any (v_users)
        group by p.user_id, a.id
    ),
    recorded as (
        insert into public.settlements (market_id, user_id, amount_micros, created_at)
        select p_market_id, o.user_id, o.amount, v_now from owed as o
    ),
    moved as (
        insert into public.transfers
            (debit_account, credit_account, amount_micros, kind, reference, market_id, created_at)
        select v_market.escrow_account, o.account, o.amount, 'payout', p_market_id, p_market_id, v_now
        from owed as o where o.amount > 0
    ),
    balanced as (
        update public.accounts as a set balance_micros = a.balance_micros + d.delta
        from (
            select o.account, o.amount as delta from owed as o
            union all
            select v_market.escrow_account, -sum(o.amount)::bigint from owed as o
        ) as d
        where a.id = d.account and d.delta <> 0
    ),
    emptied as (
        update public.positions as p set
            realised_micros = p.realised_micros - p.cost_micros + p.held_lots * case p.position
                when 'YES' then v_market.payout[p.outcome + 1]
                else 10000 - v_market.payout[p.outcome + 1] end,
            held_lots = 0, locked_lots = 0, cost_micros = 0, updated_at = v_now
        where p.market_id = p_market_id and p.user_id = any (v_users) and p.held_lots > 0
    ),
    told as (
        insert into public.outbox (topic, market_id, payload, created_at)
        select 'settlement', p_market_id,
               jsonb_build_object('user_id', o.user_id, 'amount_micros', o.amount), v_now
        from owed as o
    )
    select coalesce(sum(o.amount), 0) into v_paid from owed as o;

    if cardinality(v_users) < p_limit then
        if (select a.balance_micros <> 0 from public.accounts as a
            where a.id = v_market.escrow_account) then
            raise exception using errcode = 'PR409', message = 'the escrow is not empty after settlement';
        end if;
        update public.markets as m set
            settled_at = v_now, claims_enabled = true,
            claims_available_at = coalesce(m.claims_available_at, v_now), updated_at = v_now
        where m.id = p_market_id;
    end if;
    return query select cardinality(v_users), v_paid, 0, cardinality(v_users) < p_limit;
end;
$$;
revoke execute on function public.settle_market(uuid, integer, timestamptz) from public;
grant execute on function public.settle_market(uuid, integer, timestamptz)
    to presage_admin, presage_worker;
