-- Why definer: positions on the exchange are their holder's, and an admin may see them by wallet
-- (readable_user). Both sides of an outcome are one row, after (p_market_id, p_outcome) where given.
create or replace function public.user_positions(
    p_wallet text, p_as_admin boolean, p_market_id uuid, p_outcome bigint, p_limit integer
) returns table (
    market_id uuid, outcome smallint, yes_lots numeric, no_lots numeric, cost_micros numeric,
    realised_micros numeric
)
language sql stable security definer set search_path = ''
as $$
    select p.market_id, p.outcome,
           coalesce(sum(p.held_lots) filter (where p.position = 'YES'), 0),
           coalesce(sum(p.held_lots) filter (where p.position = 'NO'), 0),
           sum(p.cost_micros), sum(p.realised_micros)
    from public.positions as p
    where p.user_id = (select public.readable_user(p_wallet, p_as_admin))
      and (p.held_lots > 0 or p.realised_micros <> 0)
      and (p_market_id is null
           or (p.market_id >= p_market_id and (p.market_id, p.outcome) > (p_market_id, p_outcome)))
    group by p.market_id, p.outcome
    order by p.market_id, p.outcome
    limit least(p_limit, 101)
$$;
revoke execute on function public.user_positions(text, boolean, uuid, bigint, integer) from public;
grant execute on function public.user_positions(text, boolean, uuid, bigint, integer)
    to presage_api, presage_admin, presage_worker;
