-- Why: turns a binary market into one of many outcomes, each with a book of its own, while nobody
-- has traded it: shares and orders name outcomes by number. p_outcomes is an array of {label,
-- label_bn, probability_bps}, numbered from zero; p_exhaustive says that exactly one of them
-- happens, for which one is labelled OTHER. Calling it again replaces them.
-- Raises PR400 (outcomes, label, probability), PR403, PR404, PR410 (traded, or too late), PR422
-- (not a native market, or one that resolves by a price).
create or replace function public.create_outcomes(
    p_market_id uuid, p_outcomes jsonb, p_exhaustive boolean, p_request_id text, p_ip text,
    p_now timestamptz
) returns table (outcome smallint, label text, label_bn text, probability_bps integer)
language plpgsql volatile security definer set search_path = ''
as $$
#variable_conflict use_column
declare
    c_max_outcomes constant integer := 50;
    c_max_total    constant integer := 10500;
    v_actor  uuid := public.actor_id();
    v_now    timestamptz := public.effective_now(p_now);
    v_market public.markets;
    v_field  text;
begin
    if not exists (select from public.users as u where u.id = v_actor and u.role <> 'user') then
        raise exception using errcode = 'PR403', message = 'only an admin may do this';
    end if;
    select m.* into v_market from public.markets as m where m.id = p_market_id for no key update;
    if not found then
        raise exception using errcode = 'PR404', message = 'there is no such market';
    elsif v_market.venue <> 'native' or v_market.resolution_rule is not null then
        raise exception using errcode = 'PR422',
            message = 'only a native market that does not resolve by a price has many outcomes';
    elsif v_market.state not in ('PROPOSED', 'APPROVED', 'ACTIVE') then
        raise exception using errcode = 'PR410', message = 'the market is ' || v_market.state;
    elsif exists (select from public.orders as o where o.market_id = p_market_id)
        or exists (select from public.positions as p where p.market_id = p_market_id)
        or exists (select from public.fills as f where f.market_id = p_market_id) then
        raise exception using errcode = 'PR410', message = 'the market has been traded';
    end if;

    select case
        when jsonb_typeof(p_outcomes) is distinct from 'array'
            or jsonb_array_length(p_outcomes) not between 2 and c_max_outcomes then 'outcomes'
        when (select bool_or(coalesce(length(e.label), 0) not between 1 and 100
                             or length(e.label_bn) > 100)
                  or count(distinct lower(e.label)) < count(*)
              from jsonb_to_recordset(p_outcomes) as e (label text, label_bn text)) then 'label'
        when (select bool_or(e.probability_bps not between 0 and 10000)
                  or sum(e.probability_bps) > c_max_total
              from jsonb_to_recordset(p_outcomes) as e (probability_bps integer)) then 'probability'
        when p_exhaustive and not exists (
            select from jsonb_to_recordset(p_outcomes) as e (label text)
            where upper(e.label) = 'OTHER') then 'outcomes'
        end into v_field;
    if v_field is not null then
        raise exception using errcode = 'PR400', column = v_field, message = case v_field
            when 'label' then 'labels have 1 to 100 characters and differ'
            when 'probability' then 'probabilities lie between 0 and 1 and sum to 1.05 at most'
            else 'there are 2 to 50 outcomes, one of them OTHER in an exhaustive market' end;
    end if;

    delete from public.price_points as p where p.market_id = p_market_id;
    delete from public.outcomes as o where o.market_id = p_market_id;
    insert into public.outcomes (market_id, outcome, label, label_bn, probability_bps)
    select p_market_id, e.no - 1, e.body ->> 'label', e.body ->> 'label_bn',
           (e.body ->> 'probability_bps')::integer
    from jsonb_array_elements(p_outcomes) with ordinality as e (body, no);
    update public.markets as m set
        market_type = 'multi_outcome', is_exhaustive = coalesce(p_exhaustive, false),
        updated_at = v_now
    where m.id = p_market_id;
    insert into public.outbox (topic, market_id, payload, created_at)
    values ('outcomes', p_market_id, jsonb_build_object('outcomes', p_outcomes), v_now);
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_actor, 'create_outcomes', 'market', p_market_id::text, p_request_id, p_ip,
        jsonb_build_object('outcomes', p_outcomes, 'exhaustive', p_exhaustive), v_now
    );
    return query
    select o.outcome, o.label, o.label_bn, o.probability_bps
    from public.outcomes as o where o.market_id = p_market_id order by o.outcome;
end;
$$;
revoke execute on function public.create_outcomes(uuid, jsonb, boolean, text, text, timestamptz)
    from public;
grant execute on function public.create_outcomes(uuid, jsonb, boolean, text, text, timestamptz)
    to presage_admin;
