-- Sets between which ticks a market's own follows volatility. Its tick must lie inside: a tick moves
-- after notice and by what the market does, never by an admin's word. An announced change that the new
-- range does not hold is dropped when its hour comes (apply_tick_changes). Raises PR403, PR404, PR410.
create or replace function public.set_tick_range(
    p_market_id uuid, p_min_bps integer, p_max_bps integer, p_request_id text, p_ip text,
    p_now timestamptz
) returns table (
    id uuid, slug text, tick_size_bps integer, min_tick_bps integer, max_tick_bps integer,
    changed_at timestamptz
)
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_actor  uuid := public.actor_id();
    v_market public.markets;
begin
    if not exists (select from public.users as u where u.id = v_actor and u.role <> 'user') then
        raise exception using errcode = 'PR403', message = 'only an admin may set a tick range';
    end if;
    select m.* into v_market from public.markets as m where m.id = p_market_id for no key update;
    if not found then
        raise exception using errcode = 'PR404', column = 'market_id',
            message = 'there is no such market';
    elsif v_market.state in ('FINALIZED', 'CANCELLED') then
        raise exception using errcode = 'PR410', column = 'state', message = 'the market is over';
    elsif v_market.tick_size_bps < p_min_bps then
        raise exception using errcode = 'PR410', column = 'min_tick',
            message = 'the market''s tick is smaller';
    elsif v_market.tick_size_bps > p_max_bps then
        raise exception using errcode = 'PR410', column = 'max_tick',
            message = 'the market''s tick is larger';
    end if;
    update public.markets as m
    set min_tick_bps = p_min_bps, max_tick_bps = p_max_bps, updated_at = p_now
    where m.id = p_market_id;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_actor, 'set_tick_range', 'market', p_market_id::text, p_request_id, p_ip,
        jsonb_build_object(
            'from', jsonb_build_array(v_market.min_tick_bps, v_market.max_tick_bps),
            'to', jsonb_build_array(p_min_bps, p_max_bps)),
        p_now
    );
    return query
    select p_market_id, v_market.slug, v_market.tick_size_bps, p_min_bps, p_max_bps, p_now;
end;
$$;
revoke all on function public.set_tick_range from public;
grant execute on function public.set_tick_range to presage_admin;
