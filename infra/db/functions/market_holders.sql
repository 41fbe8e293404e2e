-- The largest holders of a market, by wallet, over each side of each outcome. Definer: positions are
-- private rows, but who holds most of a market is published.
-- One pass over the holders and no index by size: that would move every position at every trade
-- (16 us and 370 bytes of WAL each), against 20 ms a look at 100,000 holders, which is cached. Only
-- the largest are given their wallet.
create or replace function public.market_holders(p_market_id uuid, p_limit integer)
returns table (
    address text, outcome smallint, "position" text, held_lots bigint, share_bps integer
)
language sql stable security definer set search_path = ''
as $$
    with escrow as materialized (
        -- A binary market's escrow is a side's sum (each payout there is one YES and one NO) until
        -- it begins to be paid out.
        select a.balance_micros / 10000 as lots
        from public.markets m
        join public.market_ledgers l on l.market_id = m.id
        join public.accounts a on a.id = l.escrow_account
        where m.id = p_market_id and m.market_type = 'binary' and m.state <> 'FINALIZED'
    ),
    largest as materialized (
        select p.user_id, p.outcome, p.position, p.held_lots
        from public.positions p
        where p.market_id = p_market_id and p.held_lots > 0
        order by p.held_lots desc, p.user_id limit p_limit
    ),
    sums as materialized (
        select p.outcome, p.position, sum(p.held_lots) as lots
        from public.positions p
        where p.market_id = p_market_id and p.held_lots > 0 and not exists (select from escrow)
        group by p.outcome, p.position
    )
    select u.address, l.outcome, l.position, l.held_lots,
           (l.held_lots::numeric * 10000
            / nullif(coalesce((select e.lots from escrow e), s.lots), 0))::integer
    from largest l
    join public.users u on u.id = l.user_id
    left join sums s on s.outcome = l.outcome and s.position = l.position
    order by l.held_lots desc, u.address;
$$;
revoke all on function public.market_holders from public;
grant execute on function public.market_holders to presage_api, presage_admin, presage_worker;
