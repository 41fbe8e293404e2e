-- Why: lowering an order's size in place keeps its turn in the book, which a cancel and a new order
-- would lose. p_size_lots is the new whole size, filled part included: at the filled part the order
-- is done. What the cut held goes back to the owner, whatever state the market is in; the size it
-- has already is a repeat and changes nothing. released_micros is the cash a buy gets back.
-- Raises PR400 (size: above the present one, under the filled part or the smallest), PR401, PR404,
-- PR410 (final already).
create or replace function public.amend_order(
    p_order_id uuid, p_size_lots bigint, p_now timestamptz
) returns table (
    order_id uuid, status text, size_lots bigint, filled_lots bigint, remaining_lots bigint,
    released_lots bigint, released_micros bigint
)
language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
    v_actor  uuid := public.actor_id();
    v_now    timestamptz;
    v_market record;
    v_order  public.orders;
    v_cut    bigint;
    v_micros bigint;
begin
    if v_actor is null then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    select o.* into v_order from public.orders as o
    where o.id = p_order_id and o.user_id = v_actor;
    if not found then
        raise exception using errcode = 'PR404', message = 'there is no such order';
    end if;
    select m.min_size_lots, l.orders_account into v_market
    from public.markets as m
    join public.market_ledgers as l on l.market_id = m.id
    where m.id = v_order.market_id
    for no key update of m;
    v_now := public.effective_now(p_now);
    select o.* into v_order from public.orders as o where o.id = p_order_id;  -- as it is now
    if not v_order.is_open then
        raise exception using errcode = 'PR410', message = 'the order is final already';
    elsif p_size_lots is null or p_size_lots > v_order.size_lots
        or p_size_lots < greatest(v_order.filled_lots, v_market.min_size_lots) then
        raise exception using errcode = 'PR400', column = 'size',
            message = format('size is between %s and %s shares',
                trim_scale(greatest(v_order.filled_lots, v_market.min_size_lots) / 100.0),
                trim_scale(v_order.size_lots / 100.0));
    end if;

    v_cut := v_order.size_lots - p_size_lots;
    v_micros := case v_order.side when 'BUY' then v_cut * v_order.price_bps else 0 end;
    v_order.remaining_lots := v_order.remaining_lots - v_cut;
    if v_order.remaining_lots = 0 then
        v_order.status := 'filled';
    end if;
    if v_cut > 0 then
        perform from public.accounts as a
        where v_micros > 0 and a.id in (v_order.account_id, v_market.orders_account)
        order by a.id
        for no key update;
        update public.orders as o set
            size_lots = p_size_lots,
            placed_size_lots = coalesce(o.placed_size_lots, o.size_lots),
            remaining_lots = v_order.remaining_lots,
            status = v_order.status,
            is_open = v_order.remaining_lots > 0,
            updated_at = v_now
        where o.id = p_order_id;
        if v_micros > 0 then
            insert into public.transfers
                (debit_account, credit_account, amount_micros, kind, reference, market_id, created_at)
            values (v_market.orders_account, v_order.account_id, v_micros, 'release', p_order_id,
                    v_order.market_id, v_now);
            update public.accounts as a set
                balance_micros = a.balance_micros
                    + case a.id when v_order.account_id then v_micros else -v_micros end
            where a.id in (v_order.account_id, v_market.orders_account);
        else
            update public.positions as p set
                locked_lots = p.locked_lots - v_cut, updated_at = v_now
            where p.market_id = v_order.market_id and p.user_id = v_actor
              and p.outcome = v_order.outcome and p.position = v_order.position;
        end if;
        insert into public.outbox (topic, market_id, payload, created_at)
        values ('order', v_order.market_id, jsonb_build_object(
            'order', jsonb_build_object(
                'order_id', p_order_id, 'user_id', v_actor, 'outcome', v_order.outcome,
                'position', v_order.position, 'side', v_order.side,
                'price_bps', v_order.price_bps, 'size_lots', p_size_lots,
                'status', v_order.status, 'filled_lots', v_order.filled_lots,
                'remaining_lots', v_order.remaining_lots, 'released_lots', v_cut,
                'client_order_id', v_order.client_order_id),
            'fills', '[]'::jsonb), v_now);
    end if;
    return query select p_order_id, v_order.status::text, p_size_lots, v_order.filled_lots,
        v_order.remaining_lots, v_cut, v_micros;
end;
$$;
revoke execute on function public.amend_order(uuid, bigint, timestamptz) from public;
grant execute on function public.amend_order(uuid, bigint, timestamptz) to presage_api;
