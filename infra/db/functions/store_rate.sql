-- Why: a rate moves what deposits are worth, so it is a row with its source and its time, never an
-- edit, and whoever set it is on record. A worker may store what it observed.
-- Raises PR400 (rate), PR403.
create or replace function public.store_rate(
    p_base text, p_quote text, p_rate_micros bigint, p_source text, p_observed_at timestamptz,
    p_request_id text, p_ip text, p_now timestamptz
) returns table (
    base text, quote text, rate_micros bigint, source text, observed_at timestamptz
)
language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
    v_actor uuid := public.actor_id();
    v_id    bigint;
begin
    if session_user <> 'presage_worker' and not exists (
        select from public.users as u where u.id = v_actor and u.role <> 'user') then
        raise exception using errcode = 'PR403', message = 'only an admin may set a rate';
    elsif coalesce(p_rate_micros, 0) not between 1 and 1000000000000 then
        raise exception using errcode = 'PR400', column = 'rate',
            message = 'the rate lies between 0.000001 and 1,000,000';
    end if;
    insert into public.exchange_rates (base, quote, rate_micros, source, observed_at, set_by)
    values (p_base, p_quote, p_rate_micros, p_source, p_observed_at, v_actor)
    returning id into v_id;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_actor, 'store_rate', 'exchange_rate', v_id::text, p_request_id, p_ip,
        jsonb_build_object('base', p_base, 'quote', p_quote, 'rate_micros', p_rate_micros,
                           'source', p_source), p_now
    );
    return query select p_base, p_quote, p_rate_micros, p_source, p_observed_at;
end;
$$;
revoke execute on function public.store_rate(
    text, text, bigint, text, timestamptz, text, text, timestamptz
) from public;
grant execute on function public.store_rate(
    text, text, bigint, text, timestamptz, text, text, timestamptz
) to presage_admin, presage_worker;
