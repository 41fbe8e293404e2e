-- name: begin_workflow_run
-- Claim a slot of a workflow for one delivery.
select run_id, decision, slot
from public.begin_workflow_run(
    %(run_id)s, %(name)s, %(slot)s, %(part)s, %(message_id)s, %(group_run_id)s, %(attempt)s,
    %(now)s, %(lease_s)s
);

-- name: finish_workflow_run
-- Record how a run ended.
update public.workflow_runs
set status = %(status)s, counts = %(counts)s::jsonb, error = %(error)s,
    next_cursor = %(next_cursor)s::jsonb, finished_at = %(now)s
where id = %(run_id)s;

-- name: find_earlier_slices
-- Whether slices of an earlier slot still follow each other: one runs, or the next is about to.
select exists (
    select from public.workflow_runs as r
    where r.name = %(name)s and r.slot < %(slot)s
      and r.started_at > %(now)s::timestamptz - interval '5 minutes'
      and (r.status = 'running' and r.lease_until > %(now)s
           or r.next_cursor is not null
              and r.finished_at > %(now)s::timestamptz - interval '1 minute')
) as go_on;

-- name: list_waiting_letters
-- Items of a workflow that its next run leaves alone: their time has not come, or an admin's has.
select item
from public.dead_letters
where workflow = %(workflow)s
  and (status = 'manual_review' or (status = 'pending' and next_attempt_at > %(now)s))
order by id
limit %(limit)s;

-- name: keep_dead_letters
-- Keep the items that failed; failing again when they were due puts them off for longer.
select public.keep_dead_letters(%(workflow)s, %(letters)s::jsonb, false, %(now)s);

-- name: put_off_dead_letters
-- What a slice left alone although it was due is due from the next minute on: the chain's last slice,
-- which does not know of it, settles nothing that became due on the way.
update public.dead_letters
set next_attempt_at = date_trunc('minute', %(now)s::timestamptz) + interval '1 minute',
    updated_at = %(now)s
where workflow = %(workflow)s and item = any (%(items)s::text[]) and status = 'pending'
  and next_attempt_at <= %(now)s;

-- name: resolve_dead_letters
-- A chain of slices has reached its end: what was due when it began, and was put off by none of them,
-- was tried and is done, unless it was cut short. So is what QStash could not deliver of a workflow
-- that comes again in a minute, whose letter has its name.
update public.dead_letters
set status = 'resolved', next_attempt_at = null, updated_at = %(now)s
where %(is_whole)s and workflow = %(workflow)s and status = 'pending'
      and next_attempt_at <= coalesce(
          (select r.started_at from public.workflow_runs as r
           where r.name = %(workflow)s and r.slot = %(slot)s order by r.part limit 1),
          %(began)s)
      and split_part(item, ':', 1) <> all (%(untried)s::text[])
   or workflow = 'qstash' and item = %(workflow)s and status in ('pending', 'manual_review');

-- name: audit_operator
-- An operator started a workflow by hand with CRON_SECRET.
insert into public.audit_log (action, resource, resource_id, request_id, ip, changes, created_at)
values (
    'start_workflow', 'workflow', %(name)s, %(request_id)s, %(ip)s,
    jsonb_build_object('slot', %(slot)s::text), %(now)s
);
