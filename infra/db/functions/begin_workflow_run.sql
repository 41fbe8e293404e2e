-- Claims a slot of a workflow for one delivery. Answers what to do: 'run' (the slot is yours under
-- a lease), 'completed' (it was done before), 'live' (another delivery holds its lease). A failed or
-- crashed attempt's row is taken over, so it keeps one id, which deduplicates what it publishes.
create or replace function public.begin_workflow_run(
    p_run_id uuid, p_name text, p_slot timestamptz, p_part integer, p_message_id text,
    p_group_run_id uuid, p_attempt integer, p_now timestamptz, p_lease_s integer
) returns table (run_id uuid, decision text, slot timestamptz)
language plpgsql volatile set search_path = ''
as $$
declare
    v_run   public.workflow_runs;
    v_lease timestamptz := p_now + make_interval(secs => p_lease_s);
begin
    insert into public.workflow_runs (
        id, name, slot, part, message_id, group_run_id, attempt, status, lease_until, started_at
    )
    values (
        p_run_id, p_name, p_slot, p_part, p_message_id, p_group_run_id, p_attempt, 'running',
        v_lease, p_now
    )
    on conflict do nothing;
    if found then
        return query select p_run_id, 'run', p_slot;
        return;
    end if;

    -- The message first: a late duplicate may fall into the next slot by the clock.
    select r.* into v_run
    from public.workflow_runs r
    where r.name = p_name
      and (r.message_id = p_message_id or (r.slot = p_slot and r.part = p_part))
    order by (r.message_id = p_message_id) desc
    limit 1
    for update;

    if v_run.status in ('completed', 'partial') then
        return query select v_run.id, 'completed', v_run.slot;
    elsif v_run.status = 'running' and v_run.lease_until > p_now then
        return query select v_run.id, 'live', v_run.slot;
    else
        update public.workflow_runs r
        set status = 'running', attempt = greatest(r.attempt + 1, p_attempt), error = null,
            lease_until = v_lease, started_at = p_now, finished_at = null
        where r.id = v_run.id;
        return query select v_run.id, 'run', v_run.slot;
    end if;
end;
$$;
revoke all on function public.begin_workflow_run from public;
grant execute on function public.begin_workflow_run to presage_worker;
