-- Why: where a wallet's own account was looked at, its shares are what that held and every trade
-- since; what the logs of a trade before were cut off of is in it. The latest look counts. Its event
-- is of a time that no later trade is before. A claim, which is one for good, is told by it or by its
-- own event.
create or replace function public.project_observed_positions(p_rows public.chain_events[])
returns void
language sql volatile set search_path = ''
as $$
    insert into public.chain_positions as p (market, wallet, shares_yes, shares_no, base_order, claimed,
        has_claimed)
    select o.market, o.wallet, o.yes + t.yes, o.no + t.no, o.place, o.claimed, o.has_claimed
    from (
        select distinct on (r.market, r.wallet) r.market, r.wallet,
            (r.data ->> 'shares_yes')::numeric as yes, (r.data ->> 'shares_no')::numeric as no,
            array[r.slot, r.tx_index, r.ordinal] as place, r.block_time,
            coalesce((r.data ->> 'claimed_amount')::numeric, 0) as claimed,
            coalesce((r.data ->> 'has_claimed')::boolean, false) as has_claimed
        from unnest(p_rows) as r
        where r.event_type = 'PositionObserved'
        order by r.market, r.wallet, r.slot desc, r.tx_index desc
    ) as o
    cross join lateral public.wallet_shares_traded(
        o.market, o.wallet, o.place, o.block_time) as t
    on conflict (market, wallet) do update
    set shares_yes = excluded.shares_yes,
        shares_no = excluded.shares_no,
        base_order = excluded.base_order,
        claimed = greatest(p.claimed, excluded.claimed),
        has_claimed = p.has_claimed or excluded.has_claimed
    where p.base_order is null or p.base_order <= excluded.base_order
$$;
revoke execute on function public.project_observed_positions(public.chain_events[]) from public;
