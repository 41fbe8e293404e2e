-- Why: one place knows when a failed item is tried again. p_letters is [{item, error, payload}],
-- an item once; a payload stays unless another one is given. A new failure comes again after 5 minutes; one of a retry that was due after 10,
-- then 20, and after the third it waits for an admin. What failed although it was not due, or is
-- under review, is counted and its time stays. Minutes are cut off, so that a workflow of every five
-- minutes meets its item in the next run and not in the one after. What was resolved or discarded
-- and fails again begins anew, except p_keeps_retries: then it had only been handed over.
-- The operators are alerted when an item begins to wait for them.
create or replace function public.keep_dead_letters(
    p_workflow text, p_letters jsonb, p_keeps_retries boolean, p_now timestamptz
) returns void
language plpgsql volatile set search_path = ''
as $$
declare
    c_backoff_minutes constant integer[] := '{5,10,20}';
    v_waited text[] := array(
        select d.item from public.dead_letters as d
        where d.workflow = p_workflow and d.status = 'manual_review');
begin
    insert into public.dead_letters as d
        (workflow, item, payload, error, failures, status, next_attempt_at, created_at, updated_at)
    select p_workflow, l.item, coalesce(l.payload, '{}'), l.error, 1, 'pending',
        date_trunc('minute', p_now) + make_interval(mins => c_backoff_minutes[1]), p_now, p_now
    from jsonb_to_recordset(p_letters) as l (item text, error text, payload jsonb)
    order by l.item
    on conflict (workflow, item) do update
    set (error, payload, failures, retries, status, next_attempt_at, reason, updated_at) = (
        select excluded.error, case excluded.payload when '{}' then d.payload else excluded.payload end,
            d.failures + 1, n.retries,
            case when n.is_review then 'manual_review' else 'pending' end,
            case when n.is_review then null
                 when n.is_counted then date_trunc('minute', p_now)
                     + make_interval(mins => c_backoff_minutes[1 + n.retries])
                 else d.next_attempt_at end,
            null, p_now
        from (
            select s.is_counted, s.retries,
                d.status = 'manual_review'
                    or s.is_counted and s.retries >= cardinality(c_backoff_minutes) as is_review
            from (
                select b.is_new or b.is_retry as is_counted,
                    case when b.is_new then 0
                         when b.is_retry then d.retries + 1
                         else d.retries end as retries
                from (
                    select d.status in ('resolved', 'discarded') and not p_keeps_retries as is_new,
                        d.status in ('resolved', 'discarded') and p_keeps_retries
                            or d.status = 'pending' and d.next_attempt_at <= p_now as is_retry
                ) as b
            ) as s
        ) as n
    );
    perform public.raise_alert('dead_letter', 'HIGH',
        left(format('dead_letter:%s:%s', d.workflow, d.item), 165),
        jsonb_build_object('workflow', d.workflow, 'item', d.item, 'retries', d.retries), p_now)
    from public.dead_letters as d
    join jsonb_to_recordset(p_letters) as l (item text) on l.item = d.item
    where d.workflow = p_workflow and d.status = 'manual_review' and d.item <> all (v_waited);
end;
$$;
revoke all on function public.keep_dead_letters from public;
grant execute on function public.keep_dead_letters to presage_worker;
