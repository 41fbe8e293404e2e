-- The largest holders of each side of each outcome, by wallet. Definer: positions are private rows,
-- but who holds most of a market is published.
create or replace function public.market_holders(p_market_id uuid, p_limit integer)
returns table (
    address text, outcome smallint, "position" text, held_lots bigint, share_bps integer
)
language sql stable security definer set search_path = ''
as $$
    select u.address, p.outcome, p.position, p.held_lots,
           (p.held_lots * 10000 / nullif(sum(p.held_lots) over (partition by p.outcome, p.position), 0)
           )::integer
    from public.positions p
    join public.users u on u.id = p.user_id
    where p.market_id = p_market_id and p.held_lots > 0
    order by p.held_lots desc, u.address
    limit p_limit;
$$;
revoke all on function public.market_holders from public;
grant execute on function public.market_holders to presage_api, presage_admin, presage_worker;
