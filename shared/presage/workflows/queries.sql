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

-- name: record_dead_letter
-- Keep an item that failed; failing again counts up.
insert into public.dead_letters as d
    (workflow, item, error, failures, status, created_at, updated_at)
values (%(workflow)s, %(item)s, %(error)s, 1, 'pending', %(now)s, %(now)s)
on conflict (workflow, item) do update
set error = excluded.error, failures = d.failures + 1,
    status = case d.status when 'manual_review' then d.status else 'pending' end,
    updated_at = excluded.updated_at;

-- name: audit_operator
-- An operator started a workflow by hand with CRON_SECRET.
insert into public.audit_log (action, resource, resource_id, request_id, ip, changes, created_at)
values (
    'start_workflow', 'workflow', %(name)s, %(request_id)s, %(ip)s,
    jsonb_build_object('slot', %(slot)s::text), %(now)s
);
