-- Why: a person says what was sent from outside, and how an admin can find it. No money moves yet.
-- A rate is frozen here, and what it leaves below a millionth is not credited: it stays outside,
-- with the platform. A reference is used once a method, whatever its case and punctuation, until it
-- is rejected or has expired. p_collateral is the currency of account. p_key is required: a repeat
-- answers the first result.
-- Raises PR400 (idempotency_key, currency, amount, sender_reference, sender_number), PR401, PR409
-- (sender_reference), PR410 (no fresh rate), PR411, PR422 (too many pending).
create or replace function public.create_deposit(
    p_deposit_id uuid, p_method text, p_currency text, p_collateral text, p_amount_micros bigint,
    p_sender_reference text, p_sender_number text, p_key text, p_request_hash bytea,
    p_request_id text, p_ip text, p_now timestamptz
) returns public.deposits
language plpgsql volatile security definer set search_path = ''
as $$
declare
    c_most_pending constant integer := 10;
    c_least        constant bigint := 1000000;
    c_most         constant bigint := 10000000000000;
    c_lifetime     constant interval := interval '24 hours';
    v_actor    uuid := public.actor_id();
    v_now      timestamptz;
    v_first    jsonb;
    v_field    text;
    v_rate     bigint;
    v_credited numeric;
    v_key      text := regexp_replace(lower(p_sender_reference), '[^a-z0-9]', '', 'g');
    v_deposit  public.deposits;
begin
    if coalesce(length(p_key), 0) not between 1 and 128 then
        raise exception using errcode = 'PR400', column = 'idempotency_key',
            message = 'give a key of 1 to 128 characters';
    end if;
    -- Here copies of one request meet, and the count of what is pending holds.
    perform from public.users as u where u.id = v_actor for no key update;
    if not found then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    v_now := public.effective_now(p_now);
    v_first := public.used_key(v_actor, 'create_deposit', p_key, p_request_hash);
    if v_first is not null then
        select d.* into strict v_deposit from public.deposits as d
        where d.id = (v_first ->> 'deposit_id')::uuid;
        v_deposit.status := 'pending';  -- as it was first answered
        v_deposit.reason := null;
        v_deposit.decided_at := null;
        v_deposit.decided_by := null;
        return v_deposit;
    end if;

    v_field := case
        when p_currency is distinct from case p_method when 'usdt' then 'USDT' else p_collateral end
            then 'currency'
        when coalesce(p_amount_micros, 0) not between c_least and c_most then 'amount'
        when coalesce(v_key, '') = '' then 'sender_reference'
        when (p_method in ('bkash', 'nagad', 'rocket')) <> (p_sender_number is not null)
            then 'sender_number' end;
    if v_field is not null then
        raise exception using errcode = 'PR400', column = v_field,
            message = format('the %s does not fit', v_field);
    elsif (
        select count(*) from public.deposits as d
        where d.user_id = v_actor and d.status = 'pending' and d.expires_at > v_now
    ) >= c_most_pending then
        raise exception using errcode = 'PR422',
            message = format('%s deposits are pending already', c_most_pending);
    end if;
    v_credited := p_amount_micros;
    if p_method = 'usdt' then
        v_key := regexp_replace(v_key, '^0x', '');
        v_rate := public.fresh_rate(p_currency, p_collateral, v_now);
        v_credited := div(p_amount_micros::numeric * v_rate, 1000000);
        if v_credited not between 1 and c_most then
            raise exception using errcode = 'PR400', column = 'amount',
                message = 'the amount is worth nothing, or over 10,000,000';
        end if;
    end if;
    -- Whose day is over no longer holds the reference, marked or not.
    perform public.expire_deposit(d.id, p_request_id, p_ip, v_now)
    from public.deposits as d
    where d.method = p_method and d.reference_key = v_key and d.status = 'pending';
    insert into public.deposits (
        id, user_id, method, currency, amount_micros, rate_micros, credited_micros,
        sender_reference, reference_key, sender_number, created_at, expires_at
    )
    values (
        p_deposit_id, v_actor, p_method, p_currency, p_amount_micros, v_rate, v_credited,
        p_sender_reference, v_key, p_sender_number, v_now, v_now + c_lifetime
    )
    on conflict (method, reference_key) where status in ('pending', 'verified') do nothing
    returning * into v_deposit;
    if not found then
        raise exception using errcode = 'PR409', column = 'sender_reference',
            message = 'this reference was given for another deposit';
    end if;
    insert into public.idempotency_keys (actor_id, route, key, request_hash, result, created_at)
    values (v_actor, 'create_deposit', p_key, p_request_hash,
            jsonb_build_object('deposit_id', p_deposit_id), v_now);
    perform public.record_wallet_change(v_actor, 'create_deposit', 'deposit', p_deposit_id, v_actor,
        jsonb_build_object('status', 'pending', 'method', p_method, 'currency', p_currency,
                           'amount_micros', p_amount_micros, 'rate_micros', v_rate,
                           'credited_micros', v_credited),
        p_request_id, p_ip, v_now);
    return v_deposit;
end;
$$;
revoke execute on function public.create_deposit(
    uuid, text, text, text, bigint, text, text, text, bytea, text, text, timestamptz
) from public;
grant execute on function public.create_deposit(
    uuid, text, text, text, bigint, text, text, text, bytea, text, text, timestamptz
) to presage_api;
