-- Why: adds newly kept events that are no trades to what the chain's tables say: the latest word in
-- chain order (chain_market_facts), read anew for the markets that moved. p_traded are markets whose
-- trades were added (project_trades). The caller holds the indexer's lock, so nobody else writes
-- these tables. Answers the markets here whose state has changed.
create or replace function public.project_events(
    p_events public.chain_events[], p_traded text[], p_request_id text, p_now timestamptz
) returns uuid[]
language plpgsql volatile set search_path = ''
as $$
declare
    v_moved   text[];
    v_held    text[];
    v_looked  boolean;
    v_configs boolean;
    v_claims  boolean;
    v_votes   boolean;
begin
    select array_agg(distinct r.market) filter (where r.event_type not in ('WinningsClaimed',
            'ProposalVoteSubmitted', 'DisputeVoteSubmitted', 'LiquidityWithdrawn',
            'PositionObserved', 'Unknown')),
        p_traded || array_agg(distinct r.market) filter (where r.event_type = 'PositionObserved'),
        bool_or(r.event_type = 'PositionObserved'),
        bool_or(r.event_type in ('ConfigUpdated', 'GlobalConfigInitialized',
            'ProtocolPauseStatusChanged', 'ConfigObserved')),
        bool_or(r.event_type = 'WinningsClaimed'),
        bool_or(r.event_type in ('ProposalVoteSubmitted', 'DisputeVoteSubmitted'))
    into v_moved, v_held, v_looked, v_configs, v_claims, v_votes
    from unnest(p_events) as r;

    if v_looked then
        perform public.project_observed_positions(p_events);
    end if;
    if v_claims then
        -- The programme lets a position claim once: its account may have told it already.
        insert into public.chain_positions as p (market, wallet, claimed, has_claimed)
        select r.market, r.wallet, max((r.data ->> 'amount')::numeric), true
        from unnest(p_events) as r
        where r.event_type = 'WinningsClaimed' and r.market is not null
        group by r.market, r.wallet
        on conflict (market, wallet) do update
        set claimed = greatest(p.claimed, excluded.claimed), has_claimed = true;
    end if;
    if v_votes then
        insert into public.chain_votes as v (market, wallet, kind, vote, voted_at, vote_order)
        select distinct on (r.market, r.wallet, r.event_type) r.market, r.wallet,
            case r.event_type when 'DisputeVoteSubmitted' then 'dispute' else 'proposal' end,
            (r.data ->> 'vote')::boolean, to_timestamp((r.data ->> 'timestamp')::double precision),
            array[r.slot, r.tx_index, r.ordinal]
        from unnest(p_events) as r
        where r.event_type in ('ProposalVoteSubmitted', 'DisputeVoteSubmitted')
        order by r.market, r.wallet, r.event_type, r.slot, r.tx_index, r.ordinal
        on conflict (market, wallet, kind) do update
        set vote = excluded.vote, voted_at = excluded.voted_at, vote_order = excluded.vote_order
        where excluded.vote_order < v.vote_order;
    end if;
    if v_configs then
        perform public.project_chain_config();
    end if;
    if v_moved is not null then
        perform public.project_chain_markets(v_moved);
    end if;
    return public.follow_chain_markets(v_moved, v_held, p_request_id, p_now);
end;
$$;
revoke execute on function public.project_events(
    public.chain_events[], text[], text, timestamptz) from public;
