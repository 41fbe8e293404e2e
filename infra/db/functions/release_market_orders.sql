-- Why: orders of a market that stopped trading still hold their owners' money; the close workflow
-- returns it, p_limit orders a call. Answers how many it released: zero means none is left.
-- Raises PR404, and PR410 while the market still trades.
create or replace function public.release_market_orders(
    p_market_id uuid, p_limit integer, p_now timestamptz
) returns integer
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_now   timestamptz := public.effective_now(p_now);
    v_open  boolean;
    v_count integer;
begin
    select m.state = 'ACTIVE' and m.closes_at > v_now into v_open
    from public.markets as m
    where m.id = p_market_id
    for no key update;
    if not found then
        raise exception using errcode = 'PR404', message = 'there is no such market';
    elsif v_open then
        raise exception using errcode = 'PR410', message = 'the market still trades';
    end if;
    select count(*) into v_count
    from public.release_orders(
        array(select o.id from public.orders as o
              where o.market_id = p_market_id and o.is_open
              order by o.seq limit p_limit),
        'cancelled', v_now);
    return v_count;
end;
$$;
revoke execute on function public.release_market_orders(uuid, integer, timestamptz) from public;
grant execute on function public.release_market_orders(uuid, integer, timestamptz)
    to presage_admin, presage_worker;
