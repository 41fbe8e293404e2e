-- name: ping
-- Whether Postgres answers, how many connections it holds, and when the chain was last looked at.
select count(*)::integer as active_connections,
    (select c.updated_at from public.chain_cursors as c where c.programme = %(programme)s)
        as chain_seen_at
from pg_catalog.pg_stat_activity
where datname = pg_catalog.current_database();

-- name: open_escalation
-- Ask a human, once for each subject, and tell the admins. About a market only while it is in the
-- state that is asked about: who moves it on answers what is open, and holds its row until then.
with asked as (
    select m.id from public.markets as m
    where m.id = %(market_id)s and m.state = %(state)s
    for share
),
opened as (
    insert into public.escalations (kind, subject, market_id, reason, data, created_at)
    select %(kind)s, %(subject)s, %(market_id)s::uuid, %(reason)s, %(data)s::jsonb, %(now)s
    where %(market_id)s::uuid is null or exists (select from asked)
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

-- name: clean_unsigned_transactions
-- What people were given to sign a day ago: its blockhash is long gone.
delete from public.unsigned_transactions where message_hash in (
    select message_hash from public.unsigned_transactions
    where created_at < %(now)s::timestamptz - interval '1 day' limit %(limit)s
);

-- name: clean_chain_transactions
-- What we signed and what was over 90 days ago; the count that it told keeps its signature.
delete from public.chain_transactions where id in (
    select id from public.chain_transactions
    where status in ('finalized', 'expired', 'failed')
      and updated_at < %(now)s::timestamptz - interval '90 days' limit %(limit)s
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

-- name: clean_dead_letters
-- Dead letters that were settled over 90 days ago.
delete from public.dead_letters where id in (
    select id from public.dead_letters
    where status in ('resolved', 'discarded')
      and updated_at < %(now)s::timestamptz - interval '90 days' limit %(limit)s
);

-- name: clean_alerts
-- Alerts that were last raised over 90 days ago.
delete from public.ops_alerts where id in (
    select id from public.ops_alerts
    where last_seen_at < %(now)s::timestamptz - interval '90 days' limit %(limit)s
);

-- name: clean_discrepancies
-- Differences from the chain's accounts that were found over 90 days ago.
delete from public.discrepancies where id in (
    select id from public.discrepancies
    where created_at < %(now)s::timestamptz - interval '90 days' limit %(limit)s
);

-- name: raise_alert
-- Tell the operators; the same fingerprint within the hour counts up.
select id, count
from public.raise_alert(%(type)s, %(severity)s, %(fingerprint)s, %(data)s::jsonb, %(now)s);

-- name: list_alerts
-- One page of alerts, newest first.
select id, type, severity, fingerprint, data::text, count, first_seen_at, last_seen_at, channels,
       attempts, sent_at, acknowledged_at, acknowledged_by
from public.ops_alerts
where (%(severity)s::text is null or severity = %(severity)s::text)
  and (%(type)s::text is null or type = %(type)s::text)
  and (%(open)s::boolean is null or (acknowledged_at is null) = %(open)s::boolean)
  and (%(before_id)s::bigint is null or id < %(before_id)s::bigint)
order by id desc
limit %(limit)s;

-- name: acknowledge_alert
-- Somebody has taken an alert up.
select id, type, severity, fingerprint, data::text, count, first_seen_at, last_seen_at, channels,
       attempts, sent_at, acknowledged_at, acknowledged_by
from public.acknowledge_alert(%(alert_id)s, %(request_id)s, %(ip)s, %(now)s);

-- name: claim_alert
-- The worst and oldest alert that is due, to be told or for PagerDuty to hear that it was taken up;
-- until next_attempt_at nobody else sends it.
update public.ops_alerts as a
set attempts = a.attempts + 1,
    next_attempt_at = %(now)s::timestamptz
        + make_interval(secs => least(60 * power(2, a.attempts), 3600) - 5)
where a.id = (
    select o.id from public.ops_alerts as o
    where (o.sent_at is null and o.severity in ('HIGH', 'CRITICAL')
           or o.acknowledged_at is not null and o.acknowledgement_sent_at is null
              and 'pagerduty' = any (o.channels))
      and o.next_attempt_at <= %(now)s and o.attempts < %(max_attempts)s
    order by (o.severity = 'CRITICAL') desc, o.first_seen_at, o.id
    limit 1
    for update skip locked
)
returning a.id, a.type, a.severity, a.fingerprint, a.data, a.count, a.first_seen_at,
    a.last_seen_at, a.channels, a.attempts, a.sent_at, a.acknowledged_at;

-- name: note_channel
-- One channel has taken an alert: it is not asked again.
update public.ops_alerts set channels = array_append(channels, %(channel)s::text)
where id = %(alert_id)s and not %(channel)s::text = any (channels);

-- name: note_sent
-- Every channel that owes an alert has taken it.
update public.ops_alerts set sent_at = %(now)s where id = %(alert_id)s;

-- name: note_acknowledgement
-- PagerDuty has heard that somebody took an alert up.
update public.ops_alerts set acknowledgement_sent_at = %(now)s where id = %(alert_id)s;

-- name: list_escalations
-- One page of escalations, newest first.
select id, kind, subject, market_id, user_id, title, reason, data::text, severity, level, status,
       resolution, created_at, resolved_at, resolved_by
from public.escalations
where (%(kind)s::text is null or kind = %(kind)s::text)
  and (%(status)s::text is null or status = %(status)s::text)
  and (%(severity)s::text is null or severity = %(severity)s::text)
  and (%(before_id)s::bigint is null or id < %(before_id)s::bigint)
order by id desc
limit %(limit)s;

-- name: create_escalation
-- An admin brings a question before the others.
select id, kind, subject, market_id, user_id, title, reason, data::text, severity, level, status,
       resolution, created_at, resolved_at, resolved_by
from public.create_escalation(
    %(escalation_id)s, %(kind)s, %(market_id)s, %(title)s, %(reason)s, %(request_id)s, %(ip)s,
    %(now)s
);

-- name: resolve_escalation
-- A human has answered.
select id, kind, subject, market_id, user_id, title, reason, data::text, severity, level, status,
       resolution, created_at, resolved_at, resolved_by
from public.resolve_escalation(
    %(escalation_id)s, %(resolution)s, %(request_id)s, %(ip)s, %(now)s
);

-- name: escalate_overdue
-- Raise what nobody answered; how many were raised, and how many of their alerts are CRITICAL.
select count, critical_count
from public.escalate_overdue(%(limit)s, %(severities)s::text[], %(now)s);

-- name: create_ticket
-- Open a support ticket for the caller.
select id, title, reason as message, status, resolution, created_at, resolved_at
from public.create_ticket(
    %(ticket_id)s, %(title)s, %(message)s, %(request_id)s, %(ip)s, %(now)s
);

-- name: list_tickets
-- One page of the caller's tickets, newest first.
select id, title, reason as message, status, resolution, created_at, resolved_at
from public.escalations
where user_id = (select public.actor_id())
  and (%(before_id)s::bigint is null or id < %(before_id)s::bigint)
order by id desc
limit %(limit)s;

-- name: list_workflow_runs
-- One page of runs, newest first.
select id, name, slot, part, message_id, group_run_id, attempt, status, counts::text, error,
       started_at, finished_at,
       (extract(epoch from finished_at - started_at) * 1000)::bigint as duration_ms
from public.workflow_runs
where (%(name)s::text is null or name = %(name)s::text)
  and (%(status)s::text is null or status = %(status)s::text)
  and (%(started_from)s::timestamptz is null or started_at >= %(started_from)s::timestamptz)
  and (%(started_to)s::timestamptz is null or started_at < %(started_to)s::timestamptz)
  and (%(before)s::timestamptz is null
       or (started_at, id) < (%(before)s::timestamptz, %(before_id)s::uuid))
order by started_at desc, id desc
limit %(limit)s;

-- name: ops_figures
-- Queues, failures and trade, as they stand.
select
    (select count(*) from public.outbox as o where o.published_at is null)::bigint
        as unpublished_outbox,
    (select count(*) from public.dead_letters as d
     where d.status in ('pending', 'manual_review'))::bigint as pending_dead_letters,
    (select count(*) from public.escalations as e where e.status = 'open')::bigint
        as open_escalations,
    (select count(*) from public.ops_alerts as a where a.acknowledged_at is null)::bigint
        as open_alerts,
    (select count(*) from public.markets as m
     where m.state = 'FINALIZED' and m.venue = 'native' and m.settled_at is null)::bigint
        as unsettled_markets,
    (select count(*) from public.workflow_runs as r
     where r.status = 'failed'
       and r.started_at > %(now)s::timestamptz - interval '24 hours')::bigint
        as workflow_failures_24h,
    (select count(*) from public.orders as o
     where o.created_at > %(now)s::timestamptz - make_interval(secs => %(trade_s)s))::bigint
        as orders,
    (select count(*) from public.fills as f
     where f.created_at > %(now)s::timestamptz - make_interval(secs => %(trade_s)s))::bigint
        as fills;
