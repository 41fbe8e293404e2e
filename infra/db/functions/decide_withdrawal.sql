-- Why: an admin has paid a withdrawal outside, or will not. Completed: it keeps the reference of the
-- payment. Rejected: the money comes back (external -> user:cash), once. The same decision again
-- answers the same; another one is refused, as is a second payment. Nobody pays themselves.
-- Raises PR400 (external_reference, reason), PR403, PR404, PR409 (external_reference), PR410.
create or replace function public.decide_withdrawal(
    p_withdrawal_id uuid, p_is_completed boolean, p_external_reference text, p_reason text,
    p_request_id text, p_ip text, p_now timestamptz
) returns public.withdrawals
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_actor      uuid := public.actor_id();
    v_to         text := case when p_is_completed then 'completed' else 'rejected' end;
    v_now        timestamptz;
    v_withdrawal public.withdrawals;
begin
    if not exists (select from public.users as u where u.id = v_actor and u.role <> 'user') then
        raise exception using errcode = 'PR403', message = 'only an admin may decide a withdrawal';
    elsif p_is_completed and coalesce(length(p_external_reference), 0) not between 1 and 100 then
        raise exception using errcode = 'PR400', column = 'external_reference',
            message = 'give the reference of the payment in 1 to 100 characters';
    elsif not p_is_completed and coalesce(length(p_reason), 0) not between 1 and 1000 then
        raise exception using errcode = 'PR400', column = 'reason',
            message = 'give a reason of 1 to 1,000 characters';
    end if;
    select w.* into v_withdrawal from public.withdrawals as w
    where w.id = p_withdrawal_id
    for no key update;
    v_now := public.effective_now(p_now);
    if not found then
        raise exception using errcode = 'PR404', message = 'there is no such withdrawal';
    elsif p_is_completed and v_withdrawal.user_id = v_actor then
        raise exception using errcode = 'PR403',
            message = 'nobody completes a withdrawal of their own';
    elsif v_withdrawal.status = v_to then
        if p_is_completed and v_withdrawal.external_reference <> p_external_reference then
            raise exception using errcode = 'PR409', column = 'external_reference',
                message = 'the withdrawal was completed by another payment';
        end if;
        return v_withdrawal;
    elsif v_withdrawal.status <> 'pending' then
        raise exception using errcode = 'PR410', column = 'status',
            message = format('the withdrawal is %s', v_withdrawal.status);
    end if;
    if not p_is_completed then
        perform public.post_transfer('external', null, 'user:cash', v_withdrawal.user_id, null,
            v_withdrawal.amount_micros, 'withdrawal_return', p_withdrawal_id::text, v_now);
    end if;
    update public.withdrawals as w set
        status = v_to,
        external_reference = case when p_is_completed then p_external_reference end,
        reason = case when not p_is_completed then p_reason end,
        decided_at = v_now, decided_by = v_actor
    where w.id = p_withdrawal_id
    returning w.* into v_withdrawal;
    perform public.record_wallet_change(v_actor,
        case when p_is_completed then 'complete_withdrawal' else 'reject_withdrawal' end,
        'withdrawal', p_withdrawal_id, v_withdrawal.user_id,
        jsonb_build_object('status', v_to, 'amount_micros', v_withdrawal.amount_micros),
        p_request_id, p_ip, v_now);
    return v_withdrawal;
end;
$$;
revoke execute on function public.decide_withdrawal(
    uuid, boolean, text, text, text, text, timestamptz
) from public;
grant execute on function public.decide_withdrawal(
    uuid, boolean, text, text, text, text, timestamptz
) to presage_admin;
