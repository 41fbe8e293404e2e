-- name: toggle_bookmark
-- Turn the caller's bookmark on or off.
select bookmarked, bookmark_count
from public.toggle_bookmark(%(market_id)s, %(request_id)s, %(ip)s, %(now)s);

-- name: toggle_follow
-- Follow a market, change what to be told, or stop.
select following, notify_on_trade, notify_on_resolve, notify_on_close, follower_count
from public.toggle_follow(
    %(market_id)s, %(on_trade)s, %(on_resolve)s, %(on_close)s, %(request_id)s, %(ip)s, %(now)s
);

-- name: list_bookmarks
-- One page of the caller's bookmarks, newest first.
select b.market_id, m.slug, m.question, m.state, m.closes_at, b.created_at
from public.bookmarks as b
join public.markets as m on m.id = b.market_id
where b.user_id = public.actor_id()
  and (%(before)s::timestamptz is null
       or (b.created_at, b.market_id) < (%(before)s::timestamptz, %(before_id)s::uuid))
order by b.created_at desc, b.market_id desc
limit %(limit)s;

-- name: list_follows
-- One page of the markets that the caller follows, newest first.
select f.market_id, m.slug, m.question, m.state, m.closes_at, f.created_at, f.notify_on_trade,
       f.notify_on_resolve, f.notify_on_close
from public.follows as f
join public.markets as m on m.id = f.market_id
where f.user_id = public.actor_id()
  and (%(before)s::timestamptz is null
       or (f.created_at, f.market_id) < (%(before)s::timestamptz, %(before_id)s::uuid))
order by f.created_at desc, f.market_id desc
limit %(limit)s;
