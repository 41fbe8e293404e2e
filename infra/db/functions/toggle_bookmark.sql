-- Turns the caller's bookmark of a market on or off and keeps the market's count in step. The count's
-- row is locked first, so that two copies of one caller's toggle take turns.
-- Answers the new state and count. Raises PR404.
create or replace function public.toggle_bookmark(
    p_market_id uuid, p_request_id text, p_ip text, p_now timestamptz
) returns table (bookmarked boolean, bookmark_count bigint)
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_actor uuid := public.actor_id();
    v_on    boolean;
    v_count bigint;
begin
    perform public.lock_audience(p_market_id);
    delete from public.bookmarks b where b.user_id = v_actor and b.market_id = p_market_id;
    v_on := not found;
    if v_on then
        insert into public.bookmarks (user_id, market_id, created_at)
        values (v_actor, p_market_id, p_now);
    end if;
    update public.market_audience a
    set bookmark_count = a.bookmark_count + case when v_on then 1 else -1 end
    where a.market_id = p_market_id
    returning a.bookmark_count into v_count;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (v_actor, 'bookmark_market', 'market', p_market_id::text, p_request_id, p_ip,
            jsonb_build_object('bookmarked', v_on), p_now);
    return query select v_on, v_count;
end;
$$;
revoke execute on function public.toggle_bookmark(uuid, text, text, timestamptz) from public;
grant execute on function public.toggle_bookmark(uuid, text, text, timestamptz) to presage_api;
