-- Why: where a wallet's own account was looked at, its shares are what that held and every trade
-- since; what the logs of a trade before were cut off of is in it.
create or replace function public.project_observed_positions(p_markets text[]) returns void
language sql volatile set search_path = ''
as $$
    insert into public.chain_positions (market, wallet, shares_yes, shares_no)
    select o.market, o.wallet, o.yes + t.yes, o.no + t.no
    from (
        select distinct on (e.market, e.wallet) e.market, e.wallet,
            (e.data ->> 'shares_yes')::numeric as yes, (e.data ->> 'shares_no')::numeric as no,
            array[e.slot, e.tx_index, e.ordinal] as place
        from public.chain_events as e
        where e.event_type = 'PositionObserved' and e.market = any (p_markets)
        order by e.market, e.wallet, e.slot desc, e.tx_index desc
    ) as o
    cross join lateral public.chain_shares_traded(o.market, o.wallet, o.place, '-infinity') as t
    on conflict (market, wallet) do update
    set shares_yes = excluded.shares_yes, shares_no = excluded.shares_no
$$;
revoke execute on function public.project_observed_positions(text[]) from public;
