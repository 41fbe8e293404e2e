-- Why: a market as its events up to a slot tell it: for each column of chain_markets the latest word
-- in chain order, in whichever order they were indexed. `state_at` is the event that set the state.
create or replace function public.chain_market_facts(p_markets text[], p_slot bigint)
returns table (market text, facts jsonb, state_at jsonb)
language sql stable set search_path = ''
as $$
    with told as (
        select e.market, f.key, f.value, e.signature, o.place
        from public.chain_events as e
        cross join lateral (select array[e.slot, e.tx_index, e.ordinal] as place) as o
        cross join lateral jsonb_each(public.chain_facts(e.event_type, e.data, o.place)) as f
        where e.market = any (p_markets) and e.slot <= p_slot
          and e.event_type not in ('SharesBought', 'SharesSold', 'WinningsClaimed',
              'ProposalVoteSubmitted', 'DisputeVoteSubmitted', 'LiquidityWithdrawn', 'Unknown')
    ),
    latest as (
        select distinct on (t.market, t.key) t.market, t.key, t.value, t.signature, t.place
        from told as t
        order by t.market, t.key, t.place desc
    )
    select l.market, jsonb_object_agg(l.key, l.value),
        (array_agg(jsonb_build_object('order', l.place, 'signature', l.signature))
            filter (where l.key = 'state'))[1]
    from latest as l
    group by l.market
$$;
revoke execute on function public.chain_market_facts(text[], bigint) from public;
