-- Turns the caller's like of a comment on or off and keeps its count in step: the comment is locked
-- first, so that two copies of one caller's toggle take turns. Raises PR404, PR410.
create or replace function public.toggle_like(
    p_comment_id bigint, p_request_id text, p_ip text, p_now timestamptz
) returns table (comment_id bigint, liked boolean, like_count bigint)
language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
    v_actor   uuid := public.actor_id();
    v_comment public.comments;
    v_on      boolean;
    v_count   bigint;
begin
    select c.* into v_comment from public.comments as c
    where c.id = p_comment_id
    for no key update;
    if not found then
        raise exception using errcode = 'PR404', column = 'comment_id',
            message = 'there is no such comment';
    elsif v_comment.deleted_at is not null then
        raise exception using errcode = 'PR410', column = 'comment_id',
            message = 'the comment was deleted';
    end if;
    delete from public.comment_likes as k
    where k.comment_id = p_comment_id and k.user_id = v_actor;
    v_on := not found;
    if v_on then
        insert into public.comment_likes values (p_comment_id, v_actor, p_now);
    end if;
    update public.comments as c
    set like_count = c.like_count + case when v_on then 1 else -1 end
    where c.id = p_comment_id
    returning c.like_count into v_count;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (v_actor, 'like_comment', 'comment', p_comment_id::text, p_request_id, p_ip,
            jsonb_build_object('liked', v_on), p_now);
    return query select p_comment_id, v_on, v_count;
end;
$$;
revoke execute on function public.toggle_like(bigint, text, text, timestamptz) from public;
grant execute on function public.toggle_like(bigint, text, text, timestamptz) to presage_api;
