-- Why: an order past its expiry trades no more, but holds its owner's money until a match meets it
-- or this tidies it away. Takes at most p_limit of them, longest expired first, of any markets,
-- locking the markets by id, and answers how many it released: zero means none is left.
create or replace function public.expire_orders(p_limit integer, p_now timestamptz) returns integer
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_now   timestamptz := public.effective_now(p_now);
    v_ids   uuid[];
    v_count integer;
begin
    v_ids := array(
        select o.id from public.orders as o
        where o.is_open and o.expires_at <= v_now
        order by o.expires_at
        limit p_limit);
    perform from public.markets as m
    where m.id in (select o.market_id from public.orders as o where o.id = any (v_ids))
    order by m.id
    for no key update;
    select count(*) into v_count from public.release_orders(v_ids, 'expired', v_now);
    return v_count;
end;
$$;
revoke execute on function public.expire_orders(integer, timestamptz) from public;
grant execute on function public.expire_orders(integer, timestamptz)
    to presage_admin, presage_worker;
