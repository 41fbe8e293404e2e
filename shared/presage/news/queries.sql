-- name: get_feed
-- The validators of a feed as it was last answered.
select etag, last_modified from public.news_feeds where url = %(url)s;

-- name: keep_feed
-- Remember the validators of a feed.
insert into public.news_feeds (url, etag, last_modified, fetched_at)
values (%(url)s, %(etag)s, %(last_modified)s, %(now)s)
on conflict (url) do update set
    etag = excluded.etag, last_modified = excluded.last_modified, fetched_at = excluded.fetched_at;

-- name: keep_news
-- Keep what a feed said, each piece once by its guid and once by its address; what the clean-up
-- would drop (over 90 days old) is not taken.
with kept as (
    insert into public.news_items (source, guid, url, title, summary, published_at, fetched_at)
    select %(source)s, n.guid, n.url, n.title, n.summary, n.published_at, %(now)s
    from jsonb_to_recordset(%(items)s::jsonb)
        as n (guid text, url text, title text, summary text, published_at timestamptz)
    where n.published_at >= %(now)s::timestamptz - interval '90 days'
    on conflict do nothing
    returning id
)
select count(*)::integer as count from kept;

-- name: list_news
-- One page of news, newest first.
select n.id, n.source, n.url, n.title, n.summary, n.published_at
from public.news_items as n
where %(before)s::timestamptz is null
   or (n.published_at, n.id) < (%(before)s::timestamptz, %(before_id)s::bigint)
order by n.published_at desc, n.id desc
limit %(limit)s;
