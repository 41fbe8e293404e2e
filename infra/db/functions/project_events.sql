-- Why: adds newly kept events to what the chain's tables say. Sums add up in any order; everything
-- else is the latest word in chain order (chain_market_facts), read anew for the markets that moved.
-- Trades are read where they lie: those that this transaction has kept, which are of the blocks of
-- p_times, and p_trades. p_others are rows; p_markets are all that they are of. The caller holds the
-- indexer's lock, so nobody else writes these tables. Answers the markets here whose state has
-- changed.
create or replace function public.project_events(
    p_markets text[], p_times timestamptz[], p_trades text[], p_trade_ordinals integer[],
    p_others public.chain_events[], p_request_id text, p_now timestamptz
) returns uuid[]
language plpgsql volatile set search_path = ''
-- However many trades there are, each finds its position by the key, whatever statistics say.
set plan_cache_mode = 'force_generic_plan'
as $$
declare
    v_touched  text[];
    v_moved    text[];
    v_held     text[];
    v_based    text[];
    v_observed text[];
    v_looked   boolean;
    v_configs  boolean;
    v_claims   boolean;
    v_votes    boolean;
begin
    select p_markets || array_agg(distinct r.market) filter (where r.market <> all (p_markets)),
        array_agg(distinct r.market) filter (where r.event_type not in ('SharesBought', 'SharesSold',
            'WinningsClaimed', 'ProposalVoteSubmitted', 'DisputeVoteSubmitted',
            'LiquidityWithdrawn', 'PositionObserved', 'Unknown')),
        array_agg(distinct r.market) filter (where r.event_type = 'PositionObserved'),
        bool_or(r.event_type = 'PositionObserved'),
        bool_or(r.event_type in ('ConfigUpdated', 'GlobalConfigInitialized',
            'ProtocolPauseStatusChanged', 'ConfigObserved')),
        bool_or(r.event_type = 'WinningsClaimed'),
        bool_or(r.event_type in ('ProposalVoteSubmitted', 'DisputeVoteSubmitted'))
    into v_touched, v_moved, v_held, v_looked, v_configs, v_claims, v_votes
    from unnest(p_others) as r;

    insert into public.chain_markets (market, market_id, address)
    select a.market, a.market_id, a.address
    from public.chain_addresses as a
    where a.market = any (v_touched)
    order by a.market
    on conflict (market) do nothing;

    -- Shares that an account once told begin there: what was traded before is in them. A handful.
    select coalesce(array_agg(m.market), '{}') into v_based
    from public.chain_markets as m
    where m.market = any (v_touched) and m.base_order <> '{0,0,0}';
    select coalesce(array_agg(distinct p.market), '{}') into v_observed
    from public.chain_positions as p
    where p.market = any (v_touched) and p.base_order is not null;

    with trades as materialized (
        select e.market, e.wallet, e.event_type = 'SharesBought' as is_buy,
            (e.data ->> 'outcome')::boolean as is_yes,
            case e.event_type when 'SharesBought' then 1 else -1 end
                * (e.data ->> 'shares')::numeric as shares,
            coalesce(e.data ->> 'cost', e.data ->> 'proceeds')::numeric as amount,
            (e.data ->> 'new_price_yes')::numeric as price,
            e.slot, e.tx_index, e.ordinal,
            case when e.market = any (v_based) then (
                select array[e.slot, e.tx_index, e.ordinal] > m.base_order
                from public.chain_markets as m where m.market = e.market
            ) else true end as counts,
            case when e.market = any (v_observed) then coalesce((
                select array[e.slot, e.tx_index, e.ordinal] > p.base_order
                from public.chain_positions as p where p.market = e.market and p.wallet = e.wallet
            ), true) else true end as counts_to_holder
        from (
            select k.*
            from public.chain_events as k
            where k.event_type in ('SharesBought', 'SharesSold') and k.block_time = any (p_times)
              and k.xmin = pg_current_xact_id()::xid
            union all
            select k.*
            from unnest(p_trades, p_trade_ordinals) as t (signature, ordinal)
            join public.chain_events as k
                on k.signature = t.signature collate "C" and k.ordinal = t.ordinal
        ) as e
    ),
    holders as (
        -- The lock lets nobody else begin a position meanwhile.
        merge into public.chain_positions as p
        using (
            select t.market, t.wallet,
                coalesce(sum(t.shares) filter (where t.is_yes and t.counts_to_holder), 0) as yes,
                coalesce(sum(t.shares) filter (where not t.is_yes and t.counts_to_holder), 0) as no,
                coalesce(sum(t.amount) filter (where t.is_buy), 0) as paid,
                coalesce(sum(t.amount) filter (where not t.is_buy), 0) as received, count(*) as trades
            from trades as t
            group by t.market, t.wallet
        ) as n
        on p.market = n.market and p.wallet = n.wallet
        when matched then update
            set shares_yes = p.shares_yes + n.yes, shares_no = p.shares_no + n.no,
                paid = p.paid + n.paid, received = p.received + n.received,
                trades = p.trades + n.trades
        when not matched then insert
            (market, wallet, shares_yes, shares_no, paid, received, trades)
            values (n.market, n.wallet, n.yes, n.no, n.paid, n.received, n.trades)
    ),
    traded as (
        select t.market, coalesce(sum(t.shares) filter (where t.is_yes and t.counts), 0) as yes,
            coalesce(sum(t.shares) filter (where not t.is_yes and t.counts), 0) as no,
            sum(t.amount) as volume, count(*) as trades
        from trades as t
        group by t.market
    ),
    latest as (
        select distinct on (t.market) t.market, t.price,
            array[t.slot, t.tx_index, t.ordinal] as place
        from trades as t
        order by t.market, t.slot desc, t.tx_index desc, t.ordinal desc
    ),
    summed as (
        update public.chain_markets as m
        set shares_yes = m.shares_yes + t.yes,
            shares_no = m.shares_no + t.no,
            volume = m.volume + t.volume,
            trades = m.trades + t.trades,
            price_yes = case when m.price_order > l.place then m.price_yes else l.price end,
            price_order = greatest(m.price_order, l.place)
        from traded as t
        join latest as l on l.market = t.market
        where m.market = t.market
        returning m.market
    )
    select v_held || array_agg(s.market) into v_held from summed as s;

    if v_looked then
        perform public.project_observed_positions(p_others);
    end if;
    if v_claims then
        insert into public.chain_positions as p (market, wallet, claimed, has_claimed)
        select r.market, r.wallet, sum((r.data ->> 'amount')::numeric), true
        from unnest(p_others) as r
        where r.event_type = 'WinningsClaimed' and r.market is not null
        group by r.market, r.wallet
        on conflict (market, wallet) do update
        set claimed = p.claimed + excluded.claimed, has_claimed = true;
    end if;
    if v_votes then
        insert into public.chain_votes as v (market, wallet, kind, vote, voted_at, vote_order)
        select distinct on (r.market, r.wallet, r.event_type) r.market, r.wallet,
            case r.event_type when 'DisputeVoteSubmitted' then 'dispute' else 'proposal' end,
            (r.data ->> 'vote')::boolean, to_timestamp((r.data ->> 'timestamp')::double precision),
            array[r.slot, r.tx_index, r.ordinal]
        from unnest(p_others) as r
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
revoke execute on function public.project_events from public;
