-- Why: an admin has seen the money, or has not. Verified: external -> user:cash, once, under the
-- deposit's id. The same decision again answers the same; another one, or one on a deposit whose day
-- is over, is refused. Nobody verifies money for themselves.
-- Raises PR400 (reason), PR403, PR404, PR410.
create or replace function public.decide_deposit(
    p_deposit_id uuid, p_is_verified boolean, p_reason text, p_request_id text, p_ip text,
    p_now timestamptz
) returns public.deposits
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_actor   uuid := public.actor_id();
    v_to      text := case when p_is_verified then 'verified' else 'rejected' end;
    v_now     timestamptz;
    v_deposit public.deposits;
begin
    if not exists (select from public.users as u where u.id = v_actor and u.role <> 'user') then
        raise exception using errcode = 'PR403', message = 'only an admin may decide a deposit';
    elsif not p_is_verified and coalesce(length(p_reason), 0) not between 1 and 1000 then
        raise exception using errcode = 'PR400', column = 'reason',
            message = 'give a reason of 1 to 1,000 characters';
    end if;
    select d.* into v_deposit from public.deposits as d
    where d.id = p_deposit_id
    for no key update;
    v_now := public.effective_now(p_now);
    if not found then
        raise exception using errcode = 'PR404', message = 'there is no such deposit';
    elsif p_is_verified and v_deposit.user_id = v_actor then
        raise exception using errcode = 'PR403', message = 'nobody verifies a deposit of their own';
    elsif v_deposit.status = v_to then
        return v_deposit;
    elsif v_deposit.status <> 'pending' or v_deposit.expires_at <= v_now then
        raise exception using errcode = 'PR410', column = 'status',
            message = format('the deposit is %s', case v_deposit.status
                when 'pending' then 'expired' else v_deposit.status end);
    end if;
    if p_is_verified then
        perform public.post_transfer('external', null, 'user:cash', v_deposit.user_id, null,
            v_deposit.credited_micros, 'deposit', p_deposit_id::text, v_now);
    end if;
    update public.deposits as d set
        status = v_to, reason = case when not p_is_verified then p_reason end,
        decided_at = v_now, decided_by = v_actor
    where d.id = p_deposit_id
    returning d.* into v_deposit;
    perform public.record_wallet_change(v_actor,
        case when p_is_verified then 'verify_deposit' else 'reject_deposit' end,
        'deposit', p_deposit_id, v_deposit.user_id,
        jsonb_build_object('status', v_to, 'credited_micros', v_deposit.credited_micros),
        p_request_id, p_ip, v_now);
    return v_deposit;
end;
$$;
revoke execute on function public.decide_deposit(uuid, boolean, text, text, text, timestamptz)
    from public;
grant execute on function public.decide_deposit(uuid, boolean, text, text, text, timestamptz)
    to presage_admin;
