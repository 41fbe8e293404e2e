-- Why: what humans were asked is answered by what was done, so that nobody is called for it any more.
create or replace function public.answer_escalation(
    p_subject text, p_resolution text, p_now timestamptz
) returns void
language sql volatile set search_path = ''
as $$
    update public.escalations as e
    set status = 'resolved', resolution = p_resolution, resolved_at = p_now,
        resolved_by = public.actor_id()
    where e.kind = 'resolution' and e.subject = p_subject and e.status = 'open'
$$;
revoke execute on function public.answer_escalation(text, text, timestamptz) from public;
