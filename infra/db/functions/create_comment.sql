-- Says something of a market, or answers what somebody said, three replies deep at most. The thread's
-- first comment is locked to count its replies; it is told to the author of what was answered by the
-- outbox. Its words stay out of the audit log. What one user says of one market is bounded, deleted
-- comments and all, since a day's snapshot holds the whole discussion; a few that come at once may
-- pass the bound. Raises PR401, PR404, PR409 (five hundred comments), PR410, PR422.
create or replace function public.create_comment(
    p_market_id uuid, p_parent_id bigint, p_content text, p_request_id text, p_ip text,
    p_now timestamptz
) returns table (
    id bigint, thread_id bigint, parent_id bigint, depth smallint, content text, user_address text,
    display_name text, like_count bigint, reply_count bigint, created_at timestamptz,
    deleted_at timestamptz
)
language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
    c_deepest constant smallint := 3;
    c_most    constant integer := 500;
    v_actor   uuid := public.actor_id();
    v_parent  public.comments;
    v_id      bigint;
begin
    if not exists (select from public.users as u where u.id = v_actor) then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    elsif not exists (select from public.markets as m where m.id = p_market_id) then
        raise exception using errcode = 'PR404', column = 'market_id',
            message = 'there is no such market';
    elsif (select count(*) from (
               select from public.comments as c
               where c.market_id = p_market_id and c.user_id = v_actor
               limit c_most) as said) = c_most then
        raise exception using errcode = 'PR409', column = 'market_id',
            message = format('a user says at most %s things of a market', c_most);
    end if;
    if p_parent_id is not null then
        select c.* into v_parent from public.comments as c
        where c.id = p_parent_id and c.market_id = p_market_id;
        if not found then
            raise exception using errcode = 'PR404', column = 'parent_id',
                message = 'there is no such comment on this market';
        elsif v_parent.depth = c_deepest then
            raise exception using errcode = 'PR422', column = 'parent_id',
                message = 'replies go three deep';
        end if;
        update public.comments as c set reply_count = c.reply_count + 1
        where c.id = coalesce(v_parent.thread_id, v_parent.id);
        -- Read again behind the lock: whoever deletes it holds the same one.
        select c.* into v_parent from public.comments as c where c.id = p_parent_id;
        if v_parent.deleted_at is not null then
            raise exception using errcode = 'PR410', column = 'parent_id',
                message = 'the comment was deleted';
        end if;
    end if;
    insert into public.comments as c
        (market_id, user_id, thread_id, parent_id, depth, content, created_at)
    values (p_market_id, v_actor, coalesce(v_parent.thread_id, v_parent.id), p_parent_id,
            coalesce(v_parent.depth + 1, 0), p_content, p_now)
    returning c.id into v_id;
    insert into public.outbox (topic, market_id, payload, created_at)
    values ('comment', p_market_id, jsonb_build_object(
                'id', v_id, 'user_id', v_actor, 'parent_id', p_parent_id,
                'parent_user_id', v_parent.user_id), p_now);
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (v_actor, 'create_comment', 'comment', v_id::text, p_request_id, p_ip,
            jsonb_build_object('marketId', p_market_id, 'parentId', p_parent_id), p_now);
    return query
    select c.id, c.thread_id, c.parent_id, c.depth, c.content, u.address, u.display_name,
           c.like_count, c.reply_count, c.created_at, c.deleted_at
    from public.comments as c
    join public.users as u on u.id = c.user_id
    where c.id = v_id;
end;
$$;
revoke execute on function public.create_comment(uuid, bigint, text, text, text, timestamptz)
    from public;
grant execute on function public.create_comment(uuid, bigint, text, text, text, timestamptz)
    to presage_api;
