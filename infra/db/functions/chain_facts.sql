-- Why: what one event says of its market, by the columns of chain_markets: the projection is the
-- latest word on each in chain order. `aggregate_dispute_votes` ends a dispute: the proposed outcome
-- is open again, or the market is final without an outcome. Recorded votes do not approve a proposal.
-- What an account held says it by the columns' names; its shares hold every trade before, and no
-- trade after is before base_since.
create or replace function public.chain_facts(p_event_type text, p_data jsonb, p_order bigint[])
returns jsonb
language sql stable set search_path = ''
as $$
    select case p_event_type
        when 'MarketCreated' then jsonb_build_object(
            'state', 'PROPOSED', 'creator', p_data -> 'creator',
            'b_parameter', p_data -> 'b_parameter', 'created_at', t.at,
            'base_yes', div((p_data ->> 'b_parameter')::numeric, 1000),
            'base_no', div((p_data ->> 'b_parameter')::numeric, 1000),
            'base_order', '{0,0,0}'::bigint[])
        when 'ProposalAggregated' then jsonb_build_object(
            'likes', p_data -> 'likes', 'dislikes', p_data -> 'dislikes')
        when 'ProposalApproved' then jsonb_build_object('state', 'APPROVED', 'approved_at', t.at)
        when 'MarketActivated' then jsonb_build_object(
            'state', 'ACTIVE', 'activated_at', t.at,
            'initial_liquidity', p_data -> 'initial_liquidity')
        when 'MarketResolved' then jsonb_build_object(
            'state', 'RESOLVING', 'resolved_at', t.at, 'resolver', p_data -> 'resolver',
            'proposed_outcome', p_data -> 'outcome', 'evidence_hash', p_data -> 'evidence_hash')
        when 'DisputeInitiated' then jsonb_build_object(
            'state', 'DISPUTED', 'disputed_at', t.at, 'was_disputed', true,
            'dispute_initiator', p_data -> 'initiator')
        when 'DisputeAggregated' then
            case when (p_data ->> 'dispute_succeeded')::boolean
                then jsonb_build_object('state', 'RESOLVING')
                else jsonb_build_object(
                    'state', 'FINALIZED', 'finalized_at', t.at, 'final_outcome', null)
            end
        when 'MarketFinalized' then jsonb_build_object(
            'state', 'FINALIZED', 'finalized_at', t.at, 'final_outcome', p_data -> 'final_outcome',
            'was_disputed', p_data -> 'was_disputed')
        when 'MarketCancelled' then jsonb_build_object('state', 'CANCELLED', 'cancelled_at', t.at)
        when 'MarketObserved' then
            jsonb_strip_nulls(p_data - array['market_id', 'timestamp', 'shares_yes', 'shares_no'])
            || jsonb_build_object(
                'proposed_outcome', p_data -> 'proposed_outcome',
                'final_outcome', p_data -> 'final_outcome',
                'base_yes', p_data -> 'shares_yes',
                'base_no', p_data -> 'shares_no',
                'base_order', p_order,
                'base_since', t.at)
        else '{}'
    end
    from (
        select to_timestamp(coalesce(p_data ->> 'timestamp', p_data ->> 'cancelled_at')
            ::double precision) as at
    ) as t
$$;
revoke execute on function public.chain_facts(text, jsonb, bigint[]) from public;
