-- name: list_notifications
-- One page of the caller's notifications, newest first.
select n.id, n.type, n.market_id, n.facts, n.created_at, n.read_at, m.question,
       coalesce(m.question_bn, m.question) as question_bn
from public.notifications as n
left join public.markets as m on m.id = n.market_id
where n.user_id = public.actor_id()
  and (not %(unread)s or n.read_at is null)
  and (%(before)s::bigint is null or n.id < %(before)s::bigint)
order by n.id desc
limit %(limit)s;

-- name: mark_read
-- Mark some of the caller's notifications as read, or all; already read ones keep their time.
with marked as (
    update public.notifications as n set read_at = %(now)s
    where n.user_id = public.actor_id() and n.read_at is null
      and (%(ids)s::bigint[] is null or n.id = any (%(ids)s::bigint[]))
    returning n.id
),
logged as (
    insert into public.audit_log
        (actor_id, action, resource, request_id, ip, changes, created_at)
    select public.actor_id(), 'mark_read', 'notification', %(request_id)s, %(ip)s,
           jsonb_build_object('marked', count(*)), %(now)s
    from marked
)
select count(*)::integer as marked,
       (select count(*) from public.notifications as n
        where n.user_id = public.actor_id() and n.read_at is null
          and n.id not in (select m.id from marked as m))::integer as unread
from marked;

-- name: relay_outbox
-- Turn a chunk of the outbox into notifications; answers how many rows were taken.
select public.relay_outbox(%(limit)s, %(large_micros)s, %(now)s) as count;

-- name: notify_closing_markets
-- Tell the followers of markets that close within an hour, each once.
select public.notify_closing_markets(%(now)s) as count;
