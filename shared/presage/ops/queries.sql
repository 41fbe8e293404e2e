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

-- name: list_dead_letters
-- A page of what workflows could not handle, newest first.
select id, workflow, item, error, failures, retries, status, next_attempt_at, reason,
    payload::text as payload, created_at, updated_at
from public.dead_letters
where (%(status)s::text is null or status = %(status)s)
  and (%(workflow)s::text is null or workflow = %(workflow)s)
  and (%(before)s::bigint is null or id < %(before)s)
order by id desc
limit %(limit)s;

-- name: decide_dead_letter
-- An admin's word on a dead letter: again, or with a reason never.
select id, workflow, item, error, failures, retries, status, next_attempt_at, reason,
    payload::text as payload, created_at, updated_at
from public.decide_dead_letter(%(letter_id)s, %(reason)s, %(request_id)s, %(ip)s, %(now)s);

-- name: list_due_letters
-- Dead letters whose time has come and that do not come by themselves: of these workflows, and
-- messages that can be published again; the longest overdue first.
select id, workflow, item, failures, next_attempt_at, payload
from public.dead_letters
where status = 'pending' and next_attempt_at <= %(now)s
  and (workflow = any (%(workflows)s::text[]) or (workflow = 'qstash' and payload ? 'body'))
order by next_attempt_at, id
limit %(limit)s;

-- name: hand_over_letters
-- Messages were published again: QStash has them, and tells us if one fails once more.
update public.dead_letters
set status = 'resolved', next_attempt_at = null, updated_at = %(now)s
where id = any (%(letter_ids)s::bigint[]) and status = 'pending';

-- name: keep_failed_delivery
-- Keep a message that QStash gave up; told twice of the same failure, it is kept once.
select public.keep_dead_letters('qstash', %(letters)s::jsonb, %(keeps_retries)s, %(now)s)
where not exists (
    select from public.dead_letters
    where workflow = 'qstash' and item = %(item)s
      and payload ->> 'messageId' = %(message_id)s
);

-- name: list_last_runs
-- When each workflow that ever ran has last begun.
select w.name, r.started_at
from unnest(%(names)s::text[]) as w (name)
cross join lateral (
    select max(r.started_at) as started_at from public.workflow_runs as r where r.name = w.name
) as r
where r.started_at is not null;

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
