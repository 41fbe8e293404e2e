-- Why: a disputed market becomes final with its bond's fate in one transaction: DISPUTED ->
-- FINALIZED. Upheld: p_payout_bps is the outcome, and the bond goes back. Refused: the proposed
-- outcome stands (p_payout_bps is null), and the bond goes to the market's fees. Money of holders
-- moves later, by settle_market. Deciding is not repeatable: the state says that it was done. On
-- Solana there is no bond, and the chain has the last word: see decide_chain_dispute.
-- Raises PR400 (upheld, payout_bps), PR403, PR404, PR410 (not disputed).
create or replace function public.decide_dispute(
    p_market_id uuid, p_payout_bps integer[], p_upheld boolean, p_reason text,
    p_request_id text, p_ip text, p_now timestamptz
) returns table (
    market_id uuid, slug text, previous_state text, state text, is_upheld boolean,
    final_payout_bps integer[], bond_micros bigint, changed_at timestamptz
)
language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
    v_actor   uuid := public.actor_id();
    v_now     timestamptz;
    v_market  record;
    v_dispute public.market_disputes;
    v_payout  integer[];
    v_to      bigint;
begin
    if session_user <> 'presage_worker' and not exists (
        select from public.users as u where u.id = v_actor and u.role <> 'user') then
        raise exception using errcode = 'PR403', message = 'only an admin may decide a dispute';
    elsif p_upheld is null then
        raise exception using errcode = 'PR400', column = 'upheld', message = 'say which side holds';
    end if;
    select m.slug, m.venue, m.state, m.proposed_payout_bps as proposed, l.bonds_account,
           l.fees_account
    into v_market
    from public.markets as m
    join public.market_ledgers as l on l.market_id = m.id
    where m.id = p_market_id
    for no key update of m;
    if not found then
        raise exception using errcode = 'PR404', message = 'there is no such market';
    elsif v_market.state <> 'DISPUTED' then
        raise exception using errcode = 'PR410', column = 'state',
            message = format('the market is %s', v_market.state);
    end if;
    v_now := public.effective_now(p_now);
    v_payout := case when p_upheld then p_payout_bps else v_market.proposed end;
    if not public.payout_fits(p_market_id, v_payout)
        or (p_upheld and v_payout = v_market.proposed)
        or (not p_upheld and p_payout_bps <> v_market.proposed) then
        raise exception using errcode = 'PR400', column = 'payout_bps',
            message = 'an upheld dispute needs another payout vector that fits, a refused one none';
    elsif v_market.venue <> 'native' then
        perform public.decide_chain_dispute(
            p_market_id, v_payout, p_upheld, p_reason, p_request_id, p_ip, v_now);
        return query select p_market_id, v_market.slug, v_market.state, v_market.state, p_upheld,
            v_payout, 0::bigint, v_now;
        return;
    end if;

    select d.* into strict v_dispute from public.market_disputes as d
    where d.market_id = p_market_id;
    v_to := case when p_upheld then public.cash_account(v_dispute.user_id)
                 else v_market.fees_account end;
    perform from public.accounts as a
    where a.id in (v_to, v_market.bonds_account) order by a.id for no key update;
    insert into public.transfers
        (debit_account, credit_account, amount_micros, kind, reference, market_id, created_at)
    values (v_market.bonds_account, v_to, v_dispute.bond_micros,
            case when p_upheld then 'bond_return' else 'bond_forfeit' end, v_dispute.id,
            p_market_id, v_now);
    update public.accounts as a set
        balance_micros = a.balance_micros
            + case a.id when v_to then v_dispute.bond_micros else -v_dispute.bond_micros end
    where a.id in (v_to, v_market.bonds_account);
    update public.market_disputes as d set
        is_upheld = p_upheld, decided_by = v_actor, decided_at = v_now
    where d.id = v_dispute.id;
    update public.markets as m set
        state = 'FINALIZED', final_payout_bps = v_payout, finalized_at = v_now, updated_at = v_now
    where m.id = p_market_id;
    perform public.record_move(p_market_id, 'decide_dispute', v_market.state, 'FINALIZED', p_reason,
        jsonb_build_object('is_upheld', p_upheld, 'payout_bps', v_payout), p_request_id, p_ip, v_now);
    return query select p_market_id, v_market.slug, v_market.state, 'FINALIZED', p_upheld, v_payout,
        v_dispute.bond_micros, v_now;
end;
$$;
revoke execute on function public.decide_dispute(
    uuid, integer[], boolean, text, text, text, timestamptz
) from public;
grant execute on function public.decide_dispute(
    uuid, integer[], boolean, text, text, text, timestamptz
) to presage_admin, presage_worker;
