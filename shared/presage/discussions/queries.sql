-- name: list_discussions
-- One page of a market's threads with their first replies, or of one thread's replies.
select id, thread_id, parent_id, depth, content, user_address, display_name, like_count,
       reply_count, created_at, deleted_at
from public.list_discussions(
    %(market_id)s, %(thread)s, %(mark)s, %(limit)s, %(replies)s
);

-- name: create_comment
-- Say something of a market, or answer.
select id, thread_id, parent_id, depth, content, user_address, display_name, like_count,
       reply_count, created_at, deleted_at
from public.create_comment(
    %(market_id)s, %(parent_id)s, %(content)s, %(request_id)s, %(ip)s, %(now)s
);

-- name: delete_comment
-- Take a comment's words away.
select id, market_id, deleted_at
from public.delete_comment(
    %(comment_id)s, %(request_id)s, %(ip)s, %(now)s, %(as_admin)s
);

-- name: toggle_like
-- Turn the caller's like on or off.
select comment_id, liked, like_count
from public.toggle_like(%(comment_id)s, %(request_id)s, %(ip)s, %(now)s);

-- name: list_anchors
-- One page of a market's pinned snapshots, newest first; the size is of all documents.
select a.id, a.market_id, a.snapshot_date, a.cid, a.parts, a.discussions_count,
       (select sum(p.size_bytes) from public.ipfs_anchors as p
        where p.market_id = a.market_id and p.snapshot_date = a.snapshot_date
          and p.pinned_at = a.pinned_at)::bigint as size_bytes,
       a.created_at
from public.ipfs_anchors as a
where a.market_id = %(market_id)s and a.part = 0 and a.pinned_at is not null
  and (%(before)s::bigint is null or a.id < %(before)s::bigint)
order by a.id desc
limit %(limit)s;

-- name: find_anchor
-- Whether we have published this.
select cid from public.ipfs_anchors
where cid = %(cid)s and pinned_at is not null
limit 1;

-- name: list_snapshot_markets
-- Markets that were spoken of on a day and have no snapshot of it yet, in order.
select m.id, (%(day)s at time zone 'UTC')::date as day
from public.markets as m
where m.state in ('ACTIVE', 'RESOLVING', 'DISPUTED') and m.id > %(after)s::uuid
  and m.id in (
      select c.market_id from public.comments as c
      where c.created_at >= %(day)s and c.created_at < %(until)s and c.deleted_at is null)
  and not exists (
      select from public.ipfs_anchors as a
      where a.market_id = m.id and a.snapshot_date = (%(day)s at time zone 'UTC')::date
        and a.part = 0 and a.pinned_at is not null)
order by m.id
limit %(limit)s;

-- name: list_due_snapshots
-- Snapshots whose dead letters (market:day) are due and which are not pinned since, whatever has
-- become of the market: they were to be made.
select l.market_id as id, l.day
from public.dead_letters as d
cross join lateral (
    select case when d.item ~ '^[0-9a-f-]{36}:[0-9]{4}-[0-9]{2}-[0-9]{2}$'
                then split_part(d.item, ':', 1)::uuid end as market_id,
           case when d.item ~ '^[0-9a-f-]{36}:[0-9]{4}-[0-9]{2}-[0-9]{2}$'
                then split_part(d.item, ':', 2)::date end as day) as l
where d.workflow = %(workflow)s and d.status = 'pending' and d.next_attempt_at <= %(now)s
  and l.day is not null
  and not exists (
      select from public.ipfs_anchors as a
      where a.market_id = l.market_id and a.snapshot_date = l.day
        and a.part = 0 and a.pinned_at is not null)
order by l.day, l.market_id
limit %(limit)s;

-- name: measure_said
-- How much list_said would answer: comments, and the bytes of their words.
select count(*) as count, coalesce(sum(octet_length(c.content)), 0)::bigint as bytes
from public.comments as c
where c.market_id = %(market_id)s and c.created_at < %(until)s and c.deleted_at is null;

-- name: list_said
-- What stood of a market's discussion at a moment and was not deleted since, in order.
select c.id, u.address as user_wallet, c.content, c.created_at
from public.comments as c
join public.users as u on u.id = c.user_id
where c.market_id = %(market_id)s and c.created_at < %(until)s and c.deleted_at is null
order by c.id;

-- name: keep_anchors
-- Write down what will be pinned, once.
insert into public.ipfs_anchors
    (market_id, snapshot_date, cid, part, parts, discussions_count, size_bytes, created_at)
select %(market_id)s, %(day)s, p.cid, p.part, count(*) over (), %(count)s, p.size_bytes, %(now)s
from jsonb_to_recordset(%(anchors)s::jsonb) as p(cid text, part integer, size_bytes integer)
on conflict (market_id, snapshot_date, cid) do nothing;

-- name: list_pinned
-- Which documents of a snapshot an earlier try has pinned.
select cid from public.ipfs_anchors
where market_id = %(market_id)s and snapshot_date = %(day)s and cid = any (%(cids)s::text[])
  and pinned_at is not null;

-- name: note_pinned
-- These documents are pinned. Of a whole snapshot all get the same time, in the end.
update public.ipfs_anchors set pinned_at = %(now)s
where market_id = %(market_id)s and snapshot_date = %(day)s and cid = any (%(cids)s::text[]);

-- name: list_old_anchors
-- Anchors that were kept for long enough, and whether a younger one has the same document.
select a.id, a.cid, exists (
           select from public.ipfs_anchors as o
           where o.cid = a.cid and o.created_at >= %(before)s) as is_shared
from public.ipfs_anchors as a
where a.created_at < %(before)s and a.id <> all (%(failed)s::bigint[])
order by a.created_at, a.id
limit %(limit)s;

-- name: drop_anchors
-- Anchors that are unpinned.
delete from public.ipfs_anchors where id = any (%(ids)s::bigint[]);
