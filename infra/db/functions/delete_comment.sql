-- Takes a comment's words away from readers; its replies stay. By its author, or by an admin who asks
-- as one (p_as_admin: by a credential that may). The thread's first comment is locked first, as an
-- answer to it does. Again it changes nothing. Raises PR403, PR404.
create or replace function public.delete_comment(
    p_comment_id bigint, p_request_id text, p_ip text, p_now timestamptz,
    p_as_admin boolean default false
) returns table (id bigint, market_id uuid, deleted_at timestamptz)
language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
    v_actor   uuid := public.actor_id();
    v_comment public.comments;
begin
    perform from public.comments as t
    where t.id = (select coalesce(c.thread_id, c.id) from public.comments as c
                  where c.id = p_comment_id)
    for no key update;
    select c.* into v_comment from public.comments as c
    where c.id = p_comment_id
    for no key update;
    if not found then
        raise exception using errcode = 'PR404', column = 'id',
            message = 'there is no such comment';
    elsif v_comment.user_id is distinct from v_actor and not (p_as_admin and exists (
        select from public.users as u where u.id = v_actor and u.role <> 'user')) then
        raise exception using errcode = 'PR403',
            message = 'only its author or an admin may delete a comment';
    end if;
    if v_comment.deleted_at is null then
        update public.comments as c set deleted_at = p_now, deleted_by = v_actor
        where c.id = p_comment_id
        returning c.* into v_comment;
        insert into public.audit_log
            (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
        values (v_actor, 'delete_comment', 'comment', p_comment_id::text, p_request_id, p_ip,
                jsonb_build_object('marketId', v_comment.market_id, 'author', v_comment.user_id),
                p_now);
    end if;
    return query select v_comment.id, v_comment.market_id, v_comment.deleted_at;
end;
$$;
revoke execute on function public.delete_comment(bigint, text, text, timestamptz, boolean)
    from public;
grant execute on function public.delete_comment(bigint, text, text, timestamptz, boolean)
    to presage_api, presage_admin;
