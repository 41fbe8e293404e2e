-- Why: adds newly kept trades, summed by market and wallet, to what the chain's tables say: sums add
-- up in any order. The caller holds the indexer's lock, so nobody else writes these tables.
create or replace function public.project_trades(p_sums public.chain_trade_sums) returns void
language plpgsql volatile set search_path = ''
-- However many there are, each finds its position by the key, whatever statistics say.
set plan_cache_mode = 'force_generic_plan'
as $$
begin
    -- The lock lets nobody else begin a position meanwhile.
    merge into public.chain_positions as p
    using (
        select n.market collate "C" as market, n.wallet collate "C" as wallet, n.yes, n.no, n.paid,
            n.received, n.trades
        from unnest(p_sums.markets, p_sums.wallets, p_sums.yes, p_sums.no, p_sums.paid,
            p_sums.received, p_sums.trades) as n (market, wallet, yes, no, paid, received, trades)
    ) as n
    on p.market = n.market and p.wallet = n.wallet
    when matched then update
        set shares_yes = p.shares_yes + n.yes, shares_no = p.shares_no + n.no,
            paid = p.paid + n.paid, received = p.received + n.received,
            trades = p.trades + n.trades
    when not matched then insert
        (market, wallet, shares_yes, shares_no, paid, received, trades)
        values (n.market, n.wallet, n.yes, n.no, n.paid, n.received, n.trades);

    update public.chain_markets as m
    set shares_yes = m.shares_yes + n.yes,
        shares_no = m.shares_no + n.no,
        volume = m.volume + n.volume,
        trades = m.trades + n.trades,
        price_yes = case when m.price_order > l.place then m.price_yes else n.price end,
        price_order = greatest(m.price_order, l.place)
    from unnest(p_sums.traded, p_sums.traded_yes, p_sums.traded_no, p_sums.volumes,
        p_sums.traded_trades, p_sums.prices, p_sums.slots, p_sums.tx_indexes, p_sums.ordinals)
        as n (market, yes, no, volume, trades, price, slot, tx_index, ordinal)
    cross join lateral (select array[n.slot, n.tx_index, n.ordinal] as place) as l
    where m.market = n.market collate "C";
end;
$$;
revoke execute on function public.project_trades from public;
