-- Why definer: trades are public, who traded is not. Newest first, before fill p_before_id (null:
-- from the newest), of one outcome or (null) all; at most 500. Prices in YES terms.
create or replace function public.market_trades(
    p_market_id uuid, p_outcome smallint, p_before_id bigint, p_limit integer
) returns table (
    fill_id bigint, outcome smallint, price_bps integer, size_lots bigint, taker_side text,
    taker_position text, kind text, created_at timestamptz
)
language sql stable security definer set search_path = ''
as $$
    select f.id, f.outcome, f.price_bps, f.size_lots, f.taker_side, f.taker_position, f.kind,
           f.created_at
    from public.fills as f
    where f.market_id = p_market_id
      and (p_outcome is null or f.outcome = p_outcome)
      and f.id < coalesce(p_before_id, 9223372036854775807)
    order by f.id desc
    limit least(p_limit, 500)
$$;
revoke execute on function public.market_trades(uuid, smallint, bigint, integer) from public;
grant execute on function public.market_trades(uuid, smallint, bigint, integer)
    to presage_api, presage_admin, presage_worker;
