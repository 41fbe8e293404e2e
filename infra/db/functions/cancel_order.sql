-- Why: a cancel and a match must not pass each other, so the order is found, its market locked, and
-- only then is the order judged. Whatever state the market is in, its owner gets the money back.
-- Raises PR401, PR404 (no such order of the actor), PR410 (final already).
create or replace function public.cancel_order(p_order_id uuid, p_now timestamptz)
returns table (
    order_id uuid, status text, filled_lots bigint, released_lots bigint, released_micros bigint
)
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_actor  uuid := public.actor_id();
    v_market uuid;
begin
    if v_actor is null then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    select o.market_id into v_market
    from public.orders as o
    where o.id = p_order_id and o.user_id = v_actor;
    if not found then
        raise exception using errcode = 'PR404', message = 'there is no such order';
    end if;
    perform from public.markets as m where m.id = v_market for no key update;
    return query select * from public.release_orders(
        array[p_order_id], 'cancelled', public.effective_now(p_now));
    if not found then
        raise exception using errcode = 'PR410', message = 'the order is final already';
    end if;
end;
$$;
revoke execute on function public.cancel_order(uuid, timestamptz) from public;
grant execute on function public.cancel_order(uuid, timestamptz) to presage_api;
