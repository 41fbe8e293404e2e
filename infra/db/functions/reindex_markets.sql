-- Why: rebuilds what the events of some markets add up to, from chain_events alone, in one
-- transaction: the tables are whole before and after it, and deliveries wait for its end. It takes
-- the next markets after p_after by their id on chain, p_rows events that are no trades at a time; no
-- row is answered when there is none.
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
    v_events  bigint;
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
    -- Every trade counts at first. What accounts told comes after, and begins the shares anew.
    with sums as materialized (
        select t.market, t.wallet, sum(t.shares_yes) as yes, sum(t.shares_no) as no,
            coalesce(sum(t.amount) filter (where t.side = 'buy'), 0) as paid,
            coalesce(sum(t.amount) filter (where t.side = 'sell'), 0) as received,
            count(*) as trades
        from public.chain_trades as t
        where t.market = any (v_markets)
        group by t.market, t.wallet
    ),
    holders as (
        insert into public.chain_positions
            (market, wallet, shares_yes, shares_no, paid, received, trades)
        select s.market, s.wallet, s.yes, s.no, s.paid, s.received, s.trades from sums as s
    ),
    totals as (
        select s.market, sum(s.yes) as yes, sum(s.no) as no, sum(s.paid + s.received) as volume,
            sum(s.trades) as trades
        from sums as s
        group by s.market
    ),
    latest as (
        select distinct on (t.market) t.market, t.price_yes, t.place
        from public.chain_trades as t
        where t.market = any (v_markets)
        order by t.market, t.place desc
    )
    insert into public.chain_markets (market, market_id, address, shares_yes, shares_no, volume,
        trades, price_yes, price_order)
    select a.market, a.market_id, a.address, coalesce(t.yes, 0), coalesce(t.no, 0),
        coalesce(t.volume, 0), coalesce(t.trades, 0), l.price_yes, l.place
    from public.chain_addresses as a
    left join totals as t on t.market = a.market
    left join latest as l on l.market = a.market
    where a.market = any (v_markets);
    select coalesce(sum(m.trades), 0) into v_events
    from public.chain_markets as m
    where m.market = any (v_markets);

    foreach v_market in array v_markets loop
        v_last := null;
        loop
            select array_agg(e::public.chain_events) into v_rows
            from (
                select * from public.chain_events as n
                where n.market = v_market and n.event_type not in ('SharesBought', 'SharesSold')
                  and (v_last.signature is null
                       or (n.block_time, n.slot, n.tx_index, n.ordinal, n.signature)
                        > (v_last.block_time, v_last.slot, v_last.tx_index, v_last.ordinal,
                           v_last.signature))
                order by n.block_time, n.slot, n.tx_index, n.ordinal, n.signature
                limit p_rows
            ) as e;
            exit when v_rows is null;
            perform public.project_events(v_rows, null, null, p_now);
            v_events := v_events + cardinality(v_rows);
            v_last := v_rows[cardinality(v_rows)];
        end loop;
    end loop;
    perform public.follow_chain_markets(null, v_markets, null, p_now);
    return query select v_markets[cardinality(v_markets)], cardinality(v_markets), v_events;
end;
$$;
revoke execute on function public.reindex_markets from public;
grant execute on function public.reindex_markets to presage_worker;
