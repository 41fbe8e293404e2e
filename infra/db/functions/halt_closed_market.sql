-- Marks a market past its close as halted once its orders are released. Tidying only: the match
-- itself refuses whoever trades after the close.
create or replace function public.halt_closed_market(p_market_id uuid, p_now timestamptz)
returns boolean
language plpgsql volatile security definer set search_path = ''
as $$
begin
    update public.markets m
    set trading_status = 'halted', updated_at = p_now
    where m.id = p_market_id and m.closes_at <= p_now and m.trading_status <> 'halted'
      and not exists (
          select from public.orders o where o.market_id = p_market_id and o.is_open);
    if not found then
        return false;
    end if;
    insert into public.outbox (topic, market_id, payload, created_at)
    values ('trading_status', p_market_id, '{"tradingStatus": "halted"}', p_now);
    return true;
end;
$$;
revoke all on function public.halt_closed_market from public;
grant execute on function public.halt_closed_market to presage_worker;
