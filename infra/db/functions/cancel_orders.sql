-- Why: the kill switch. Takes at most 1,000 of the actor's open orders, oldest first (all markets
-- when p_market_id is null), locks their markets in id order and releases what is still open then:
-- the caller calls again until nothing comes back. Raises PR401.
create or replace function public.cancel_orders(p_market_id uuid, p_now timestamptz)
returns table (
    order_id uuid, status text, filled_lots bigint, released_lots bigint, released_micros bigint
)
language plpgsql volatile security definer set search_path = ''
as $$
declare
    c_max_orders constant integer := 1000;
    v_actor uuid := public.actor_id();
    v_ids   uuid[];
begin
    if v_actor is null then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    select array_agg(s.id) into v_ids
    from (
        select o.id from public.orders as o
        where o.user_id = v_actor and o.is_open
          and (p_market_id is null or o.market_id = p_market_id)
        order by o.seq
        limit c_max_orders
    ) as s;
    perform from public.markets as m
    where m.id in (select o.market_id from public.orders as o where o.id = any (v_ids))
    order by m.id
    for no key update;
    return query select * from public.release_orders(
        v_ids, 'cancelled', public.effective_now(p_now));
end;
$$;
revoke execute on function public.cancel_orders(uuid, timestamptz) from public;
grant execute on function public.cancel_orders(uuid, timestamptz) to presage_api;
