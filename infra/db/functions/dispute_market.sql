-- Why: anybody who holds shares may stop a proposed outcome from becoming final, inside the dispute
-- window, and stands for it with a bond of 1 % of the open interest, at least 1.00, held in
-- market:bonds until decide_dispute. RESOLVING -> DISPUTED, once a market. The key is required and a
-- repeat answers the first result.
-- Raises PR400 (reason, idempotency_key), PR401, PR402, PR403 (no holder), PR404, PR410, PR411.
create or replace function public.dispute_market(
    p_market_id uuid, p_reason text, p_key text, p_request_hash bytea, p_dispute_id uuid,
    p_request_id text, p_ip text, p_now timestamptz
) returns table (
    dispute_id uuid, market_id uuid, slug text, previous_state text, state text,
    bond_micros bigint, changed_at timestamptz, replayed boolean
)
language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
    c_share_bps   constant integer := 100;
    c_least_bond  constant bigint := 1000000;
    v_actor  uuid := public.actor_id();
    v_now    timestamptz;
    v_market record;
    v_cash   record;
    v_bond   bigint;
    v_result jsonb;
begin
    if v_actor is null then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    elsif coalesce(length(p_key), 0) not between 1 and 128 then
        raise exception using errcode = 'PR400', column = 'idempotency_key',
            message = 'give a key of 1 to 128 characters';
    elsif coalesce(length(p_reason), 0) not between 1 and 5000 then
        raise exception using errcode = 'PR400', column = 'reason',
            message = 'give a reason of 1 to 5,000 characters';
    end if;
    select m.slug, m.venue, m.state, m.proposed_at + make_interval(secs => m.dispute_window_s) as until,
           l.escrow_account, l.bonds_account
    into v_market
    from public.markets as m
    join public.market_ledgers as l on l.market_id = m.id
    where m.id = p_market_id
    for no key update of m;
    if not found then
        raise exception using errcode = 'PR404', message = 'there is no such market';
    end if;
    v_now := public.effective_now(p_now);
    v_result := public.used_key(v_actor, 'dispute_market', p_key, p_request_hash);
    if v_result is not null then
        return query select r.dispute_id, r.market_id, r.slug, r.previous_state, r.state,
            r.bond_micros, r.changed_at, true
        from jsonb_to_record(v_result) as r (
            dispute_id uuid, market_id uuid, slug text, previous_state text, state text,
            bond_micros bigint, changed_at timestamptz);
        return;
    end if;
    if not exists (
        select from public.market_moves() as mv
        where mv.venue = v_market.venue and mv.from_state = v_market.state
          and mv.to_state = 'DISPUTED' and mv.who = 'bond'
    ) then
        raise exception using errcode = 'PR410', column = 'state',
            message = format('a market that is %s cannot be disputed', v_market.state);
    elsif v_market.until <= v_now then
        raise exception using errcode = 'PR410', column = 'dispute_window_s',
            message = 'the dispute window is over';
    elsif not exists (
        select from public.positions as p
        where p.market_id = p_market_id and p.user_id = v_actor and p.held_lots > 0
    ) then
        raise exception using errcode = 'PR403', message = 'only who holds shares may dispute';
    end if;

    perform from public.accounts as a
    where a.user_id = v_actor or a.id in (v_market.escrow_account, v_market.bonds_account)
    order by a.id
    for no key update;
    select a.id, a.balance_micros into v_cash from public.accounts as a where a.user_id = v_actor;
    select greatest(c_least_bond, ceil(a.balance_micros * c_share_bps / 10000.0)) into v_bond
    from public.accounts as a where a.id = v_market.escrow_account;
    if coalesce(v_cash.balance_micros, 0) < v_bond then
        raise exception using errcode = 'PR402',
            message = 'the available balance does not cover the bond';
    end if;
    insert into public.market_disputes (id, market_id, user_id, reason, bond_micros, created_at)
    values (p_dispute_id, p_market_id, v_actor, p_reason, v_bond, v_now);
    insert into public.transfers
        (debit_account, credit_account, amount_micros, kind, reference, market_id, created_at)
    values (v_cash.id, v_market.bonds_account, v_bond, 'bond', p_dispute_id, p_market_id, v_now);
    update public.accounts as a set
        balance_micros = a.balance_micros + case a.id when v_cash.id then -v_bond else v_bond end
    where a.id in (v_cash.id, v_market.bonds_account);
    update public.markets as m set state = 'DISPUTED', disputed_at = v_now, updated_at = v_now
    where m.id = p_market_id;
    -- What a holder's word weighs, from now on whatever it does with its shares: how much more one
    -- outcome pays it than another, which is |YES - NO| where there are two.
    insert into public.dispute_weights (market_id, wallet, weight)
    select p_market_id, u.address,
           case when count(*) < cardinality(public.void_payout(p_market_id))
                then greatest(max(n.lots), 0) - least(min(n.lots), 0)
                else max(n.lots) - min(n.lots) end
    from (
        select p.user_id, p.outcome,
               sum(case p.position when 'YES' then p.held_lots else -p.held_lots end) as lots
        from public.positions as p
        where p.market_id = p_market_id and p.held_lots > 0
        group by p.user_id, p.outcome
    ) as n
    join public.users as u on u.id = n.user_id
    group by u.address;
    perform public.record_move(p_market_id, 'dispute_market', v_market.state, 'DISPUTED', p_reason,
        jsonb_build_object('bond_micros', v_bond), p_request_id, p_ip, v_now);
    v_result := jsonb_build_object(
        'dispute_id', p_dispute_id, 'market_id', p_market_id, 'slug', v_market.slug,
        'previous_state', v_market.state, 'state', 'DISPUTED', 'bond_micros', v_bond,
        'changed_at', v_now);
    insert into public.idempotency_keys (actor_id, route, key, request_hash, result, created_at)
    values (v_actor, 'dispute_market', p_key, p_request_hash, v_result, v_now);
    return query select p_dispute_id, p_market_id, v_market.slug, v_market.state, 'DISPUTED',
        v_bond, v_now, false;
end;
$$;
revoke execute on function public.dispute_market(
    uuid, text, text, bytea, uuid, text, text, timestamptz
) from public;
grant execute on function public.dispute_market(
    uuid, text, text, bytea, uuid, text, text, timestamptz
) to presage_api;
