-- name: ping
-- Whether Postgres answers, and how many connections it holds.
select count(*)::integer as active_connections
from pg_catalog.pg_stat_activity
where datname = pg_catalog.current_database();

-- name: open_escalation
-- Ask a human, once for each subject, and tell the admins.
with opened as (
    insert into public.escalations (kind, subject, market_id, reason, data, created_at)
    values (%(kind)s, %(subject)s, %(market_id)s, %(reason)s, %(data)s::jsonb, %(now)s)
    on conflict (kind, subject) do nothing
    returning market_id, created_at
)
insert into public.notifications (user_id, type, market_id, created_at)
select u.id, 'settlement_escalation', o.market_id, o.created_at
from opened as o
join public.users as u on u.role <> 'user';

-- name: clean_challenges
-- Sign-in challenges that nobody can use any more.
delete from public.auth_challenges where nonce in (
    select nonce from public.auth_challenges
    where expires_at < %(now)s::timestamptz - interval '1 day' limit %(limit)s
);

-- name: clean_sessions
-- Sessions that ended over a week ago.
delete from public.sessions where token_hash in (
    select token_hash from public.sessions
    where expires_at < %(now)s::timestamptz - interval '7 days' limit %(limit)s
);

-- name: clean_api_keys
-- API keys that were revoked or expired over 30 days ago; the audit log keeps what they were.
delete from public.api_keys where id in (
    select id from public.api_keys
    where least(revoked_at, expires_at) < %(now)s::timestamptz - interval '30 days' limit %(limit)s
);

-- name: clean_ws_tickets
-- WebSocket tickets that nobody can use any more.
delete from public.ws_tickets where ticket_hash in (
    select ticket_hash from public.ws_tickets
    where expires_at < %(now)s::timestamptz - interval '1 hour' limit %(limit)s
);

-- name: clean_login_attempts
-- Counted tries of past windows.
delete from public.login_attempts where (bucket, window_start) in (
    select bucket, window_start from public.login_attempts
    where window_start < %(now)s::timestamptz - interval '1 hour' limit %(limit)s
);

-- name: clean_workflow_runs
-- Runs over 30 days old.
delete from public.workflow_runs where id in (
    select id from public.workflow_runs
    where started_at < %(now)s::timestamptz - interval '30 days' limit %(limit)s
);

-- name: clean_outbox
-- Outbox rows that were published over a day ago, or that nobody took in a week.
delete from public.outbox where id in (
    select id from public.outbox
    where published_at < %(now)s::timestamptz - interval '1 day'
       or created_at < %(now)s::timestamptz - interval '7 days'
    limit %(limit)s
);

-- name: clean_price_feeds
-- Ticks over 90 days old; what decided a market stays in its evidence.
delete from public.price_feeds where (symbol, source, observed_at) in (
    select symbol, source, observed_at from public.price_feeds
    where observed_at < %(now)s::timestamptz - interval '90 days' limit %(limit)s
);

-- name: clean_read_notifications
-- Notifications over 30 days old that were read.
delete from public.notifications where id in (
    select id from public.notifications
    where read_at is not null and created_at < %(now)s::timestamptz - interval '30 days'
    limit %(limit)s
);

-- name: clean_notifications
-- Notifications over 90 days old, read or not.
delete from public.notifications where id in (
    select id from public.notifications
    where created_at < %(now)s::timestamptz - interval '90 days' limit %(limit)s
);

-- name: clean_order_batches
-- Slips over 90 days old, and with them what a repeat of their key would answer.
delete from public.order_batches where id in (
    select id from public.order_batches
    where created_at < %(now)s::timestamptz - interval '90 days' limit %(limit)s
);

-- name: clean_idempotency_keys
-- Keys over 90 days old: nobody repeats a request for so long.
delete from public.idempotency_keys where (actor_id, route, key) in (
    select actor_id, route, key from public.idempotency_keys
    where created_at < %(now)s::timestamptz - interval '90 days' limit %(limit)s
);

-- name: clean_news
-- News over 90 days old.
delete from public.news_items where id in (
    select id from public.news_items
    where published_at < %(now)s::timestamptz - interval '90 days' limit %(limit)s
);
