-- Why: what was counted, what it comes to and, on a native market, the move that follows are one
-- transaction. Only the holder of the lease writes: p_fence is the token it was given. A native
-- market's votes are counted here, under its lock; a Solana market's were counted before its
-- transaction was signed, which has left the row already (p_is_sent).
-- told_at is when the votes were counted: p_now for those that come counted.
-- A tally that was told already leaves no row. Raises PR409 (the lease is another's), PR410.
create or replace function public.record_tally(
    p_market_id uuid, p_kind text, p_fence bigint, p_yes numeric, p_no numeric, p_votes bigint,
    p_is_sent boolean, p_request_id text, p_ip text, p_now timestamptz
) returns table (changed boolean, passed boolean)
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_market public.markets;
    v_tally  record;
    v_result record;
    v_told   record;
    v_at     timestamptz := p_now;
begin
    select m.* into strict v_market from public.markets as m where m.id = p_market_id
    for no key update;
    select t.told_yes, t.told_no into v_told
    from public.vote_tallies as t
    where t.market_id = p_market_id and t.kind = p_kind and t.fence = p_fence
    for no key update;
    if not found then
        raise exception using errcode = 'PR409', message = 'another run tallies this market';
    elsif v_market.state <> (case p_kind when 'proposal' then 'PROPOSED' else 'DISPUTED' end) then
        raise exception using errcode = 'PR410', column = 'state',
            message = format('the market is %s', v_market.state);
    end if;
    if v_market.venue = 'native' then
        v_at := public.effective_now(p_now);
        select * into strict v_tally from public.market_tally(p_market_id, p_kind);
    else
        select p_yes as yes, p_no as no, p_votes as votes into strict v_tally;
    end if;
    select * into strict v_result
    from public.vote_outcome(p_kind, v_tally.yes, v_tally.no, v_tally.votes);
    update public.vote_tallies as t
    set told_yes = v_tally.yes, told_no = v_tally.no, told_at = v_at, failures = 0,
        next_attempt_at = null, leased_until = null
    where t.market_id = p_market_id and t.kind = p_kind;
    if p_is_sent then
        return query select true, v_result.passed;
        return;
    elsif (v_tally.yes, v_tally.no) = (v_told.told_yes, v_told.told_no) then
        return query select false, v_result.passed;
        return;
    end if;
    insert into public.aggregation_results
        (market_id, kind, yes, no, percentage_bps, passed, created_at)
    values (p_market_id, p_kind, v_tally.yes, v_tally.no, v_result.percentage_bps, v_result.passed,
            p_now);
    if v_market.venue = 'native' and p_kind = 'proposal' and v_result.passed then
        perform public.move_market(p_market_id, 'APPROVED',
            format('%s of %s votes', v_tally.yes, v_tally.yes + v_tally.no), null, null, null, null,
            p_request_id, p_ip, p_now);
    end if;
    return query select true, v_result.passed;
end;
$$;
revoke all on function public.record_tally from public;
grant execute on function public.record_tally to presage_worker;
