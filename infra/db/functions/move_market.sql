-- Moves a market along `market_moves` and records who did it and why, in one place for every
-- caller. Definer: the creator may activate a market without a right to the table. The actor's role
-- is read here and not taken from the caller; whether an admin asks as one (p_as_admin: by a
-- credential that may) is, where presage_admin, whom only such credentials reach, is not logged in. A
-- workflow logs in as presage_worker and has no actor.
-- Raises PR400 (payout_bps: not one the market can be settled by), PR403, PR404, PR410.
create or replace function public.move_market(
    p_market_id uuid, p_to text, p_reason text, p_payout_bps integer[], p_evidence jsonb,
    p_fee_bps integer, p_maker_rebate_bps integer,
    p_request_id text, p_ip text, p_now timestamptz, p_as_admin boolean default false
) returns table (id uuid, slug text, previous_state text, state text, changed_at timestamptz)
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_actor    uuid := public.actor_id();
    v_is_admin boolean := session_user = 'presage_worker'
        or ((p_as_admin or session_user = 'presage_admin') and exists (
            select from public.users u where u.id = v_actor and u.role <> 'user'));
    v_market   public.markets;
    v_who      text;
    v_now      timestamptz;
begin
    select m.* into v_market from public.markets m where m.id = p_market_id for no key update;
    if not found then
        raise exception 'There is no such market.' using errcode = 'PR404', column = 'market_id';
    end if;
    v_now := public.effective_now(p_now);

    select mv.who into v_who
    from public.market_moves() mv
    where mv.venue = v_market.venue and mv.from_state = v_market.state and mv.to_state = p_to;
    if not found or v_who in ('bond', 'decision') then
        raise exception 'A market cannot go from % to %.', v_market.state, p_to
            using errcode = 'PR410', column = 'state';
    end if;
    if not (v_is_admin or (v_who = 'creator' and v_market.creator = v_actor)) then
        raise exception 'Only % may do this.',
            case v_who when 'creator' then 'the creator or an admin' else 'an admin' end
            using errcode = 'PR403';
    end if;

    -- One that is created there after all goes on by the chain's word.
    if v_market.venue = 'solana' and exists (
        select from public.chain_markets as c where c.market_id = p_market_id) then
        raise exception 'The market is on chain, which alone moves it.'
            using errcode = 'PR410', column = 'state';
    end if;

    if p_to = 'ACTIVE' and v_market.closes_at <= v_now then
        raise exception 'The market has passed its close.'
            using errcode = 'PR410', column = 'closes_at';
    elsif p_to = 'RESOLVING' and v_market.closes_at > v_now then
        raise exception 'The market has not closed yet.'
            using errcode = 'PR410', column = 'closes_at';
    elsif p_to = 'FINALIZED'
        and v_market.proposed_at + make_interval(secs => v_market.dispute_window_s) > v_now then
        raise exception 'The dispute window is not over.'
            using errcode = 'PR410', column = 'dispute_window_s';
    end if;

    if p_to = 'RESOLVING' and not public.payout_fits(p_market_id, p_payout_bps) then
        raise exception 'The payout vector does not fit the market.'
            using errcode = 'PR400', column = 'payout_bps';
    end if;

    update public.markets m
    set state = p_to,
        updated_at = v_now,
        fee_bps = case when p_to = 'APPROVED' then coalesce(p_fee_bps, m.fee_bps) else m.fee_bps end,
        maker_rebate_bps = case when p_to = 'APPROVED'
            then coalesce(p_maker_rebate_bps, m.maker_rebate_bps) else m.maker_rebate_bps end,
        proposed_payout_bps = case when p_to = 'RESOLVING' then p_payout_bps
            else m.proposed_payout_bps end,
        proposed_at = case when p_to = 'RESOLVING' then v_now else m.proposed_at end,
        proposed_by = case when p_to = 'RESOLVING' then v_actor else m.proposed_by end,
        resolution_evidence = case when p_to = 'RESOLVING' then p_evidence
            else m.resolution_evidence end,
        claims_available_at = case when p_to = 'RESOLVING'
            then v_now + make_interval(secs => m.dispute_window_s) else m.claims_available_at end,
        final_payout_bps = case when p_to = 'FINALIZED' then m.proposed_payout_bps
            else m.final_payout_bps end,
        finalized_at = case when p_to = 'FINALIZED' then v_now else m.finalized_at end
    where m.id = p_market_id;

    perform public.record_move(p_market_id, 'move_market', v_market.state, p_to, p_reason, '{}',
        p_request_id, p_ip, v_now);
    return query select p_market_id, v_market.slug, v_market.state, p_to, v_now;
end;
$$;
revoke all on function public.move_market from public;
grant execute on function public.move_market to presage_api, presage_admin, presage_worker;
