-- Why: the programme takes no empty vote, so when nobody voted in the three days of a dispute on
-- Solana an admin says which side holds. That is only kept here: market_monitor sends it, and the
-- chain's answer moves the market. Where anybody voted, the votes decide. The caller has locked the
-- market and checked the payout. Raises PR400 (payout_bps), PR410 (due_at, state).
create or replace function public.decide_chain_dispute(
    p_market_id uuid, p_payout_bps integer[], p_upheld boolean, p_reason text,
    p_request_id text, p_ip text, p_now timestamptz
) returns void
language plpgsql volatile set search_path = ''
as $$
declare
    v_market public.markets;
    v_votes  bigint;
begin
    select m.* into strict v_market from public.markets as m where m.id = p_market_id;
    select t.votes into strict v_votes from public.market_tally(p_market_id, 'dispute') as t;
    if v_market.venue <> 'solana' or v_market.dispute_upheld is not null then
        raise exception using errcode = 'PR410', column = 'state',
            message = 'the dispute is decided, or is not decided here';
    elsif (v_market.due_at <= p_now) is not true then
        raise exception using errcode = 'PR410', column = 'due_at',
            message = 'its three days of votes are not over';
    elsif v_votes > 0 then
        raise exception using errcode = 'PR410', column = 'state',
            message = 'the votes end this dispute: market_monitor sends them to the chain';
    elsif p_upheld and (p_payout_bps <> array[v_market.proposed_payout_bps[2],
                                              v_market.proposed_payout_bps[1]]) then
        raise exception using errcode = 'PR400', column = 'payout_bps',
            message = 'the programme turns YES into NO and NO into YES, and knows nothing else';
    end if;
    update public.markets as m set dispute_upheld = p_upheld, updated_at = p_now
    where m.id = p_market_id;
    perform public.answer_escalation(
        'dispute:' || p_market_id, coalesce(p_reason, 'The dispute is decided.'), p_now);
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        public.actor_id(), 'decide_dispute', 'market', p_market_id::text, p_request_id, p_ip,
        jsonb_build_object('is_upheld', p_upheld, 'payout_bps', p_payout_bps, 'reason', p_reason),
        p_now
    );
end;
$$;
revoke execute on function public.decide_chain_dispute(
    uuid, integer[], boolean, text, text, text, timestamptz
) from public;
