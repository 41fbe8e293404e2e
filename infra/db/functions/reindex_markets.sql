-- Why: rebuilds what the events of some markets add up to, from chain_events alone, in one
-- transaction: the tables are whole before and after it, and deliveries wait for its end. It takes
-- the next markets after p_after by their id on chain, p_rows events at a time; no row is answered
-- when there is none.
-- Definer: as index_events. What belongs to no market that was ever met goes.
create or replace function public.reindex_markets(
    p_after text, p_limit integer, p_rows integer, p_now timestamptz
) returns table (last_market text, markets integer, events bigint)
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_markets text[];
    v_market  text;
    v_rows    public.chain_events[];
    v_last    public.chain_events;
    v_events  bigint := 0;
begin
    perform public.lock_indexer();
    if p_after is null then
        delete from public.chain_markets as m
        where not exists (select from public.chain_addresses as a where a.market = m.market);
        delete from public.chain_positions as p
        where not exists (select from public.chain_addresses as a where a.market = p.market);
        delete from public.chain_votes as v
        where not exists (select from public.chain_addresses as a where a.market = v.market);
        perform public.project_chain_config();
    end if;
    select array_agg(n.market order by n.market) into v_markets
    from (
        select a.market from public.chain_addresses as a
        where p_after is null or a.market > p_after
        order by a.market
        limit p_limit
    ) as n;
    if v_markets is null then
        return;
    end if;
    delete from public.dispute_weights as w
    using public.chain_addresses as a
    where a.market = any (v_markets) and w.market_id = a.market_id
      and exists (select from public.markets as k where k.id = w.market_id and k.venue = 'solana');
    delete from public.chain_markets as m where m.market = any (v_markets);
    delete from public.chain_positions as p where p.market = any (v_markets);
    delete from public.chain_votes as v where v.market = any (v_markets);
    foreach v_market in array v_markets loop
        v_last := null;
        loop
            select array_agg(e::public.chain_events) into v_rows
            from (
                select * from public.chain_events as n
                where n.market = v_market
                  and (v_last.signature is null
                       or (n.block_time, n.slot, n.tx_index, n.ordinal, n.signature)
                        > (v_last.block_time, v_last.slot, v_last.tx_index, v_last.ordinal,
                           v_last.signature))
                order by n.block_time, n.slot, n.tx_index, n.ordinal, n.signature
                limit p_rows
            ) as e;
            exit when v_rows is null;
            perform public.project_events(
                array[v_market], null,
                array_agg(r.signature) filter (where r.event_type in ('SharesBought', 'SharesSold')),
                array_agg(r.ordinal) filter (where r.event_type in ('SharesBought', 'SharesSold')),
                array_agg(r) filter (where r.event_type not in ('SharesBought', 'SharesSold')),
                null, p_now
            )
            from unnest(v_rows) as r;
            v_events := v_events + cardinality(v_rows);
            v_last := v_rows[cardinality(v_rows)];
        end loop;
        -- What the shares begin from was known before the last of their trades was added.
        update public.chain_markets as m
        set shares_yes = m.base_yes + t.yes, shares_no = m.base_no + t.no
        from public.chain_shares_traded(v_market, (
            select c.base_order from public.chain_markets as c where c.market = v_market), '-infinity'
        ) as t
        where m.market = v_market;
        select array_agg(e::public.chain_events) into v_rows
        from public.chain_events as e
        where e.market = v_market and e.event_type = 'PositionObserved';
        perform public.project_observed_positions(v_rows);
        perform public.follow_chain_markets(null, array[v_market], null, p_now);
    end loop;
    return query select v_markets[cardinality(v_markets)], cardinality(v_markets), v_events;
end;
$$;
revoke execute on function public.reindex_markets from public;
grant execute on function public.reindex_markets to presage_worker;
