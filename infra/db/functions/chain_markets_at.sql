-- Why: markets as what was indexed tells them at a slot, to be held against their accounts at that
-- slot: what happened since is taken off. A market that was itself looked at later is left out.
-- as_of is the time of the last event by then. Definer: the tables are the indexer's.
create or replace function public.chain_markets_at(p_markets text[], p_slot bigint)
returns table (
    market text, market_id uuid, state text, shares_yes numeric, shares_no numeric,
    b_parameter numeric, as_of timestamptz
)
language sql stable security definer set search_path = ''
as $$
    with last as (
        select coalesce((
            select e.block_time from public.chain_events as e
            where e.slot <= p_slot and e.event_type not in ('MarketObserved', 'ConfigObserved')
            order by e.block_time desc, e.slot desc, e.tx_index desc, e.ordinal desc
            limit 1), '-infinity') as moment
    )
    select m.market, m.market_id, n.state, m.shares_yes - t.yes, m.shares_no - t.no, n.b_parameter,
        nullif(l.moment, '-infinity')
    from last as l
    cross join public.chain_markets as m
    left join public.chain_market_facts(p_markets, p_slot) as f on f.market = m.market
    left join lateral jsonb_populate_record(null::public.chain_markets, f.facts) as n on true
    cross join lateral public.chain_shares_traded(
        m.market, array[p_slot, 2147483647, 2147483647], l.moment) as t
    where m.market = any (p_markets) and m.base_order[1] <= p_slot
$$;
revoke execute on function public.chain_markets_at(text[], bigint) from public;
grant execute on function public.chain_markets_at(text[], bigint) to presage_worker;
