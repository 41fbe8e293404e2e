-- The largest holders of a market, by wallet, over each side of each outcome. Definer: positions are
-- private rows, but who holds most of a market is published.
-- Each side's largest come off an index, so the number of holders does not matter. What a side adds
-- up to is the escrow in a binary market (every payout there is one YES and one NO) until payouts
-- begin; else it is summed.
create or replace function public.market_holders(p_market_id uuid, p_limit integer)
returns table (
    address text, outcome smallint, "position" text, held_lots bigint, share_bps integer
)
language sql stable security definer set search_path = ''
as $$
    with sides as materialized (
        select o.outcome, s.side
        from public.outcomes o
        cross join (values ('YES'), ('NO')) s (side)
        where o.market_id = p_market_id
    ),
    escrow as materialized (
        select a.balance_micros / 10000 as lots
        from public.markets m
        join public.market_ledgers l on l.market_id = m.id
        join public.accounts a on a.id = l.escrow_account
        where m.id = p_market_id and m.market_type = 'binary' and m.state <> 'FINALIZED'
    ),
    largest as materialized (
        select p.user_id, s.outcome, s.side, p.held_lots
        from sides s
        cross join lateral (
            select h.user_id, h.held_lots from public.positions h
            where h.market_id = p_market_id and h.outcome = s.outcome and h.position = s.side
              and h.held_lots > 0
            order by h.held_lots desc limit p_limit
        ) p
        order by p.held_lots desc limit p_limit
    ),
    totals as materialized (
        select d.outcome, d.side, coalesce(
            (select e.lots from escrow e),
            (select sum(h.held_lots) from public.positions h
             where h.market_id = p_market_id and h.outcome = d.outcome and h.position = d.side
               and h.held_lots > 0)) as lots
        from (select distinct outcome, side from largest) d
    )
    select u.address, l.outcome, l.side, l.held_lots,
           (l.held_lots::numeric * 10000 / nullif(t.lots, 0))::integer
    from largest l
    join totals t on t.outcome = l.outcome and t.side = l.side
    join public.users u on u.id = l.user_id
    order by l.held_lots desc, u.address;
$$;
revoke all on function public.market_holders from public;
grant execute on function public.market_holders to presage_api, presage_admin, presage_worker;
