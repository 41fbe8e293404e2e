-- Why: what was deleted is shown without words and author, to everybody alike, so nobody reads the
-- table itself. Without p_thread a page of threads, newest first, below p_mark, each followed by its
-- first p_replies replies; a deleted comment that nobody answered is left out. With p_thread a page of
-- that thread's replies, oldest first, above p_mark. Raises PR404.
create or replace function public.list_discussions(
    p_market_id uuid, p_thread bigint, p_mark bigint, p_limit integer, p_replies integer
) returns table (
    id bigint, thread_id bigint, parent_id bigint, depth smallint, content text, user_address text,
    display_name text, like_count bigint, reply_count bigint, created_at timestamptz,
    deleted_at timestamptz
)
language plpgsql stable security definer set search_path = ''
as $$
#variable_conflict use_column
begin
    if not exists (select from public.markets as m where m.id = p_market_id) then
        raise exception using errcode = 'PR404', column = 'id',
            message = 'there is no such market';
    end if;
    return query
    with threads as (
        select c.id from public.comments as c
        where c.market_id = p_market_id and c.thread_id is null and p_thread is null
          and (p_mark is null or c.id < p_mark)
          and (c.deleted_at is null or c.reply_count > 0)
        order by c.id desc
        limit p_limit
    ),
    shown as (
        select t.id, t.id as thread from threads as t
        union all
        select r.id, t.id
        from threads as t
        cross join lateral (
            select c.id from public.comments as c
            where c.thread_id = t.id
            order by c.id
            limit p_replies
        ) as r
        union all
        (select c.id, p_thread from public.comments as c
         where c.market_id = p_market_id and c.thread_id = p_thread
           and (p_mark is null or c.id > p_mark)
         order by c.id
         limit p_limit)
    )
    select c.id, c.thread_id, c.parent_id, c.depth,
           case when c.deleted_at is null then c.content end,
           case when c.deleted_at is null then u.address end,
           case when c.deleted_at is null then u.display_name end,
           c.like_count, c.reply_count, c.created_at, c.deleted_at
    from shown as s
    join public.comments as c on c.id = s.id
    join public.users as u on u.id = c.user_id
    order by s.thread desc, c.id;
end;
$$;
revoke execute on function public.list_discussions(uuid, bigint, bigint, integer, integer)
    from public;
grant execute on function public.list_discussions(uuid, bigint, bigint, integer, integer)
    to presage_api, presage_admin;
