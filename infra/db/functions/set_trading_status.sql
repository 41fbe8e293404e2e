-- Changes what a market takes: open, post_only, cancel_only or halted. Under the market's lock, so
-- that no order is half way through the match when it changes. A finished market stays halted.
create or replace function public.set_trading_status(
    p_market_id uuid, p_status text, p_reason text, p_request_id text, p_ip text,
    p_now timestamptz
) returns table (id uuid, slug text, previous_status text, trading_status text, changed_at timestamptz)
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_actor  uuid := public.actor_id();
    v_market public.markets;
begin
    select m.* into v_market from public.markets m where m.id = p_market_id for no key update;
    if not found then
        raise exception 'There is no such market.' using errcode = 'PR404', column = 'market_id';
    end if;
    if v_market.state not in ('PROPOSED', 'APPROVED', 'ACTIVE')
        or v_market.closes_at <= public.effective_now(p_now) then
        raise exception 'The market has passed its close.' using errcode = 'PR410', column = 'state';
    end if;
    update public.markets m set trading_status = p_status, updated_at = p_now
    where m.id = p_market_id;
    insert into public.outbox (topic, market_id, payload, created_at)
    values ('trading_status', p_market_id, jsonb_build_object('tradingStatus', p_status), p_now);
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_actor, 'set_trading_status', 'market', p_market_id::text, p_request_id, p_ip,
        jsonb_build_object(
            'from', v_market.trading_status, 'to', p_status, 'reason', p_reason),
        p_now
    );
    return query
    select p_market_id, v_market.slug, v_market.trading_status, p_status, p_now;
end;
$$;
revoke all on function public.set_trading_status from public;
grant execute on function public.set_trading_status to presage_admin;
