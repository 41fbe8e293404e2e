-- Follows a market or stops; for one who follows already, a choice of notices that differs from the
-- stored one changes the choice instead. A null choice is the stored one, or true.
-- Answers the new state and the market's count. Raises PR404.
create or replace function public.toggle_follow(
    p_market_id uuid, p_on_trade boolean, p_on_resolve boolean, p_on_close boolean,
    p_request_id text, p_ip text, p_now timestamptz
) returns table (
    following boolean, notify_on_trade boolean, notify_on_resolve boolean, notify_on_close boolean,
    follower_count bigint
)
language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
    v_actor   uuid := public.actor_id();
    v_trade   boolean;
    v_resolve boolean;
    v_close   boolean;
    v_known   boolean;
    v_change  integer := 0;
    v_count   bigint;
begin
    perform public.lock_audience(p_market_id);
    select f.notify_on_trade, f.notify_on_resolve, f.notify_on_close
    into v_trade, v_resolve, v_close
    from public.follows as f
    where f.user_id = v_actor and f.market_id = p_market_id;
    v_known := found;
    if v_known and (coalesce(p_on_trade, v_trade), coalesce(p_on_resolve, v_resolve),
                    coalesce(p_on_close, v_close)) = (v_trade, v_resolve, v_close) then
        delete from public.follows as f where f.user_id = v_actor and f.market_id = p_market_id;
        v_change := -1;
    else
        v_trade := coalesce(p_on_trade, v_trade, true);
        v_resolve := coalesce(p_on_resolve, v_resolve, true);
        v_close := coalesce(p_on_close, v_close, true);
        insert into public.follows as f
            (user_id, market_id, notify_on_trade, notify_on_resolve, notify_on_close, created_at)
        values (v_actor, p_market_id, v_trade, v_resolve, v_close, p_now)
        on conflict (user_id, market_id) do update set
            notify_on_trade = excluded.notify_on_trade,
            notify_on_resolve = excluded.notify_on_resolve,
            notify_on_close = excluded.notify_on_close;
        v_change := case when v_known then 0 else 1 end;
    end if;
    update public.market_audience as a set follower_count = a.follower_count + v_change
    where a.market_id = p_market_id
    returning a.follower_count into v_count;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (v_actor, 'follow_market', 'market', p_market_id::text, p_request_id, p_ip,
            jsonb_build_object('following', v_change >= 0, 'trade', v_trade, 'resolve', v_resolve,
                               'close', v_close), p_now);
    return query select v_change >= 0, v_trade and v_change >= 0, v_resolve and v_change >= 0,
        v_close and v_change >= 0, v_count;
end;
$$;
revoke execute on function public.toggle_follow(
    uuid, boolean, boolean, boolean, text, text, timestamptz
) from public;
grant execute on function public.toggle_follow(
    uuid, boolean, boolean, boolean, text, text, timestamptz
) to presage_api;
