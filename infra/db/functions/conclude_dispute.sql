-- Why: three days of votes end a native market's dispute. Votes that do not reach 60 %, and none at
-- all, let the proposed outcome stand, at once. Votes that do would move other people's money: an
-- admin decides, and is told how many took part. Answers 'refused', or 'escalated' where a human must.
-- Raises PR404, PR410 (not disputed, or its days are not over).
create or replace function public.conclude_dispute(
    p_market_id uuid, p_request_id text, p_ip text, p_now timestamptz
) returns table (decision text, percentage_bps integer, turnout_bps integer)
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_market  public.markets;
    v_now     timestamptz;
    v_tally   record;
    v_result  record;
    v_turnout integer;
begin
    select m.* into v_market from public.markets as m where m.id = p_market_id for no key update;
    if not found then
        raise exception using errcode = 'PR404', message = 'there is no such market';
    end if;
    v_now := public.effective_now(p_now);
    if v_market.state <> 'DISPUTED' or v_market.venue <> 'native' or v_market.due_at > v_now then
        raise exception using errcode = 'PR410', column = 'state',
            message = 'no dispute of this market is over';
    end if;
    select * into strict v_tally from public.market_tally(p_market_id, 'dispute');
    select * into strict v_result
    from public.vote_outcome('dispute', v_tally.yes, v_tally.no, v_tally.votes);
    select coalesce(trunc((v_tally.yes + v_tally.no) * 10000 / nullif(sum(w.weight), 0)), 0)
    into v_turnout
    from public.dispute_weights as w where w.market_id = p_market_id;

    insert into public.aggregation_results
        (market_id, kind, yes, no, percentage_bps, passed, purpose, created_at)
    values (p_market_id, 'dispute', v_tally.yes, v_tally.no, v_result.percentage_bps,
            v_result.passed, 'conclude_dispute', v_now);
    if v_result.passed then
        insert into public.escalations (kind, subject, market_id, reason, data, created_at)
        values ('resolution', 'dispute:' || p_market_id, p_market_id,
                'Holders want another outcome: uphold or refuse the dispute.',
                jsonb_build_object('percentageBps', v_result.percentage_bps,
                                   'turnoutBps', v_turnout, 'votes', v_tally.votes), v_now)
        on conflict (kind, subject) do nothing;
        if found then
            insert into public.notifications (user_id, type, market_id, created_at)
            select u.id, 'settlement_escalation', p_market_id, v_now
            from public.users as u where u.role <> 'user';
        end if;
    else
        perform public.decide_dispute(p_market_id, null, false,
            format('%s of 10,000 by weight wanted another outcome', v_result.percentage_bps),
            p_request_id, p_ip, v_now);
    end if;
    return query select case when v_result.passed then 'escalated' else 'refused' end,
        v_result.percentage_bps, v_turnout;
end;
$$;
revoke all on function public.conclude_dispute from public;
grant execute on function public.conclude_dispute to presage_worker;
