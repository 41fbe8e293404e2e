-- An admin's word on a dead letter: try it again at once, with three retries ahead (p_reason null),
-- or give it up and say why. What is so already stays as it is and is not logged again. Definer:
-- the audit log is written with the change.
-- Raises PR400 (reason), PR403, PR404, PR410 (it is resolved).
create or replace function public.decide_dead_letter(
    p_letter_id bigint, p_reason text, p_request_id text, p_ip text, p_now timestamptz
) returns public.dead_letters
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_actor  uuid := public.actor_id();
    v_letter public.dead_letters;
    v_from   text;
begin
    if not exists (select from public.users as u where u.id = v_actor and u.role <> 'user') then
        raise exception using errcode = 'PR403', message = 'only an admin may decide a dead letter';
    elsif length(p_reason) not between 1 and 1000 then
        raise exception using errcode = 'PR400', column = 'reason',
            message = 'give a reason of 1 to 1,000 characters';
    end if;
    select d.* into v_letter from public.dead_letters as d
    where d.id = p_letter_id
    for no key update;
    if not found then
        raise exception using errcode = 'PR404', message = 'there is no such dead letter';
    elsif v_letter.status = 'resolved' then
        raise exception using errcode = 'PR410', column = 'status',
            message = 'the dead letter is resolved';
    elsif p_reason is not null and v_letter.status = 'discarded'
        or p_reason is null and v_letter.status = 'pending' and v_letter.next_attempt_at <= p_now
    then
        return v_letter;
    end if;
    v_from := v_letter.status;
    update public.dead_letters as d set
        status = case when p_reason is null then 'pending' else 'discarded' end,
        next_attempt_at = case when p_reason is null then p_now end,
        retries = case when p_reason is null then 0 else d.retries end,
        reason = p_reason,
        updated_at = p_now
    where d.id = p_letter_id
    returning d.* into v_letter;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_actor, case when p_reason is null then 'retry_dead_letter' else 'discard_dead_letter' end,
        'dead_letter', p_letter_id::text, p_request_id, p_ip,
        jsonb_build_object('from', v_from, 'to', v_letter.status, 'workflow', v_letter.workflow,
            'item', v_letter.item, 'reason', p_reason),
        p_now
    );
    return v_letter;
end;
$$;
revoke all on function public.decide_dead_letter from public;
grant execute on function public.decide_dead_letter to presage_admin;
