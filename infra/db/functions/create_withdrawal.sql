-- Why: what is to be paid out leaves the available balance at once (user:cash -> external), so that
-- it cannot be spent twice while somebody pays it. p_amount_micros is in the collateral currency;
-- USDT is paid at a rate frozen here, and what that leaves below a millionth stays with the
-- platform. Closed-only accounts may withdraw. p_key is required: a repeat answers the first result.
-- Raises PR400 (idempotency_key, amount, destination), PR401, PR402, PR410 (no fresh rate), PR411.
create or replace function public.create_withdrawal(
    p_withdrawal_id uuid, p_method text, p_collateral text, p_amount_micros bigint,
    p_destination text, p_key text, p_request_hash bytea, p_request_id text, p_ip text,
    p_now timestamptz
) returns public.withdrawals
language plpgsql volatile security definer set search_path = ''
as $$
declare
    c_least constant bigint := 1000000;
    c_most  constant bigint := 10000000000000;
    v_actor      uuid := public.actor_id();
    v_currency   text := case p_method when 'usdt' then 'USDT' else p_collateral end;
    v_now        timestamptz;
    v_first      jsonb;
    v_rate       bigint;
    v_payout     numeric := p_amount_micros;
    v_withdrawal public.withdrawals;
begin
    if coalesce(length(p_key), 0) not between 1 and 128 then
        raise exception using errcode = 'PR400', column = 'idempotency_key',
            message = 'give a key of 1 to 128 characters';
    end if;
    -- Here copies of one request meet.
    perform from public.users as u where u.id = v_actor for no key update;
    if not found then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    v_now := public.effective_now(p_now);
    v_first := public.used_key(v_actor, 'create_withdrawal', p_key, p_request_hash);
    if v_first is not null then
        select w.* into strict v_withdrawal from public.withdrawals as w
        where w.id = (v_first ->> 'withdrawal_id')::uuid;
        v_withdrawal.status := 'pending';  -- as it was first answered
        v_withdrawal.external_reference := null;
        v_withdrawal.reason := null;
        v_withdrawal.decided_at := null;
        v_withdrawal.decided_by := null;
        return v_withdrawal;
    elsif coalesce(p_amount_micros, 0) not between c_least and c_most then
        raise exception using errcode = 'PR400', column = 'amount',
            message = 'the amount lies between 1.00 and 10,000,000';
    elsif coalesce(p_destination, '') = '' then
        raise exception using errcode = 'PR400', column = 'destination',
            message = 'say where the money goes';
    end if;
    if p_method = 'usdt' then
        v_rate := public.fresh_rate(v_currency, p_collateral, v_now);
        v_payout := div(p_amount_micros::numeric * 1000000, v_rate);
        if v_payout < 1 then
            raise exception using errcode = 'PR400', column = 'amount',
                message = 'the amount is worth nothing';
        end if;
    end if;
    perform public.post_transfer('user:cash', v_actor, 'external', null, null, p_amount_micros,
        'withdrawal', p_withdrawal_id::text, v_now);
    insert into public.withdrawals (
        id, user_id, method, currency, amount_micros, rate_micros, payout_micros, destination,
        created_at
    )
    values (
        p_withdrawal_id, v_actor, p_method, v_currency, p_amount_micros, v_rate, v_payout,
        p_destination, v_now
    )
    returning * into v_withdrawal;
    insert into public.idempotency_keys (actor_id, route, key, request_hash, result, created_at)
    values (v_actor, 'create_withdrawal', p_key, p_request_hash,
            jsonb_build_object('withdrawal_id', p_withdrawal_id), v_now);
    perform public.record_wallet_change(v_actor, 'create_withdrawal', 'withdrawal', p_withdrawal_id,
        v_actor,
        jsonb_build_object('status', 'pending', 'method', p_method, 'currency', v_currency,
                           'amount_micros', p_amount_micros, 'rate_micros', v_rate,
                           'payout_micros', v_payout),
        p_request_id, p_ip, v_now);
    return v_withdrawal;
end;
$$;
revoke execute on function public.create_withdrawal(
    uuid, text, text, bigint, text, text, bytea, text, text, timestamptz
) from public;
grant execute on function public.create_withdrawal(
    uuid, text, text, bigint, text, text, bytea, text, text, timestamptz
) to presage_api;
