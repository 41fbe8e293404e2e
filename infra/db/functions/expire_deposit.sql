-- Why: one announcement whose day is over gives its reference back, whoever finds it. Answers
-- whether there was one to expire; nobody decided it, so the log names no actor.
create or replace function public.expire_deposit(
    p_deposit_id uuid, p_request_id text, p_ip text, p_now timestamptz
) returns boolean
language plpgsql volatile set search_path = ''
as $$
declare
    v_user uuid;
begin
    update public.deposits as d set status = 'expired', decided_at = p_now
    where d.id = p_deposit_id and d.status = 'pending' and d.expires_at <= p_now
    returning d.user_id into v_user;
    if not found then
        return false;
    end if;
    perform public.record_wallet_change(null, 'expire_deposit', 'deposit', p_deposit_id, v_user,
        jsonb_build_object('status', 'expired'), p_request_id, p_ip, p_now);
    return true;
end;
$$;
revoke execute on function public.expire_deposit(uuid, text, text, timestamptz) from public;
