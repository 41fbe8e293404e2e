CREATE SCHEMA public;

COMMENT ON SCHEMA public IS 'standard public schema';

CREATE DOMAIN public.account_kind AS text
	CONSTRAINT account_kinds_are_known CHECK ((VALUE = ANY (ARRAY['user:cash'::text, 'market:orders'::text, 'market:escrow'::text, 'market:bonds'::text, 'market:fees'::text, 'platform:fees'::text, 'external'::text])));

CREATE DOMAIN public.book_side AS text
	CONSTRAINT book_sides_are_bid_or_ask CHECK ((VALUE = ANY (ARRAY['bid'::text, 'ask'::text])));

CREATE TYPE public.chain_trade_sums AS (
	markets text[],
	wallets text[],
	yes numeric[],
	no numeric[],
	paid numeric[],
	received numeric[],
	trades integer[],
	traded text[],
	traded_yes numeric[],
	traded_no numeric[],
	volumes numeric[],
	traded_trades integer[],
	prices numeric[],
	slots bigint[],
	tx_indexes bigint[],
	ordinals bigint[]
);

CREATE TYPE public.fill_draft AS (
	fill_id bigint,
	maker_order_id uuid,
	maker_id uuid,
	maker_account bigint,
	maker_side text,
	maker_position text,
	maker_price_bps integer,
	maker_left_lots bigint,
	price_bps integer,
	size_lots bigint,
	kind text,
	rebate_micros bigint
);

CREATE DOMAIN public.fill_kind AS text
	CONSTRAINT fill_kinds_are_known CHECK ((VALUE = ANY (ARRAY['TRANSFER'::text, 'MINT'::text, 'MERGE'::text])));

CREATE TYPE public.market_terms AS (
	market_id uuid,
	venue text,
	state text,
	trading_status text,
	tick_size_bps integer,
	min_size_lots bigint,
	fee_bps integer,
	maker_rebate_bps integer,
	opens_at timestamp with time zone,
	closes_at timestamp with time zone,
	orders_account bigint,
	escrow_account bigint,
	fees_account bigint,
	closed_only boolean,
	cash_account bigint,
	outcomes smallint[]
);

CREATE TYPE public.transfer_draft AS (
	debit_account bigint,
	credit_account bigint,
	amount_micros bigint,
	kind text
);

CREATE TYPE public.order_draft AS (
	order_id uuid,
	market_id uuid,
	outcome smallint,
	"position" text,
	side text,
	type text,
	price_bps integer,
	size_lots bigint,
	amount_micros bigint,
	post_only boolean,
	self_trade_prevention text,
	client_order_id text,
	request_hash bytea,
	expires_at timestamp with time zone,
	status text,
	is_stopped boolean,
	is_bid boolean,
	book_price_bps integer,
	filled_lots bigint,
	rest_lots bigint,
	cost_micros bigint,
	volume_micros bigint,
	fee_micros bigint,
	need_micros bigint,
	held_micros bigint,
	last_bps integer,
	account_id bigint,
	fee_bps integer,
	maker_rebate_bps integer,
	dropped uuid[],
	expired uuid[],
	accounts bigint[],
	fills public.fill_draft[],
	transfers public.transfer_draft[]
);

CREATE DOMAIN public.order_position AS text
	CONSTRAINT positions_are_yes_or_no CHECK ((VALUE = ANY (ARRAY['YES'::text, 'NO'::text])));

CREATE DOMAIN public.order_side AS text
	CONSTRAINT sides_are_buy_or_sell CHECK ((VALUE = ANY (ARRAY['BUY'::text, 'SELL'::text])));

CREATE DOMAIN public.order_status AS text
	CONSTRAINT order_statuses_are_known CHECK ((VALUE = ANY (ARRAY['pending'::text, 'open'::text, 'partial'::text, 'filled'::text, 'cancelled'::text, 'expired'::text, 'rejected'::text])));

CREATE DOMAIN public.order_type AS text
	CONSTRAINT order_types_are_known CHECK ((VALUE = ANY (ARRAY['GTC'::text, 'GTD'::text, 'FOK'::text, 'FAK'::text])));

CREATE DOMAIN public.price_bps AS integer
	CONSTRAINT prices_lie_inside_the_payout CHECK (((VALUE >= 1) AND (VALUE <= 9999)));

CREATE FUNCTION public.account_of(p_kind text, p_user_id uuid, p_market_id uuid) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
    v_id bigint;
begin
    if p_kind = 'user:cash' then
        if not exists (select from public.users as u where u.id = p_user_id) then
            raise exception using errcode = 'PR404', message = 'there is no such user';
        end if;
        return public.cash_account(p_user_id);
    end if;
    select a.id into v_id from public.accounts as a
    where a.kind = p_kind
      and a.market_id is not distinct from
          case when starts_with(p_kind, 'market:') then p_market_id end;
    if not found then
        raise exception using errcode = 'PR404', message = format('there is no account %s', p_kind);
    end if;
    return v_id;
end;
$$;

CREATE TABLE public.ops_alerts (
    id bigint NOT NULL,
    type text NOT NULL,
    severity text NOT NULL,
    fingerprint text NOT NULL,
    data jsonb DEFAULT '{}'::jsonb NOT NULL,
    count bigint DEFAULT 1 NOT NULL,
    first_seen_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone NOT NULL,
    channels text[] DEFAULT '{}'::text[] NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    next_attempt_at timestamp with time zone NOT NULL,
    sent_at timestamp with time zone,
    acknowledged_at timestamp with time zone,
    acknowledged_by uuid,
    acknowledgement_sent_at timestamp with time zone,
    CONSTRAINT ops_alerts_are_acknowledged_by_somebody CHECK (((acknowledged_at IS NULL) = (acknowledged_by IS NULL))),
    CONSTRAINT ops_alerts_count_from_one CHECK ((count >= 1)),
    CONSTRAINT ops_alerts_severity_is_known CHECK ((severity = ANY (ARRAY['LOW'::text, 'MEDIUM'::text, 'HIGH'::text, 'CRITICAL'::text])))
);

CREATE FUNCTION public.acknowledge_alert(p_alert_id bigint, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS public.ops_alerts
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_actor uuid := public.actor_id();
    v_alert public.ops_alerts;
begin
    if not exists (select from public.users as u where u.id = v_actor and u.role <> 'user') then
        raise exception using errcode = 'PR403', message = 'only an admin may acknowledge an alert';
    end if;
    select a.* into v_alert from public.ops_alerts as a where a.id = p_alert_id for no key update;
    if not found then
        raise exception using errcode = 'PR404', column = 'alert_id',
            message = 'there is no such alert';
    elsif v_alert.acknowledged_at is not null then
        return v_alert;
    end if;
    -- Channels that were given up are worth another try: there is something new to tell.
    update public.ops_alerts as a
    set acknowledged_at = p_now, acknowledged_by = v_actor, attempts = 0
    where a.id = p_alert_id
    returning a.* into v_alert;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_actor, 'acknowledge_alert', 'alert', p_alert_id::text, p_request_id, p_ip,
        jsonb_build_object('type', v_alert.type, 'severity', v_alert.severity), p_now
    );
    return v_alert;
end;
$$;

CREATE FUNCTION public.actor_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path TO ''
    AS $$
    select nullif(current_setting('presage.user_id', true), '')::uuid
$$;

CREATE FUNCTION public.add_shares(p_market_id uuid, p_user_id uuid, p_outcome smallint, p_position text, p_lots bigint, p_cost_micros bigint, p_realised_micros bigint, p_now timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
    v_new integer;
begin
    update public.positions as p set
        held_lots = p.held_lots + p_lots,
        cost_micros = p.cost_micros + p_cost_micros,
        realised_micros = p.realised_micros + p_realised_micros,
        updated_at = p_now
    where p.market_id = p_market_id and p.user_id = p_user_id and p.outcome = p_outcome
      and p.position = p_position;
    if found then
        return 0;
    end if;
    select case when exists (
        select from public.positions as p
        where p.market_id = p_market_id and p.user_id = p_user_id
    ) then 0 else 1 end into v_new;
    insert into public.positions
        (market_id, user_id, outcome, position, held_lots, cost_micros, realised_micros, updated_at)
    values
        (p_market_id, p_user_id, p_outcome, p_position, p_lots, p_cost_micros, p_realised_micros,
         p_now);
    return v_new;
end;
$$;

CREATE FUNCTION public.amend_order(p_order_id uuid, p_size_lots bigint, p_now timestamp with time zone) RETURNS TABLE(order_id uuid, status text, size_lots bigint, filled_lots bigint, remaining_lots bigint, released_lots bigint, released_micros bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
    v_actor  uuid := public.actor_id();
    v_now    timestamptz;
    v_market record;
    v_order  public.orders;
    v_cut    bigint;
    v_micros bigint;
begin
    if v_actor is null then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    select o.* into v_order from public.orders as o
    where o.id = p_order_id and o.user_id = v_actor;
    if not found then
        raise exception using errcode = 'PR404', message = 'there is no such order';
    end if;
    select m.min_size_lots, l.orders_account into v_market
    from public.markets as m
    join public.market_ledgers as l on l.market_id = m.id
    where m.id = v_order.market_id
    for no key update of m;
    v_now := public.effective_now(p_now);
    select o.* into v_order from public.orders as o where o.id = p_order_id;  -- as it is now
    if not v_order.is_open then
        raise exception using errcode = 'PR410', message = 'the order is final already';
    elsif p_size_lots is null or p_size_lots > v_order.size_lots
        or p_size_lots < greatest(v_order.filled_lots, v_market.min_size_lots) then
        raise exception using errcode = 'PR400', column = 'size',
            message = format('size is between %s and %s shares',
                trim_scale(greatest(v_order.filled_lots, v_market.min_size_lots) / 100.0),
                trim_scale(v_order.size_lots / 100.0));
    end if;

    v_cut := v_order.size_lots - p_size_lots;
    v_micros := case v_order.side when 'BUY' then v_cut * v_order.price_bps else 0 end;
    v_order.remaining_lots := v_order.remaining_lots - v_cut;
    if v_order.remaining_lots = 0 then
        v_order.status := 'filled';
    end if;
    if v_cut > 0 then
        perform from public.accounts as a
        where v_micros > 0 and a.id in (v_order.account_id, v_market.orders_account)
        order by a.id
        for no key update;
        update public.orders as o set
            size_lots = p_size_lots,
            placed_size_lots = coalesce(o.placed_size_lots, o.size_lots),
            remaining_lots = v_order.remaining_lots,
            status = v_order.status,
            is_open = v_order.remaining_lots > 0,
            updated_at = v_now
        where o.id = p_order_id;
        if v_micros > 0 then
            insert into public.transfers
                (debit_account, credit_account, amount_micros, kind, reference, market_id, created_at)
            values (v_market.orders_account, v_order.account_id, v_micros, 'release', p_order_id,
                    v_order.market_id, v_now);
            update public.accounts as a set
                balance_micros = a.balance_micros
                    + case a.id when v_order.account_id then v_micros else -v_micros end
            where a.id in (v_order.account_id, v_market.orders_account);
        else
            update public.positions as p set
                locked_lots = p.locked_lots - v_cut, updated_at = v_now
            where p.market_id = v_order.market_id and p.user_id = v_actor
              and p.outcome = v_order.outcome and p.position = v_order.position;
        end if;
        insert into public.outbox (topic, market_id, payload, created_at)
        values ('order', v_order.market_id, jsonb_build_object(
            'order', jsonb_build_object(
                'order_id', p_order_id, 'user_id', v_actor, 'outcome', v_order.outcome,
                'position', v_order.position, 'side', v_order.side,
                'price_bps', v_order.price_bps, 'size_lots', p_size_lots,
                'status', v_order.status, 'filled_lots', v_order.filled_lots,
                'remaining_lots', v_order.remaining_lots, 'released_lots', v_cut,
                'client_order_id', v_order.client_order_id),
            'fills', '[]'::jsonb), v_now);
    end if;
    return query select p_order_id, v_order.status::text, p_size_lots, v_order.filled_lots,
        v_order.remaining_lots, v_cut, v_micros;
end;
$$;

CREATE FUNCTION public.announce_tick_changes(p_now timestamp with time zone) RETURNS TABLE(announced integer, emergencies integer)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    c_grid   constant integer[] := '{10,25,50,100}';
    c_quiet  constant integer := 200;
    c_wild   constant integer := 1000;
    c_notice constant interval := interval '24 hours';
    v_hour   timestamptz := date_bin('1 hour', p_now, 'epoch');
begin
    return query
    with measured as (
        -- An outcome at a time: one sort of everybody's bars would spill to disk.
        select m.id, max(v.now_bps) as now_bps, max(v.before_bps) as before_bps
        from public.markets as m
        join public.outcomes as o on o.market_id = m.id
        cross join lateral (
            select sqrt(sum(k.move_bps ^ 2)
                        filter (where k.bucket >= v_hour - interval '24 hours')) as now_bps,
                   sqrt(sum(k.move_bps ^ 2)
                        filter (where k.bucket >= v_hour - interval '48 hours'
                                  and k.bucket < v_hour - interval '24 hours')) as before_bps
            from (
                select b.bucket, (b.close_bps - coalesce(
                           lag(b.close_bps) over (order by b.bucket), b.open_bps))::float8 as move_bps
                from (
                    -- The bar before the two days is what its first move starts from.
                    (select p.bucket, p.open_bps, p.close_bps from public.price_bars as p
                     where p.market_id = m.id and p.outcome = o.outcome and p.interval_s = 3600
                       and p.bucket < v_hour - interval '48 hours'
                     order by p.bucket desc limit 1)
                    union all
                    select p.bucket, p.open_bps, p.close_bps from public.price_bars as p
                    where p.market_id = m.id and p.outcome = o.outcome and p.interval_s = 3600
                      and p.bucket >= v_hour - interval '48 hours' and p.bucket < v_hour
                ) as b
            ) as k
        ) as v
        where m.state = 'ACTIVE' and m.venue = 'native' and m.trading_status <> 'halted'
          and m.closes_at > p_now and m.tick_size_bps = any (c_grid)
        group by m.id
        having max(v.now_bps) is not null
    ),
    wanted as (
        select m.id, m.tick_size_bps as from_bps, m.closes_at,
               round(v.now_bps)::integer as volatility_bps, r.reason,
               case r.reason
                   when 'quiet' then (select max(g) from unnest(c_grid) as g
                                      where g < m.tick_size_bps and g >= m.min_tick_bps)
                   else (select min(g) from unnest(c_grid) as g
                         where g > m.tick_size_bps and g <= m.max_tick_bps) end as to_bps
        from measured as v
        join public.markets as m on m.id = v.id
        cross join lateral (select case
            when v.now_bps >= c_quiet and v.before_bps > 0 and v.now_bps >= 2 * v.before_bps
                 and not exists (
                     select from public.tick_changes as c
                     where c.market_id = m.id and c.reason = 'emergency'
                       and c.announced_at > p_now - c_notice)
                then 'emergency'
            when v.now_bps < c_quiet then 'quiet'
            when v.now_bps > c_wild then 'volatile' end as reason) as r
    ),
    due as (
        select w.* from wanted as w
        where w.reason is not null and w.to_bps is not null
          and (w.reason = 'emergency' or w.closes_at > p_now + c_notice)
    ),
    made as (
        insert into public.tick_changes
            (market_id, from_bps, to_bps, reason, volatility_bps, announced_at, effective_at)
        select d.id, d.from_bps, d.to_bps, d.reason, d.volatility_bps, p_now,
               case d.reason when 'emergency' then p_now else p_now + c_notice end
        from due as d
        on conflict (market_id) where status = 'announced' do update set
            from_bps = excluded.from_bps, to_bps = excluded.to_bps, reason = excluded.reason,
            volatility_bps = excluded.volatility_bps, announced_at = excluded.announced_at,
            effective_at = excluded.effective_at
        where excluded.reason = 'emergency'
        returning *
    ),
    said as (
        insert into public.market_clarifications (market_id, body, body_bn, created_at)
        select k.market_id,
               format('The tick changes from %s to %s at %s UTC.', trim_scale(k.from_bps / 10000.0),
                   trim_scale(k.to_bps / 10000.0),
                   to_char(k.effective_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'))
                   || ' Orders that rest on the old grid stay valid.',
               format('%s UTC থেকে দামের ধাপ %s এর বদলে %s হবে।',
                   to_char(k.effective_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'),
                   trim_scale(k.from_bps / 10000.0), trim_scale(k.to_bps / 10000.0))
                   || ' আগের ধাপে রাখা অর্ডার বহাল থাকবে।',
               p_now
        from made as k
        returning id, market_id, body
    ),
    told as (
        insert into public.outbox (topic, market_id, payload, created_at)
        select 'clarification', s.market_id, jsonb_build_object('id', s.id, 'body', s.body), p_now
        from said as s
    )
    select count(*)::integer, (count(*) filter (where k.reason = 'emergency'))::integer
    from made as k;
end;
$$;

CREATE FUNCTION public.answer_escalation(p_subject text, p_resolution text, p_now timestamp with time zone) RETURNS void
    LANGUAGE sql
    SET search_path TO ''
    AS $$
    update public.escalations as e
    set status = 'resolved', resolution = p_resolution, resolved_at = p_now,
        resolved_by = public.actor_id()
    where e.kind = 'resolution' and e.subject = p_subject and e.status = 'open'
$$;

CREATE FUNCTION public.apply_tick_changes(p_limit integer, p_now timestamp with time zone) RETURNS TABLE(looked_at integer, changed uuid[])
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_due     uuid[];
    v_changed uuid[];
begin
    v_due := array(
        select c.market_id from public.tick_changes as c
        where c.status = 'announced' and c.effective_at <= p_now
        order by c.effective_at, c.market_id
        limit p_limit);
    perform from public.markets as m where m.id = any (v_due) order by m.id for no key update;
    with moved as (
        update public.markets as m set tick_size_bps = c.to_bps, updated_at = p_now
        from public.tick_changes as c
        where m.id = any (v_due) and c.market_id = m.id and c.status = 'announced'
          and c.effective_at <= p_now and m.tick_size_bps = c.from_bps and m.state = 'ACTIVE'
          and c.to_bps between m.min_tick_bps and m.max_tick_bps
        returning m.id, c.from_bps, c.to_bps
    ),
    told as (
        insert into public.outbox (topic, market_id, payload, created_at)
        select 'tick_size', k.id,
               jsonb_build_object('old_bps', k.from_bps, 'new_bps', k.to_bps), p_now
        from moved as k
    ),
    decided as (
        update public.tick_changes as c set decided_at = p_now,
            status = case when exists (select from moved as k where k.id = c.market_id)
                     then 'applied' else 'dropped' end
        where c.market_id = any (v_due) and c.status = 'announced' and c.effective_at <= p_now
    )
    select coalesce(array_agg(k.id), '{}') into v_changed from moved as k;
    return query select cardinality(v_due), v_changed;
end;
$$;

CREATE FUNCTION public.batch_drafts(p_orders jsonb) RETURNS public.order_draft[]
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS $_$
    select array_agg(row(
        coalesce(o.order_id, gen_random_uuid()),
        case when o.market_id ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
             then o.market_id::uuid end,
        case when jsonb_typeof(o.outcome) = 'number' then (o.outcome #>> '{}')::smallint end,
        coalesce(o.position, 'YES'), o.side, o.type, o.price_bps, o.size_lots, o.amount_micros,
        coalesce(o.post_only, false), coalesce(o.self_trade_prevention, 'cancel_taker'),
        o.client_order_id,
        case when o.client_order_id is not null
             then coalesce(decode(o.request_hash, 'hex'),
                           sha256(convert_to((e.body - 'order_id')::text, 'UTF8'))) end,
        o.expires_at, null, null, null, null, null, null, null, null, null, null, null, null, null,
        null, null, null, null, null, null, null)::public.order_draft order by e.no)
    from jsonb_array_elements(p_orders) with ordinality as e (body, no)
    cross join lateral jsonb_to_record(e.body) as o (
        order_id uuid, market_id text, outcome jsonb, position text, side text, type text,
        price_bps integer, size_lots bigint, amount_micros bigint, post_only boolean,
        self_trade_prevention text, client_order_id text, request_hash text,
        expires_at timestamptz)
$_$;

CREATE FUNCTION public.batch_refusal(p_place integer, p_code text, p_message text, p_field text) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    AS $$
    select jsonb_build_object((p_place - 1)::text, jsonb_build_object(
        'index', p_place - 1, 'status', 'rejected', 'code', p_code, 'message', p_message,
        'field', nullif(p_field, '')))
$$;

CREATE FUNCTION public.batch_results(p_orders public.order_draft[], p_order_ids uuid[], p_refusals jsonb, p_now timestamp with time zone) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS $$
    with placed as (
        select o.order_id, jsonb_build_object(
            'order_id', o.order_id, 'status', o.status, 'size_lots', o.size_lots,
            'filled_lots', o.filled_lots, 'remaining_lots', o.rest_lots,
            'cost_micros', o.cost_micros, 'fee_micros', o.fee_micros,
            'average_price_bps', round(o.cost_micros::numeric / nullif(o.filled_lots, 0), 4),
            'fills', coalesce((
                select jsonb_agg(jsonb_build_object(
                    'fill_id', f.fill_id,
                    'price_bps', case o.position when 'YES' then f.price_bps
                                                 else 10000 - f.price_bps end,
                    'size_lots', f.size_lots, 'kind', f.kind) order by f.fill_id)
                from unnest(o.fills) as f), '[]'::jsonb),
            'created_at', p_now) as told
        from unnest(p_orders) as o
    )
    select jsonb_agg(case
        when i.id is null then p_refusals -> (i.no - 1)::text
        else jsonb_build_object('index', i.no - 1)
            || coalesce(p.told, (select to_jsonb(r) - 'replayed' from public.replayed_order(i.id) as r)) end
        order by i.no)
    from unnest(p_order_ids) with ordinality as i (id, no)
    left join placed as p on p.order_id = i.id
$$;

CREATE FUNCTION public.begin_workflow_run(p_run_id uuid, p_name text, p_slot timestamp with time zone, p_part integer, p_message_id text, p_group_run_id uuid, p_attempt integer, p_now timestamp with time zone, p_lease_s integer) RETURNS TABLE(run_id uuid, decision text, slot timestamp with time zone)
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
    v_run   public.workflow_runs;
    v_lease timestamptz := p_now + make_interval(secs => p_lease_s);
begin
    insert into public.workflow_runs (
        id, name, slot, part, message_id, group_run_id, attempt, status, lease_until, started_at
    )
    values (
        p_run_id, p_name, p_slot, p_part, p_message_id, p_group_run_id, p_attempt, 'running',
        v_lease, p_now
    )
    on conflict do nothing;
    if found then
        return query select p_run_id, 'run', p_slot;
        return;
    end if;

    -- The message first: a late duplicate may fall into the next slot by the clock.
    select r.* into v_run
    from public.workflow_runs r
    where r.name = p_name
      and (r.message_id = p_message_id or (r.slot = p_slot and r.part = p_part))
    order by (r.message_id = p_message_id) desc
    limit 1
    for update;

    if v_run.status in ('completed', 'partial') then
        return query select v_run.id, 'completed', v_run.slot;
    elsif v_run.status = 'running' and v_run.lease_until > p_now then
        return query select v_run.id, 'live', v_run.slot;
    else
        update public.workflow_runs r
        set status = 'running', attempt = greatest(r.attempt + 1, p_attempt), error = null,
            lease_until = v_lease, started_at = p_now, finished_at = null
        where r.id = v_run.id;
        return query select v_run.id, 'run', v_run.slot;
    end if;
end;
$$;

CREATE FUNCTION public.book_summary(p_market_id uuid, p_outcome smallint) RETURNS TABLE(best_bid_bps integer, best_ask_bps integer, mid_bps integer, bid_depth_lots bigint, ask_depth_lots bigint, liquidity_micros bigint)
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS $$
    select b.best, a.best, t.mid2 / 2, b.lots, a.lots,
           (select coalesce(sum(o.remaining_lots * o.book_price_bps), 0)::bigint
            from public.orders as o
            where o.market_id = p_market_id and o.outcome = p_outcome and o.is_open
              and o.book_side = 'bid'
              and abs(2 * o.book_price_bps - t.mid2) * 20 <= t.mid2)
           + (select coalesce(sum(o.remaining_lots * o.book_price_bps), 0)::bigint
              from public.orders as o
              where o.market_id = p_market_id and o.outcome = p_outcome and o.is_open
                and o.book_side = 'ask'
                and abs(2 * o.book_price_bps - t.mid2) * 20 <= t.mid2)
    from public.outcomes as c
    cross join lateral (
        select max(o.book_price_bps) as best, coalesce(sum(o.remaining_lots), 0)::bigint as lots
        from public.orders as o
        where o.market_id = p_market_id and o.outcome = p_outcome and o.is_open
          and o.book_side = 'bid'
    ) as b
    cross join lateral (
        select min(o.book_price_bps) as best, coalesce(sum(o.remaining_lots), 0)::bigint as lots
        from public.orders as o
        where o.market_id = p_market_id and o.outcome = p_outcome and o.is_open
          and o.book_side = 'ask'
    ) as a
    cross join lateral (
        select coalesce(b.best + a.best, 2 * c.last_price_bps, 10000) as mid2
    ) as t
    where c.market_id = p_market_id and c.outcome = p_outcome
$$;

CREATE FUNCTION public.cancel_order(p_order_id uuid, p_now timestamp with time zone) RETURNS TABLE(order_id uuid, status text, filled_lots bigint, released_lots bigint, released_micros bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_actor  uuid := public.actor_id();
    v_market uuid;
begin
    if v_actor is null then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    select o.market_id into v_market
    from public.orders as o
    where o.id = p_order_id and o.user_id = v_actor;
    if not found then
        raise exception using errcode = 'PR404', message = 'there is no such order';
    end if;
    perform from public.markets as m where m.id = v_market for no key update;
    return query select * from public.release_orders(
        array[p_order_id], 'cancelled', public.effective_now(p_now));
    if not found then
        raise exception using errcode = 'PR410', message = 'the order is final already';
    end if;
end;
$$;

CREATE FUNCTION public.cancel_orders(p_market_id uuid, p_now timestamp with time zone) RETURNS TABLE(order_id uuid, status text, filled_lots bigint, released_lots bigint, released_micros bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    c_max_orders constant integer := 1000;
    v_actor uuid := public.actor_id();
    v_ids   uuid[];
begin
    if v_actor is null then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    select array_agg(s.id) into v_ids
    from (
        select o.id from public.orders as o
        where o.user_id = v_actor and o.is_open
          and (p_market_id is null or o.market_id = p_market_id)
        order by o.seq
        limit c_max_orders
    ) as s;
    perform from public.markets as m
    where m.id in (select o.market_id from public.orders as o where o.id = any (v_ids))
    order by m.id
    for no key update;
    return query select * from public.release_orders(
        v_ids, 'cancelled', public.effective_now(p_now));
end;
$$;

CREATE FUNCTION public.cash_account(p_user_id uuid) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
    v_id bigint;
begin
    select a.id into v_id from public.accounts as a where a.user_id = p_user_id;
    if found then
        return v_id;
    end if;
    insert into public.accounts (id, kind, user_id)
    values (nextval('public.account_ids'), 'user:cash', p_user_id)
    on conflict on constraint accounts_are_one_for_each_owner do nothing;
    select a.id into strict v_id from public.accounts as a where a.user_id = p_user_id;
    return v_id;
end;
$$;

CREATE FUNCTION public.cast_vote(p_market_id uuid, p_kind text, p_vote boolean, p_vote_id uuid, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS TABLE(vote_id uuid, yes numeric, no numeric, decision text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    c_most_tries constant integer := 10;
    v_actor  uuid := public.actor_id();
    v_wallet text;
    v_state  text;
    v_due_at timestamptz;
    v_now    timestamptz;
    v_vote   public.votes;
begin
    select u.address into v_wallet from public.users as u where u.id = v_actor;
    if not found then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    select m.state, m.due_at into v_state, v_due_at
    from public.markets as m where m.id = p_market_id for share;
    if not found then
        raise exception using errcode = 'PR404', column = 'market_id',
            message = 'there is no such market';
    end if;
    v_now := public.effective_now(p_now);
    if v_state <> (case p_kind when 'proposal' then 'PROPOSED' else 'DISPUTED' end) then
        raise exception using errcode = 'PR410', column = 'state',
            message = format('a market that is %s takes no votes on a %s', v_state, p_kind);
    elsif p_kind = 'dispute' and v_due_at <= v_now then
        raise exception using errcode = 'PR410', column = 'due_at',
            message = 'the dispute''s three days of votes are over';
    elsif p_kind = 'dispute' and not exists (
        select from public.dispute_weights as w
        where w.market_id = p_market_id and w.wallet = v_wallet and w.weight > 0
    ) then
        raise exception using errcode = 'PR403',
            message = 'only who held more of one side when the dispute began may vote';
    end if;

    insert into public.votes as v (id, market_id, user_id, wallet, kind, vote, created_at)
    values (p_vote_id, p_market_id, v_actor, v_wallet, p_kind, p_vote, v_now)
    on conflict on constraint votes_are_cast_once do update
        set attempts = least(v.attempts + 1, c_most_tries + 1)
    returning v.* into v_vote;
    if v_vote.id = p_vote_id then
        insert into public.audit_log
            (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
        values (v_actor, 'cast_vote', 'market', p_market_id::text, p_request_id, p_ip,
                jsonb_build_object('kind', p_kind, 'vote', p_vote), v_now);
    end if;
    return query select v_vote.id, t.yes, t.no,
        case when v_vote.id = p_vote_id then 'cast'
             when v_vote.attempts > c_most_tries then 'too_many'
             when v_vote.vote = p_vote then 'same'
             else 'other' end
    from public.market_tally(p_market_id, p_kind) as t;
end;
$$;

CREATE FUNCTION public.chain_config_facts(p_slot bigint) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS $$
    select jsonb_object_agg(l.key, l.value)
    from (
        select distinct on (f.key) f.key, f.value
        from public.chain_events as e
        cross join lateral jsonb_each(e.data) as f
        where e.event_type in ('ConfigUpdated', 'GlobalConfigInitialized',
            'ProtocolPauseStatusChanged', 'ConfigObserved') and e.slot <= p_slot
        order by f.key, e.slot desc, e.tx_index desc, e.ordinal desc
    ) as l
$$;

CREATE FUNCTION public.chain_facts(p_event_type text, p_data jsonb, p_order bigint[]) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS $$
    select case p_event_type
        when 'MarketCreated' then jsonb_build_object(
            'state', 'PROPOSED', 'creator', p_data -> 'creator',
            'b_parameter', p_data -> 'b_parameter', 'created_at', t.at,
            'base_yes', div((p_data ->> 'b_parameter')::numeric, 1000),
            'base_no', div((p_data ->> 'b_parameter')::numeric, 1000),
            'base_order', '{0,0,0}'::bigint[])
        when 'ProposalAggregated' then jsonb_build_object(
            'likes', p_data -> 'likes', 'dislikes', p_data -> 'dislikes')
        when 'ProposalApproved' then jsonb_build_object('state', 'APPROVED', 'approved_at', t.at)
        when 'MarketActivated' then jsonb_build_object(
            'state', 'ACTIVE', 'activated_at', t.at,
            'initial_liquidity', p_data -> 'initial_liquidity')
        when 'MarketResolved' then jsonb_build_object(
            'state', 'RESOLVING', 'resolved_at', t.at, 'resolver', p_data -> 'resolver',
            'proposed_outcome', p_data -> 'outcome', 'evidence_hash', p_data -> 'evidence_hash')
        when 'DisputeInitiated' then jsonb_build_object(
            'state', 'DISPUTED', 'disputed_at', t.at, 'was_disputed', true,
            'dispute_initiator', p_data -> 'initiator')
        when 'DisputeAggregated' then
            case when (p_data ->> 'dispute_succeeded')::boolean
                then jsonb_build_object('state', 'RESOLVING')
                else jsonb_build_object(
                    'state', 'FINALIZED', 'finalized_at', t.at, 'final_outcome', null)
            end
        when 'MarketFinalized' then jsonb_build_object(
            'state', 'FINALIZED', 'finalized_at', t.at, 'final_outcome', p_data -> 'final_outcome',
            'was_disputed', p_data -> 'was_disputed')
        when 'MarketCancelled' then jsonb_build_object('state', 'CANCELLED', 'cancelled_at', t.at)
        when 'MarketObserved' then
            jsonb_strip_nulls(p_data - array['market_id', 'timestamp', 'shares_yes', 'shares_no'])
            || jsonb_build_object(
                'proposed_outcome', p_data -> 'proposed_outcome',
                'final_outcome', p_data -> 'final_outcome',
                'base_yes', p_data -> 'shares_yes',
                'base_no', p_data -> 'shares_no',
                'base_order', p_order,
                'base_since', t.at)
        else '{}'
    end
    from (
        select to_timestamp(coalesce(p_data ->> 'timestamp', p_data ->> 'cancelled_at')
            ::double precision) as at
    ) as t
$$;

CREATE FUNCTION public.chain_market_facts(p_markets text[], p_slot bigint) RETURNS TABLE(market text, facts jsonb, state_at jsonb)
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS $$
    with told as (
        select e.market, f.key, f.value, e.signature, o.place
        from public.chain_events as e
        cross join lateral (select array[e.slot, e.tx_index, e.ordinal] as place) as o
        cross join lateral jsonb_each(public.chain_facts(e.event_type, e.data, o.place)) as f
        where e.market = any (p_markets) and e.slot <= p_slot
          and e.event_type not in ('SharesBought', 'SharesSold', 'WinningsClaimed',
              'ProposalVoteSubmitted', 'DisputeVoteSubmitted', 'LiquidityWithdrawn', 'Unknown')
    ),
    latest as (
        select distinct on (t.market, t.key) t.market, t.key, t.value, t.signature, t.place
        from told as t
        order by t.market, t.key, t.place desc
    )
    select l.market, jsonb_object_agg(l.key, l.value),
        (array_agg(jsonb_build_object('order', l.place, 'signature', l.signature))
            filter (where l.key = 'state'))[1]
    from latest as l
    group by l.market
$$;

CREATE FUNCTION public.chain_markets_at(p_markets text[], p_slot bigint) RETURNS TABLE(market text, market_id uuid, state text, shares_yes numeric, shares_no numeric, b_parameter numeric, as_of timestamp with time zone)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    with last as (
        select coalesce((
            select e.block_time from public.chain_events as e
            where e.slot <= p_slot and e.event_type not in ('MarketObserved', 'ConfigObserved')
            order by e.block_time desc, e.slot desc, e.tx_index desc, e.ordinal desc
            limit 1), '-infinity') as moment
    )
    select m.market, m.market_id, n.state, m.shares_yes - t.yes, m.shares_no - t.no, n.b_parameter,
        nullif(l.moment, '-infinity')
    from last as l
    cross join public.chain_markets as m
    left join public.chain_market_facts(p_markets, p_slot) as f on f.market = m.market
    left join lateral jsonb_populate_record(null::public.chain_markets, f.facts) as n on true
    cross join lateral public.chain_shares_traded(
        m.market, array[p_slot, 2147483647, 2147483647], l.moment) as t
    where m.market = any (p_markets) and m.base_order[1] <= p_slot
$$;

CREATE FUNCTION public.chain_payout(p_outcome boolean) RETURNS integer[]
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    AS $$
    select case p_outcome when true then '{10000,0}'::integer[] when false then '{0,10000}'
        else '{5000,5000}' end
$$;

CREATE FUNCTION public.chain_shares_traded(p_market text, p_after bigint[], p_since timestamp with time zone) RETURNS TABLE(yes numeric, no numeric)
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS $$
    select coalesce(sum(t.shares_yes), 0), coalesce(sum(t.shares_no), 0)
    from public.chain_trades as t
    where t.market = p_market collate "C" and t.place > p_after and t.traded_at >= p_since
$$;

CREATE FUNCTION public.chain_window_s() RETURNS integer
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS $$
    select greatest(172800, least(2592000,
        coalesce((select c.dispute_period from public.chain_config as c), 259200)))::integer
$$;

CREATE FUNCTION public.change_shares(p_market_id uuid, p_kind text, p_outcome smallint, p_size_lots bigint, p_key text, p_request_hash bytea, p_operation_id uuid, p_now timestamp with time zone, p_request_id text DEFAULT NULL::text, p_ip text DEFAULT NULL::text) RETURNS TABLE(operation_id uuid, market_id uuid, kind text, outcome smallint, size_lots bigint, amount_micros bigint, created_at timestamp with time zone, replayed boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
    c_max_lots constant bigint := 100000000000;
    v_actor    uuid := public.actor_id();
    v_now      timestamptz;
    v_market   record;
    v_first    record;
    v_reason   text;
    v_field    text;
    v_leg      record;
    v_count    integer;
    v_amount   bigint;   -- what the cash gains
    v_cash     bigint;
    v_cost     bigint;   -- of the shares that go
    v_basis    bigint;   -- money to share among the legs: paid in, paid out, or handed on
    v_share    bigint;
    v_new      integer := 0;
    v_result   jsonb;
begin
    if v_actor is null then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    elsif coalesce(length(p_key), 0) not between 1 and 128 then
        raise exception using errcode = 'PR400', column = 'idempotency_key',
            message = 'give a key of 1 to 128 characters';
    end if;
    select m.venue, m.state, m.trading_status, m.opens_at, m.closes_at, m.is_exhaustive,
           l.escrow_account, u.closed_only, a.id as cash_account
    into v_market
    from public.markets as m
    join public.market_ledgers as l on l.market_id = m.id
    left join public.users as u on u.id = v_actor
    left join public.accounts as a on a.user_id = v_actor
    where m.id = p_market_id
    for no key update of m;
    if not found then
        raise exception using errcode = 'PR404', message = 'there is no such market';
    end if;
    v_now := public.effective_now(p_now);
    v_result := public.used_key(v_actor, 'change_shares', p_key, p_request_hash);
    if v_result is not null then
        return query select r.operation_id, r.market_id, r.kind, r.outcome, r.size_lots,
            r.amount_micros, r.created_at, true
        from jsonb_to_record(v_result) as r (
            operation_id uuid, market_id uuid, kind text, outcome smallint, size_lots bigint,
            amount_micros bigint, created_at timestamptz);
        return;
    end if;

    v_field := case
        when p_kind is null or p_kind not in ('split', 'merge', 'convert', 'complete', 'redeem')
            then 'kind'
        when (p_kind in ('complete', 'redeem')) <> (p_outcome is null) then 'outcome'
        when p_outcome is not null and not exists (
            select from public.outcomes as o
            where o.market_id = p_market_id and o.outcome = p_outcome) then 'outcome'
        when coalesce(p_size_lots, 0) not between 1 and c_max_lots then 'size' end;
    v_reason := public.why_not_trading(v_market.venue, v_market.state, v_market.trading_status,
        v_market.opens_at, v_market.closes_at, true, v_now);
    if v_field is not null then
        raise exception using errcode = 'PR400', column = v_field,
            message = format('the %s does not fit', v_field);
    elsif v_reason is not null then
        raise exception using errcode = 'PR410', message = v_reason;
    elsif v_market.closed_only is null then
        raise exception using errcode = 'PR401', message = 'there is no such user';
    elsif v_market.closed_only and p_kind in ('split', 'complete', 'convert') then
        raise exception using errcode = 'PR403', message = 'this account may only sell and cancel';
    elsif p_kind in ('convert', 'complete', 'redeem') and not v_market.is_exhaustive then
        raise exception using errcode = 'PR422', message = 'the outcomes are not exhaustive';
    end if;

    v_amount := case when p_kind in ('split', 'complete') then -p_size_lots * 10000
                     when p_kind in ('merge', 'redeem') then p_size_lots * 10000 else 0 end;
    if v_amount <> 0 then
        select max(s.balance_micros) filter (where s.id = v_market.cash_account) into v_cash
        from (
            select a.id, a.balance_micros from public.accounts as a
            where a.id in (v_market.cash_account, v_market.escrow_account)
            order by a.id
            for no key update
        ) as s;
        if coalesce(v_cash, 0) + v_amount < 0 then
            raise exception using errcode = 'PR402',
                message = 'the available balance does not cover this';
        end if;
    end if;

    v_basis := abs(v_amount);
    for v_leg in
        select l.*, count(*) over (partition by l.gone) as legs,
               row_number() over (partition by l.gone order by l.outcome, l.position desc) as no
        from (
            select o.outcome, s.position,
                   p_kind in ('merge', 'redeem') or (p_kind = 'convert' and s.position = 'NO') as gone
            from public.outcomes as o
            cross join (values ('YES'), ('NO')) as s (position)
            where o.market_id = p_market_id and case p_kind
                when 'split' then o.outcome = p_outcome
                when 'merge' then o.outcome = p_outcome
                when 'convert' then (o.outcome = p_outcome) = (s.position = 'NO')
                else s.position = 'YES' end
        ) as l
        order by l.gone desc, l.outcome, l.position desc
    loop
        v_share := v_basis / v_leg.legs + case when v_leg.no <= v_basis % v_leg.legs then 1 else 0 end;
        if not v_leg.gone then
            v_new := greatest(v_new, public.add_shares(p_market_id, v_actor, v_leg.outcome,
                v_leg.position, p_size_lots, v_share, 0, v_now));
            continue;
        end if;
        select div(p.cost_micros::numeric * p_size_lots, p.held_lots) into v_cost
        from public.positions as p
        where p.market_id = p_market_id and p.user_id = v_actor and p.outcome = v_leg.outcome
          and p.position = v_leg.position and p.held_lots - p.locked_lots >= p_size_lots;
        if not found then
            raise exception using errcode = 'PR402',
                message = 'the available shares do not cover this';
        end if;
        update public.positions as p set
            held_lots = p.held_lots - p_size_lots,
            cost_micros = p.cost_micros - v_cost,
            realised_micros = p.realised_micros
                + case p_kind when 'convert' then 0 else v_share - v_cost end,
            updated_at = v_now
        where p.market_id = p_market_id and p.user_id = v_actor and p.outcome = v_leg.outcome
          and p.position = v_leg.position;
        if p_kind = 'convert' then
            v_basis := v_cost;
        end if;
    end loop;
    if v_amount <> 0 then
        insert into public.transfers
            (debit_account, credit_account, amount_micros, kind, reference, market_id, created_at)
        values (
            case when v_amount < 0 then v_market.cash_account else v_market.escrow_account end,
            case when v_amount < 0 then v_market.escrow_account else v_market.cash_account end,
            abs(v_amount), p_kind, p_operation_id, p_market_id, v_now);
        update public.accounts as a set
            balance_micros = a.balance_micros
                + case a.id when v_market.cash_account then v_amount else -v_amount end
        where a.id in (v_market.cash_account, v_market.escrow_account);
    end if;
    if v_new > 0 then
        update public.market_counters as c set unique_traders = c.unique_traders + v_new
        where c.market_id = p_market_id;
    end if;

    insert into public.share_operations
        (id, market_id, user_id, kind, outcome, size_lots, amount_micros, created_at)
    values (p_operation_id, p_market_id, v_actor, p_kind, p_outcome, p_size_lots, v_amount, v_now);
    v_result := jsonb_build_object(
        'operation_id', p_operation_id, 'market_id', p_market_id, 'kind', p_kind,
        'outcome', p_outcome, 'size_lots', p_size_lots, 'amount_micros', v_amount,
        'created_at', v_now);
    insert into public.idempotency_keys (actor_id, route, key, request_hash, result, created_at)
    values (v_actor, 'change_shares', p_key, p_request_hash, v_result, v_now);
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (v_actor, 'change_shares', 'market', p_market_id::text, p_request_id, p_ip, v_result,
        v_now);
    insert into public.outbox (topic, market_id, payload, created_at)
    values ('shares', p_market_id, v_result || jsonb_build_object('user_id', v_actor), v_now);
    return query select p_operation_id, p_market_id, p_kind, p_outcome, p_size_lots, v_amount,
        v_now, false;
end;
$$;

CREATE FUNCTION public.clarify_market(p_market_id uuid, p_body text, p_body_bn text, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS TABLE(id bigint, market_id uuid, body text, body_bn text, created_at timestamp with time zone)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_actor uuid := public.actor_id();
    v_id    bigint;
begin
    if not exists (select from public.markets m where m.id = p_market_id) then
        raise exception 'There is no such market.' using errcode = 'PR404', column = 'market_id';
    end if;
    insert into public.market_clarifications as c (market_id, body, body_bn, author, created_at)
    values (p_market_id, p_body, p_body_bn, v_actor, p_now)
    returning c.id into v_id;
    insert into public.outbox (topic, market_id, payload, created_at)
    values ('clarification', p_market_id, jsonb_build_object('id', v_id, 'body', p_body), p_now);
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_actor, 'clarify_market', 'market', p_market_id::text, p_request_id, p_ip,
        jsonb_build_object('clarification', v_id), p_now
    );
    return query select v_id, p_market_id, p_body, p_body_bn, p_now;
end;
$$;

CREATE FUNCTION public.conclude_dispute(p_market_id uuid, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS TABLE(decision text, percentage_bps integer, turnout_bps integer)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_market  public.markets;
    v_now     timestamptz;
    v_tally   record;
    v_result  record;
    v_turnout integer;
begin
    select m.* into v_market from public.markets as m where m.id = p_market_id for no key update;
    if not found then
        raise exception using errcode = 'PR404', message = 'there is no such market';
    end if;
    v_now := public.effective_now(p_now);
    if v_market.state <> 'DISPUTED' or v_market.venue <> 'native' or v_market.due_at > v_now then
        raise exception using errcode = 'PR410', column = 'state',
            message = 'no dispute of this market is over';
    end if;
    select * into strict v_tally from public.market_tally(p_market_id, 'dispute');
    select * into strict v_result
    from public.vote_outcome('dispute', v_tally.yes, v_tally.no, v_tally.votes);
    select coalesce(trunc((v_tally.yes + v_tally.no) * 10000 / nullif(sum(w.weight), 0)), 0)
    into v_turnout
    from public.dispute_weights as w where w.market_id = p_market_id;

    insert into public.aggregation_results
        (market_id, kind, yes, no, percentage_bps, passed, purpose, created_at)
    values (p_market_id, 'dispute', v_tally.yes, v_tally.no, v_result.percentage_bps,
            v_result.passed, 'conclude_dispute', v_now);
    if v_result.passed then
        insert into public.escalations (kind, subject, market_id, reason, data, created_at)
        values ('resolution', 'dispute:' || p_market_id, p_market_id,
                'Holders want another outcome: uphold or refuse the dispute.',
                jsonb_build_object('percentageBps', v_result.percentage_bps,
                                   'turnoutBps', v_turnout, 'votes', v_tally.votes), v_now)
        on conflict (kind, subject) do nothing;
        if found then
            insert into public.notifications (user_id, type, market_id, created_at)
            select u.id, 'settlement_escalation', p_market_id, v_now
            from public.users as u where u.role <> 'user';
        end if;
    else
        perform public.decide_dispute(p_market_id, null, false,
            format('%s of 10,000 by weight wanted another outcome', v_result.percentage_bps),
            p_request_id, p_ip, v_now);
    end if;
    return query select case when v_result.passed then 'escalated' else 'refused' end,
        v_result.percentage_bps, v_turnout;
end;
$$;

CREATE FUNCTION public.confirm_email(p_email_hash bytea, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_user public.users;
begin
    select u.* into v_user from public.users as u
    where u.id = public.actor_id()
    for no key update;
    if sha256(convert_to(v_user.email, 'UTF8')) = p_email_hash and v_user.email_pending is null then
        return;
    elsif sha256(convert_to(v_user.email_pending, 'UTF8')) is distinct from p_email_hash then
        raise exception using errcode = 'PR400', column = 'token',
            message = 'this link is for an address that is no longer asked for';
    end if;
    begin
        update public.users as u set email = u.email_pending, email_pending = null
        where u.id = v_user.id;
    exception when unique_violation then
        raise exception using errcode = 'PR409', column = 'email',
            message = 'another account has this address';
    end;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, created_at)
    values (v_user.id, 'confirm_email', 'user', v_user.id::text, p_request_id, p_ip, p_now);
end;
$$;

CREATE FUNCTION public.consume_ws_ticket(p_ticket_hash bytea, p_now timestamp with time zone) RETURNS TABLE(user_id uuid, address text, role text)
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO ''
    AS $$
    with taken as (
        update public.ws_tickets as t set consumed_at = p_now
        where t.ticket_hash = p_ticket_hash and t.consumed_at is null and t.expires_at > p_now
        returning t.user_id
    )
    select u.id, u.address, u.role from taken as t join public.users as u on u.id = t.user_id;
$$;

CREATE FUNCTION public.count_login_attempt(p_bucket text, p_now timestamp with time zone) RETURNS integer
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO ''
    AS $$
    insert into public.login_attempts as a (bucket, window_start, attempts)
    values (p_bucket, date_trunc('minute', p_now), 1)
    on conflict (bucket, window_start) do update set attempts = a.attempts + 1
    returning attempts;
$$;

CREATE FUNCTION public.create_api_key(p_id uuid, p_name text, p_prefix text, p_key_hash bytea, p_scopes text[], p_ip_allow_list text[], p_expires_at timestamp with time zone, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    c_max_live constant integer := 10;
    v_actor uuid := public.actor_id();
    v_role  text;
begin
    select u.role into v_role from public.users as u where u.id = v_actor for no key update;
    if not found then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    elsif 'admin' = any (p_scopes) and v_role = 'user' then
        raise exception using errcode = 'PR403', column = 'scopes',
            message = 'only an admin may make a key with the scope admin';
    elsif 'service' = any (p_scopes) and v_role <> 'super_admin' then
        raise exception using errcode = 'PR403', column = 'scopes',
            message = 'only a super_admin may make a key with the scope service';
    elsif (
        select count(*) from public.api_keys as k
        where k.user_id = v_actor and k.revoked_at is null
          and (k.expires_at is null or k.expires_at > p_now)
    ) >= c_max_live then
        raise exception using errcode = 'PR409',
            message = format('a user holds at most %s live keys: revoke one first', c_max_live);
    end if;
    insert into public.api_keys (
        id, user_id, name, prefix, key_hash, scopes, ip_allow_list, created_at, expires_at
    )
    values (
        p_id, v_actor, p_name, p_prefix, p_key_hash, p_scopes, p_ip_allow_list::cidr[], p_now,
        p_expires_at
    );
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_actor, 'create_api_key', 'api_key', p_id::text, p_request_id, p_ip,
        jsonb_build_object(
            'name', p_name, 'prefix', p_prefix, 'scopes', p_scopes,
            'ip_allow_list', p_ip_allow_list, 'expires_at', p_expires_at),
        p_now
    );
end;
$$;

CREATE FUNCTION public.create_challenge(p_nonce text, p_address text, p_chain text, p_message text, p_now timestamp with time zone, p_expires_at timestamp with time zone) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO ''
    AS $$
    insert into public.auth_challenges (nonce, address, chain, message, created_at, expires_at)
    values (p_nonce, p_address, p_chain, p_message, p_now, p_expires_at);
$$;

CREATE FUNCTION public.create_comment(p_market_id uuid, p_parent_id bigint, p_content text, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS TABLE(id bigint, thread_id bigint, parent_id bigint, depth smallint, content text, user_address text, display_name text, like_count bigint, reply_count bigint, created_at timestamp with time zone, deleted_at timestamp with time zone)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
    c_deepest constant smallint := 3;
    c_most    constant integer := 500;
    v_actor   uuid := public.actor_id();
    v_parent  public.comments;
    v_id      bigint;
begin
    if not exists (select from public.users as u where u.id = v_actor) then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    elsif not exists (select from public.markets as m where m.id = p_market_id) then
        raise exception using errcode = 'PR404', column = 'market_id',
            message = 'there is no such market';
    elsif (select count(*) from (
               select from public.comments as c
               where c.market_id = p_market_id and c.user_id = v_actor
               limit c_most) as said) = c_most then
        raise exception using errcode = 'PR409', column = 'market_id',
            message = format('a user says at most %s things of a market', c_most);
    end if;
    if p_parent_id is not null then
        select c.* into v_parent from public.comments as c
        where c.id = p_parent_id and c.market_id = p_market_id;
        if not found then
            raise exception using errcode = 'PR404', column = 'parent_id',
                message = 'there is no such comment on this market';
        elsif v_parent.depth = c_deepest then
            raise exception using errcode = 'PR422', column = 'parent_id',
                message = 'replies go three deep';
        end if;
        update public.comments as c set reply_count = c.reply_count + 1
        where c.id = coalesce(v_parent.thread_id, v_parent.id);
        -- Read again behind the lock: whoever deletes it holds the same one.
        select c.* into v_parent from public.comments as c where c.id = p_parent_id;
        if v_parent.deleted_at is not null then
            raise exception using errcode = 'PR410', column = 'parent_id',
                message = 'the comment was deleted';
        end if;
    end if;
    insert into public.comments as c
        (market_id, user_id, thread_id, parent_id, depth, content, created_at)
    values (p_market_id, v_actor, coalesce(v_parent.thread_id, v_parent.id), p_parent_id,
            coalesce(v_parent.depth + 1, 0), p_content, p_now)
    returning c.id into v_id;
    insert into public.outbox (topic, market_id, payload, created_at)
    values ('comment', p_market_id, jsonb_build_object(
                'id', v_id, 'user_id', v_actor, 'parent_id', p_parent_id,
                'parent_user_id', v_parent.user_id), p_now);
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (v_actor, 'create_comment', 'comment', v_id::text, p_request_id, p_ip,
            jsonb_build_object('marketId', p_market_id, 'parentId', p_parent_id), p_now);
    return query
    select c.id, c.thread_id, c.parent_id, c.depth, c.content, u.address, u.display_name,
           c.like_count, c.reply_count, c.created_at, c.deleted_at
    from public.comments as c
    join public.users as u on u.id = c.user_id
    where c.id = v_id;
end;
$$;

CREATE SEQUENCE public.wallet_numbers
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE public.deposits (
    id uuid NOT NULL,
    seq bigint DEFAULT nextval('public.wallet_numbers'::regclass) NOT NULL,
    user_id uuid NOT NULL,
    method text NOT NULL,
    currency text NOT NULL,
    amount_micros bigint NOT NULL,
    rate_micros bigint,
    credited_micros bigint NOT NULL,
    sender_reference text NOT NULL,
    reference_key text NOT NULL,
    sender_number text,
    status text DEFAULT 'pending'::text NOT NULL,
    reason text,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    decided_at timestamp with time zone,
    decided_by uuid,
    CONSTRAINT deposits_are_decided_at_once CHECK (((status = 'pending'::text) = (decided_at IS NULL))),
    CONSTRAINT deposits_by_phone_name_the_phone CHECK ((((method = ANY (ARRAY['bkash'::text, 'nagad'::text, 'rocket'::text])) = (sender_number IS NOT NULL)) AND (sender_number ~ '^01[3-9][0-9]{8}$'::text))),
    CONSTRAINT deposits_convert_usdt_only CHECK (((method = 'usdt'::text) = (rate_micros IS NOT NULL))),
    CONSTRAINT deposits_credit_what_the_frozen_rate_says CHECK (((credited_micros > 0) AND ((credited_micros)::numeric =
CASE
    WHEN (rate_micros IS NULL) THEN (amount_micros)::numeric
    ELSE div(((amount_micros)::numeric * (rate_micros)::numeric), (1000000)::numeric)
END))),
    CONSTRAINT deposits_end_after_they_start CHECK ((expires_at > created_at)),
    CONSTRAINT deposits_method_is_known CHECK ((method = ANY (ARRAY['bkash'::text, 'nagad'::text, 'rocket'::text, 'bank'::text, 'usdt'::text]))),
    CONSTRAINT deposits_reference_says_something CHECK (((length(reference_key) >= 1) AND (length(reference_key) <= 100))),
    CONSTRAINT deposits_status_is_known CHECK ((status = ANY (ARRAY['pending'::text, 'verified'::text, 'rejected'::text, 'expired'::text])))
);

CREATE FUNCTION public.create_deposit(p_deposit_id uuid, p_method text, p_currency text, p_collateral text, p_amount_micros bigint, p_sender_reference text, p_sender_number text, p_key text, p_request_hash bytea, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS public.deposits
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
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

CREATE TABLE public.escalations (
    id bigint NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    market_id uuid,
    reason text NOT NULL,
    data jsonb DEFAULT '{}'::jsonb NOT NULL,
    status text DEFAULT 'open'::text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    resolved_at timestamp with time zone,
    user_id uuid,
    title text,
    severity text DEFAULT 'LOW'::text NOT NULL,
    level integer DEFAULT 0 NOT NULL,
    resolution text,
    resolved_by uuid,
    CONSTRAINT escalations_kind_is_known CHECK ((kind = ANY (ARRAY['support'::text, 'settlement'::text, 'resolution'::text]))),
    CONSTRAINT escalations_level_is_known CHECK (((level >= 0) AND (level <= 3))),
    CONSTRAINT escalations_severity_is_known CHECK ((severity = ANY (ARRAY['LOW'::text, 'MEDIUM'::text, 'HIGH'::text, 'CRITICAL'::text]))),
    CONSTRAINT escalations_status_is_known CHECK ((status = ANY (ARRAY['open'::text, 'resolved'::text])))
);

CREATE FUNCTION public.create_escalation(p_escalation_id uuid, p_kind text, p_market_id uuid, p_title text, p_reason text, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS public.escalations
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_actor      uuid := public.actor_id();
    v_escalation public.escalations;
begin
    if not exists (select from public.users as u where u.id = v_actor and u.role <> 'user') then
        raise exception using errcode = 'PR403', message = 'only an admin may open an escalation';
    elsif p_market_id is not null
        and not exists (select from public.markets as m where m.id = p_market_id) then
        raise exception using errcode = 'PR400', column = 'market_id',
            message = 'there is no such market';
    end if;
    insert into public.escalations (kind, subject, market_id, title, reason, created_at)
    values (p_kind, 'admin:' || p_escalation_id, p_market_id, p_title, p_reason, p_now)
    returning * into v_escalation;
    insert into public.notifications (user_id, type, market_id, facts, created_at)
    select u.id, 'settlement_escalation', p_market_id,
           jsonb_build_object('escalationId', v_escalation.id, 'severity', v_escalation.severity),
           p_now
    from public.users as u
    where u.role <> 'user' and u.id <> v_actor;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_actor, 'create_escalation', 'escalation', v_escalation.id::text, p_request_id, p_ip,
        jsonb_build_object('kind', p_kind, 'marketId', p_market_id), p_now
    );
    return v_escalation;
end;
$$;

CREATE FUNCTION public.create_outcomes(p_market_id uuid, p_outcomes jsonb, p_exhaustive boolean, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS TABLE(outcome smallint, label text, label_bn text, probability_bps integer)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
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

CREATE FUNCTION public.create_ticket(p_ticket_id uuid, p_title text, p_message text, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS public.escalations
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    c_max_open constant integer := 20;
    v_actor    uuid := public.actor_id();
    v_open     integer;
    v_ticket   public.escalations;
begin
    perform from public.users as u where u.id = v_actor for no key update;
    if not found then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    select count(*) into v_open
    from public.escalations as e
    where e.user_id = v_actor and e.status = 'open';
    if v_open >= c_max_open then
        raise exception using errcode = 'PR409',
            message = format('you have %s open tickets, which is the most', v_open);
    end if;
    insert into public.escalations (kind, subject, user_id, title, reason, created_at)
    values ('support', 'ticket:' || p_ticket_id, v_actor, p_title, p_message, p_now)
    returning * into v_ticket;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, created_at)
    values (v_actor, 'create_ticket', 'escalation', v_ticket.id::text, p_request_id, p_ip, p_now);
    return v_ticket;
end;
$$;

CREATE TABLE public.withdrawals (
    id uuid NOT NULL,
    seq bigint DEFAULT nextval('public.wallet_numbers'::regclass) NOT NULL,
    user_id uuid NOT NULL,
    method text NOT NULL,
    currency text NOT NULL,
    amount_micros bigint NOT NULL,
    rate_micros bigint,
    payout_micros bigint NOT NULL,
    destination text NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    external_reference text,
    reason text,
    created_at timestamp with time zone NOT NULL,
    decided_at timestamp with time zone,
    decided_by uuid,
    CONSTRAINT withdrawals_are_decided_at_once CHECK (((status = 'pending'::text) = (decided_at IS NULL))),
    CONSTRAINT withdrawals_convert_usdt_only CHECK (((method = 'usdt'::text) = (rate_micros IS NOT NULL))),
    CONSTRAINT withdrawals_have_a_destination CHECK (((length(destination) >= 1) AND (length(destination) <= 100))),
    CONSTRAINT withdrawals_method_is_known CHECK ((method = ANY (ARRAY['bkash'::text, 'nagad'::text, 'rocket'::text, 'bank'::text, 'usdt'::text]))),
    CONSTRAINT withdrawals_pay_what_the_frozen_rate_says CHECK (((amount_micros > 0) AND (payout_micros > 0) AND ((payout_micros)::numeric =
CASE
    WHEN (rate_micros IS NULL) THEN (amount_micros)::numeric
    ELSE div(((amount_micros)::numeric * (1000000)::numeric), (rate_micros)::numeric)
END))),
    CONSTRAINT withdrawals_say_how_they_were_paid CHECK (((status = 'completed'::text) = (external_reference IS NOT NULL))),
    CONSTRAINT withdrawals_status_is_known CHECK ((status = ANY (ARRAY['pending'::text, 'completed'::text, 'rejected'::text])))
);

CREATE FUNCTION public.create_withdrawal(p_withdrawal_id uuid, p_method text, p_collateral text, p_amount_micros bigint, p_destination text, p_key text, p_request_hash bytea, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS public.withdrawals
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
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

CREATE FUNCTION public.create_ws_ticket(p_ticket_hash bytea, p_expires_at timestamp with time zone, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_actor uuid := public.actor_id();
begin
    if v_actor is null then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    insert into public.ws_tickets (ticket_hash, user_id, created_at, expires_at)
    values (p_ticket_hash, v_actor, p_now, p_expires_at);
    insert into public.audit_log (actor_id, action, resource, resource_id, request_id, ip, created_at)
    values (v_actor, 'create_ws_ticket', 'user', v_actor::text, p_request_id, p_ip, p_now);
end;
$$;

CREATE FUNCTION public.decide_chain_dispute(p_market_id uuid, p_payout_bps integer[], p_upheld boolean, p_reason text, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
    v_market public.markets;
    v_votes  bigint;
begin
    select m.* into strict v_market from public.markets as m where m.id = p_market_id;
    select t.votes into strict v_votes from public.market_tally(p_market_id, 'dispute') as t;
    if v_market.venue <> 'solana' or v_market.dispute_upheld is not null then
        raise exception using errcode = 'PR410', column = 'state',
            message = 'the dispute is decided, or is not decided here';
    elsif (v_market.due_at <= p_now) is not true then
        raise exception using errcode = 'PR410', column = 'due_at',
            message = 'its three days of votes are not over';
    elsif v_votes > 0 then
        raise exception using errcode = 'PR410', column = 'state',
            message = 'the votes end this dispute: market_monitor sends them to the chain';
    elsif p_upheld and (p_payout_bps <> array[v_market.proposed_payout_bps[2],
                                              v_market.proposed_payout_bps[1]]) then
        raise exception using errcode = 'PR400', column = 'payout_bps',
            message = 'the programme turns YES into NO and NO into YES, and knows nothing else';
    end if;
    update public.markets as m set dispute_upheld = p_upheld, updated_at = p_now
    where m.id = p_market_id;
    perform public.answer_escalation(
        'dispute:' || p_market_id, coalesce(p_reason, 'The dispute is decided.'), p_now);
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        public.actor_id(), 'decide_dispute', 'market', p_market_id::text, p_request_id, p_ip,
        jsonb_build_object('is_upheld', p_upheld, 'payout_bps', p_payout_bps, 'reason', p_reason),
        p_now
    );
end;
$$;

CREATE TABLE public.dead_letters (
    id bigint NOT NULL,
    workflow text NOT NULL,
    item text NOT NULL,
    payload jsonb DEFAULT '{}'::jsonb NOT NULL,
    error text NOT NULL,
    failures integer NOT NULL,
    status text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    retries integer DEFAULT 0 NOT NULL,
    next_attempt_at timestamp with time zone,
    reason text,
    CONSTRAINT dead_letters_come_again_while_pending CHECK (((status = 'pending'::text) = (next_attempt_at IS NOT NULL))),
    CONSTRAINT dead_letters_count_from_one CHECK ((failures >= 1)),
    CONSTRAINT dead_letters_retries_are_counted CHECK ((retries >= 0)),
    CONSTRAINT dead_letters_say_why_they_were_discarded CHECK (((status = 'discarded'::text) = (reason IS NOT NULL))),
    CONSTRAINT dead_letters_status_is_known CHECK ((status = ANY (ARRAY['pending'::text, 'manual_review'::text, 'resolved'::text, 'discarded'::text])))
);

CREATE FUNCTION public.decide_dead_letter(p_letter_id bigint, p_reason text, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS public.dead_letters
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
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

CREATE FUNCTION public.decide_deposit(p_deposit_id uuid, p_is_verified boolean, p_reason text, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS public.deposits
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
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

CREATE FUNCTION public.decide_dispute(p_market_id uuid, p_payout_bps integer[], p_upheld boolean, p_reason text, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS TABLE(market_id uuid, slug text, previous_state text, state text, is_upheld boolean, final_payout_bps integer[], bond_micros bigint, changed_at timestamp with time zone)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
    v_actor   uuid := public.actor_id();
    v_now     timestamptz;
    v_market  record;
    v_dispute public.market_disputes;
    v_payout  integer[];
    v_to      bigint;
begin
    if session_user <> 'presage_worker' and not exists (
        select from public.users as u where u.id = v_actor and u.role <> 'user') then
        raise exception using errcode = 'PR403', message = 'only an admin may decide a dispute';
    elsif p_upheld is null then
        raise exception using errcode = 'PR400', column = 'upheld', message = 'say which side holds';
    end if;
    select m.slug, m.venue, m.state, m.proposed_payout_bps as proposed, l.bonds_account,
           l.fees_account
    into v_market
    from public.markets as m
    join public.market_ledgers as l on l.market_id = m.id
    where m.id = p_market_id
    for no key update of m;
    if not found then
        raise exception using errcode = 'PR404', message = 'there is no such market';
    elsif v_market.state <> 'DISPUTED' then
        raise exception using errcode = 'PR410', column = 'state',
            message = format('the market is %s', v_market.state);
    end if;
    v_now := public.effective_now(p_now);
    v_payout := case when p_upheld then p_payout_bps else v_market.proposed end;
    if not public.payout_fits(p_market_id, v_payout)
        or (p_upheld and v_payout = v_market.proposed)
        or (not p_upheld and p_payout_bps <> v_market.proposed) then
        raise exception using errcode = 'PR400', column = 'payout_bps',
            message = 'an upheld dispute needs another payout vector that fits, a refused one none';
    elsif v_market.venue <> 'native' then
        perform public.decide_chain_dispute(
            p_market_id, v_payout, p_upheld, p_reason, p_request_id, p_ip, v_now);
        return query select p_market_id, v_market.slug, v_market.state, v_market.state, p_upheld,
            v_payout, 0::bigint, v_now;
        return;
    end if;

    select d.* into strict v_dispute from public.market_disputes as d
    where d.market_id = p_market_id;
    v_to := case when p_upheld then public.cash_account(v_dispute.user_id)
                 else v_market.fees_account end;
    perform from public.accounts as a
    where a.id in (v_to, v_market.bonds_account) order by a.id for no key update;
    insert into public.transfers
        (debit_account, credit_account, amount_micros, kind, reference, market_id, created_at)
    values (v_market.bonds_account, v_to, v_dispute.bond_micros,
            case when p_upheld then 'bond_return' else 'bond_forfeit' end, v_dispute.id,
            p_market_id, v_now);
    update public.accounts as a set
        balance_micros = a.balance_micros
            + case a.id when v_to then v_dispute.bond_micros else -v_dispute.bond_micros end
    where a.id in (v_to, v_market.bonds_account);
    update public.market_disputes as d set
        is_upheld = p_upheld, decided_by = v_actor, decided_at = v_now
    where d.id = v_dispute.id;
    update public.markets as m set
        state = 'FINALIZED', final_payout_bps = v_payout, finalized_at = v_now, updated_at = v_now
    where m.id = p_market_id;
    perform public.record_move(p_market_id, 'decide_dispute', v_market.state, 'FINALIZED', p_reason,
        jsonb_build_object('is_upheld', p_upheld, 'payout_bps', v_payout), p_request_id, p_ip, v_now);
    return query select p_market_id, v_market.slug, v_market.state, 'FINALIZED', p_upheld, v_payout,
        v_dispute.bond_micros, v_now;
end;
$$;

CREATE FUNCTION public.decide_withdrawal(p_withdrawal_id uuid, p_is_completed boolean, p_external_reference text, p_reason text, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS public.withdrawals
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
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

CREATE FUNCTION public.delete_comment(p_comment_id bigint, p_request_id text, p_ip text, p_now timestamp with time zone, p_as_admin boolean DEFAULT false) RETURNS TABLE(id bigint, market_id uuid, deleted_at timestamp with time zone)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
    v_actor   uuid := public.actor_id();
    v_comment public.comments;
begin
    perform from public.comments as t
    where t.id = (select coalesce(c.thread_id, c.id) from public.comments as c
                  where c.id = p_comment_id)
    for no key update;
    select c.* into v_comment from public.comments as c
    where c.id = p_comment_id
    for no key update;
    if not found then
        raise exception using errcode = 'PR404', column = 'id',
            message = 'there is no such comment';
    elsif v_comment.user_id is distinct from v_actor and not (p_as_admin and exists (
        select from public.users as u where u.id = v_actor and u.role <> 'user')) then
        raise exception using errcode = 'PR403',
            message = 'only its author or an admin may delete a comment';
    end if;
    if v_comment.deleted_at is null then
        update public.comments as c set deleted_at = p_now, deleted_by = v_actor
        where c.id = p_comment_id
        returning c.* into v_comment;
        insert into public.audit_log
            (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
        values (v_actor, 'delete_comment', 'comment', p_comment_id::text, p_request_id, p_ip,
                jsonb_build_object('marketId', v_comment.market_id, 'author', v_comment.user_id),
                p_now);
    end if;
    return query select v_comment.id, v_comment.market_id, v_comment.deleted_at;
end;
$$;

CREATE FUNCTION public.dispute_market(p_market_id uuid, p_reason text, p_key text, p_request_hash bytea, p_dispute_id uuid, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS TABLE(dispute_id uuid, market_id uuid, slug text, previous_state text, state text, bond_micros bigint, changed_at timestamp with time zone, replayed boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
    c_share_bps   constant integer := 100;
    c_least_bond  constant bigint := 1000000;
    v_actor  uuid := public.actor_id();
    v_now    timestamptz;
    v_market record;
    v_cash   record;
    v_bond   bigint;
    v_result jsonb;
begin
    if v_actor is null then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    elsif coalesce(length(p_key), 0) not between 1 and 128 then
        raise exception using errcode = 'PR400', column = 'idempotency_key',
            message = 'give a key of 1 to 128 characters';
    elsif coalesce(length(p_reason), 0) not between 1 and 5000 then
        raise exception using errcode = 'PR400', column = 'reason',
            message = 'give a reason of 1 to 5,000 characters';
    end if;
    select m.slug, m.venue, m.state, m.proposed_at + make_interval(secs => m.dispute_window_s) as until,
           l.escrow_account, l.bonds_account
    into v_market
    from public.markets as m
    join public.market_ledgers as l on l.market_id = m.id
    where m.id = p_market_id
    for no key update of m;
    if not found then
        raise exception using errcode = 'PR404', message = 'there is no such market';
    end if;
    v_now := public.effective_now(p_now);
    v_result := public.used_key(v_actor, 'dispute_market', p_key, p_request_hash);
    if v_result is not null then
        return query select r.dispute_id, r.market_id, r.slug, r.previous_state, r.state,
            r.bond_micros, r.changed_at, true
        from jsonb_to_record(v_result) as r (
            dispute_id uuid, market_id uuid, slug text, previous_state text, state text,
            bond_micros bigint, changed_at timestamptz);
        return;
    end if;
    if not exists (
        select from public.market_moves() as mv
        where mv.venue = v_market.venue and mv.from_state = v_market.state
          and mv.to_state = 'DISPUTED' and mv.who = 'bond'
    ) then
        raise exception using errcode = 'PR410', column = 'state',
            message = format('a market that is %s cannot be disputed', v_market.state);
    elsif v_market.until <= v_now then
        raise exception using errcode = 'PR410', column = 'dispute_window_s',
            message = 'the dispute window is over';
    elsif not exists (
        select from public.positions as p
        where p.market_id = p_market_id and p.user_id = v_actor and p.held_lots > 0
    ) then
        raise exception using errcode = 'PR403', message = 'only who holds shares may dispute';
    end if;

    perform from public.accounts as a
    where a.user_id = v_actor or a.id in (v_market.escrow_account, v_market.bonds_account)
    order by a.id
    for no key update;
    select a.id, a.balance_micros into v_cash from public.accounts as a where a.user_id = v_actor;
    select greatest(c_least_bond, ceil(a.balance_micros * c_share_bps / 10000.0)) into v_bond
    from public.accounts as a where a.id = v_market.escrow_account;
    if coalesce(v_cash.balance_micros, 0) < v_bond then
        raise exception using errcode = 'PR402',
            message = 'the available balance does not cover the bond';
    end if;
    insert into public.market_disputes (id, market_id, user_id, reason, bond_micros, created_at)
    values (p_dispute_id, p_market_id, v_actor, p_reason, v_bond, v_now);
    insert into public.transfers
        (debit_account, credit_account, amount_micros, kind, reference, market_id, created_at)
    values (v_cash.id, v_market.bonds_account, v_bond, 'bond', p_dispute_id, p_market_id, v_now);
    update public.accounts as a set
        balance_micros = a.balance_micros + case a.id when v_cash.id then -v_bond else v_bond end
    where a.id in (v_cash.id, v_market.bonds_account);
    update public.markets as m set state = 'DISPUTED', disputed_at = v_now, updated_at = v_now
    where m.id = p_market_id;
    -- What a holder's word weighs, from now on whatever it does with its shares: how much more one
    -- outcome pays it than another, which is |YES - NO| where there are two.
    insert into public.dispute_weights (market_id, wallet, weight)
    select p_market_id, u.address,
           case when count(*) < cardinality(public.void_payout(p_market_id))
                then greatest(max(n.lots), 0) - least(min(n.lots), 0)
                else max(n.lots) - min(n.lots) end
    from (
        select p.user_id, p.outcome,
               sum(case p.position when 'YES' then p.held_lots else -p.held_lots end) as lots
        from public.positions as p
        where p.market_id = p_market_id and p.held_lots > 0
        group by p.user_id, p.outcome
    ) as n
    join public.users as u on u.id = n.user_id
    group by u.address;
    perform public.record_move(p_market_id, 'dispute_market', v_market.state, 'DISPUTED', p_reason,
        jsonb_build_object('bond_micros', v_bond), p_request_id, p_ip, v_now);
    v_result := jsonb_build_object(
        'dispute_id', p_dispute_id, 'market_id', p_market_id, 'slug', v_market.slug,
        'previous_state', v_market.state, 'state', 'DISPUTED', 'bond_micros', v_bond,
        'changed_at', v_now);
    insert into public.idempotency_keys (actor_id, route, key, request_hash, result, created_at)
    values (v_actor, 'dispute_market', p_key, p_request_hash, v_result, v_now);
    return query select p_dispute_id, p_market_id, v_market.slug, v_market.state, 'DISPUTED',
        v_bond, v_now, false;
end;
$$;

CREATE FUNCTION public.effective_now(p_now timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql
    SET search_path TO ''
    AS $$
    select case when current_setting('presage.clock', true) = 'replay' then p_now
                else greatest(p_now, clock_timestamp()) end
$$;

CREATE FUNCTION public.escalate_overdue(p_limit integer, p_severities text[], p_now timestamp with time zone) RETURNS TABLE(count integer, critical_count integer)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_raised   public.escalations;
    v_count    integer := 0;
    v_critical integer := 0;
begin
    for v_raised in
        with due as (
            select e.id,
                   case when e.created_at <= p_now - interval '8 hours' then 3
                        when e.created_at <= p_now - interval '2 hours' then 2
                        else 1 end as level
            from public.escalations as e
            where e.status = 'open' and e.created_at <= p_now - interval '30 minutes'
              and e.level < case when e.created_at <= p_now - interval '8 hours' then 3
                                 when e.created_at <= p_now - interval '2 hours' then 2
                                 else 1 end
            order by e.created_at, e.id
            limit p_limit
            for no key update of e skip locked
        )
        update public.escalations as e
        set level = d.level, severity = (array['MEDIUM', 'HIGH', 'CRITICAL'])[d.level]
        from due as d
        where e.id = d.id
        returning e.*
    loop
        v_count := v_count + 1;
        if p_severities[v_raised.level] = 'CRITICAL' then
            v_critical := v_critical + 1;
        end if;
        insert into public.notifications (user_id, type, market_id, facts, created_at)
        select u.id, 'settlement_escalation', v_raised.market_id,
               jsonb_build_object('escalationId', v_raised.id, 'severity', v_raised.severity), p_now
        from public.users as u
        where u.role <> 'user';
        perform public.raise_alert(
            'escalation_overdue', p_severities[v_raised.level],
            format('escalation_overdue:%s:%s',
                case when v_raised.user_id is null then v_raised.id::text else 'tickets' end,
                v_raised.level),
            jsonb_build_object('escalationId', v_raised.id, 'kind', v_raised.kind,
                'level', v_raised.level, 'openedAt', v_raised.created_at),
            p_now);
    end loop;
    return query select v_count, v_critical;
end;
$$;

CREATE FUNCTION public.expire_deposit(p_deposit_id uuid, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
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

CREATE FUNCTION public.expire_deposits(p_limit integer, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_now   timestamptz := public.effective_now(p_now);
    v_id    uuid;
    v_count integer := 0;
begin
    for v_id in
        select d.id from public.deposits as d
        where d.status = 'pending' and d.expires_at <= v_now
        order by d.expires_at
        limit p_limit
        for no key update skip locked
    loop
        if public.expire_deposit(v_id, p_request_id, p_ip, v_now) then
            v_count := v_count + 1;
        end if;
    end loop;
    return v_count;
end;
$$;

CREATE FUNCTION public.expire_orders(p_limit integer, p_now timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_now   timestamptz := public.effective_now(p_now);
    v_ids   uuid[];
    v_count integer;
begin
    v_ids := array(
        select o.id from public.orders as o
        where o.is_open and o.expires_at <= v_now
        order by o.expires_at
        limit p_limit);
    perform from public.markets as m
    where m.id in (select o.market_id from public.orders as o where o.id = any (v_ids))
    order by m.id
    for no key update;
    select count(*) into v_count from public.release_orders(v_ids, 'expired', v_now);
    return v_count;
end;
$$;

CREATE FUNCTION public.fifo_positions(p_market_id uuid) RETURNS TABLE(market_id uuid, outcome smallint, "position" text, held_lots bigint, cost_micros bigint, realised_micros bigint, unrealised_micros bigint)
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
    c_max_events constant integer := 50000;
    v_actor    uuid := public.actor_id();
    v_market   record;
    v_event    record;
    v_count    integer := 0;
    -- By key: 2 x outcome + 1, and one more for NO.
    v_held     bigint[];
    v_cost     bigint[];
    v_realised bigint[];
    v_head     integer[];  -- the first lot that may have something left
    v_touched  boolean[];
    -- The lots, in order of arrival.
    v_keys     integer[];
    v_left     bigint[];
    v_worth    bigint[];
    v_take     bigint;
    v_part     bigint;
    v_out      bigint;
    v_need     bigint;
    v_at       integer;
begin
    if v_actor is null then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    for v_market in
        select m.id, m.final_payout_bps as payout, s.market_id is not null as is_paid,
               (select count(*)::integer from public.outcomes as o where o.market_id = m.id) as n
        from public.markets as m
        left join public.settlements as s on s.market_id = m.id and s.user_id = v_actor
        where m.id in (
            select p.market_id from public.positions as p
            where p.user_id = v_actor and (p_market_id is null or p.market_id = p_market_id))
        order by m.id
    loop
        v_held := array_fill(0::bigint, array[2 * v_market.n]);
        v_cost := v_held;
        v_realised := v_held;
        v_head := array_fill(1, array[2 * v_market.n]);
        v_touched := array_fill(false, array[2 * v_market.n]);
        v_keys := '{}';
        v_left := '{}';
        v_worth := '{}';
        v_out := 0;
        for v_event in
            -- Each event brings (lots above zero) or takes shares of one kind; micros is their
            -- price, null where a conversion decides it; extra is realised whatever happens.
            select e.* from (
                select f.id as seq, 0 as leg, 2 * o.outcome + case o.position when 'YES' then 1 else 2 end
                           as key,
                       case o.side when 'BUY' then f.size_lots else -f.size_lots end as lots,
                       f.size_lots * case o.position when 'YES' then f.price_bps
                                                     else 10000 - f.price_bps end as micros,
                       case when f.maker_order_id = o.id then f.rebate_micros else 0 end as extra,
                       1 as legs
                from public.orders as o
                cross join lateral (
                    select t.id, t.size_lots, t.price_bps, t.maker_order_id, t.rebate_micros
                    from public.fills as t where t.taker_order_id = o.id
                    union all
                    select t.id, t.size_lots, t.price_bps, t.maker_order_id, t.rebate_micros
                    from public.fills as t where t.maker_order_id = o.id
                ) as f
                where o.user_id = v_actor and o.market_id = v_market.id and o.filled_lots > 0
                union all
                select 0, 0, 2 * o.outcome + case o.position when 'YES' then 1 else 2 end, 0, 0,
                       -o.fee_micros, 1
                from public.orders as o
                where o.user_id = v_actor and o.market_id = v_market.id and o.fee_micros > 0
                union all
                select l.seq, l.no, l.key, case when l.gone then -l.size_lots else l.size_lots end,
                       case when l.kind <> 'convert' then l.basis / l.legs
                           + case when l.no <= l.basis % l.legs then 1 else 0 end end, 0, l.legs
                from (
                    select s.seq, s.kind, s.size_lots, abs(s.amount_micros) as basis, g.gone,
                           2 * c.outcome + case p.position when 'YES' then 1 else 2 end as key,
                           (count(*) over (partition by s.seq, g.gone))::integer as legs,
                           (row_number() over (
                               partition by s.seq, g.gone order by c.outcome, p.position desc
                           ))::integer as no
                    from public.share_operations as s
                    join public.outcomes as c on c.market_id = s.market_id
                    cross join (values ('YES'), ('NO')) as p (position)
                    cross join lateral (
                        select s.kind in ('merge', 'redeem')
                            or (s.kind = 'convert' and p.position = 'NO') as gone
                    ) as g
                    where s.user_id = v_actor and s.market_id = v_market.id and case s.kind
                        when 'split' then c.outcome = s.outcome
                        when 'merge' then c.outcome = s.outcome
                        when 'convert' then (c.outcome = s.outcome) = (p.position = 'NO')
                        else p.position = 'YES' end
                ) as l
            ) as e
            order by e.seq, e.lots > 0, e.leg
        loop
            v_count := v_count + 1;
            if v_count > c_max_events then
                raise exception using errcode = 'PR422',
                    message = format('there are more than %s trades to go through', c_max_events);
            end if;
            v_touched[v_event.key] := true;
            v_realised[v_event.key] := v_realised[v_event.key] + v_event.extra;
            if v_event.lots > 0 then
                v_part := coalesce(v_event.micros, v_out / v_event.legs
                    + case when v_event.leg <= v_out % v_event.legs then 1 else 0 end);
                v_keys := v_keys || v_event.key;
                v_left := v_left || v_event.lots;
                v_worth := v_worth || v_part;
                v_held[v_event.key] := v_held[v_event.key] + v_event.lots;
                v_cost[v_event.key] := v_cost[v_event.key] + v_part;
                continue;
            end if;
            v_need := -v_event.lots;
            v_out := 0;
            v_at := v_head[v_event.key];
            while v_need > 0 loop
                while v_keys[v_at] <> v_event.key or v_left[v_at] = 0 loop
                    v_at := v_at + 1;
                end loop;
                v_take := least(v_need, v_left[v_at]);
                v_part := div(v_worth[v_at]::numeric * v_take, v_left[v_at]);
                v_left[v_at] := v_left[v_at] - v_take;
                v_worth[v_at] := v_worth[v_at] - v_part;
                v_out := v_out + v_part;
                v_need := v_need - v_take;
            end loop;
            v_head[v_event.key] := v_at;
            v_held[v_event.key] := v_held[v_event.key] + v_event.lots;
            v_cost[v_event.key] := v_cost[v_event.key] - v_out;
            if v_event.micros is not null then
                v_realised[v_event.key] := v_realised[v_event.key] + v_event.micros
                    - case when v_event.lots < 0 then v_out else 0 end;
            end if;
        end loop;

        return query
        select v_market.id, k.outcome, k.position,
               case when v_market.is_paid then 0 else v_held[k.key] end,
               case when v_market.is_paid then 0 else v_cost[k.key] end,
               v_realised[k.key]
                   + case when v_market.is_paid then v_held[k.key] * k.payout - v_cost[k.key] else 0 end,
               case when v_market.is_paid then 0 else v_held[k.key] * k.price - v_cost[k.key] end
        from (
            select q.outcome, s.position, 2 * q.outcome + s.no as key,
                   case s.position when 'YES' then v_market.payout[q.outcome + 1]
                                   else 10000 - v_market.payout[q.outcome + 1] end as payout,
                   case s.position when 'YES' then q.price_bps else 10000 - q.price_bps end as price
            from public.market_quotes(v_market.id) as q
            cross join (values ('YES', 1), ('NO', 2)) as s (position, no)
        ) as k
        where v_touched[k.key]
        order by k.key;
    end loop;
end;
$$;

CREATE FUNCTION public.find_api_key(p_key_hash bytea, p_now timestamp with time zone) RETURNS TABLE(user_id uuid, address text, role text, expires_at timestamp with time zone, scopes text[], ip_allow_list text[])
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
begin
    update public.api_keys as k set last_used_at = p_now
    where k.id = (
        select l.id from public.api_keys as l
        where l.key_hash = p_key_hash and l.revoked_at is null
          and (l.expires_at is null or l.expires_at > p_now)
          and (l.last_used_at is null or l.last_used_at <= p_now - interval '1 minute')
        for no key update skip locked
    );
    return query
    select u.id, u.address, u.role, k.expires_at, k.scopes, k.ip_allow_list::text[]
    from public.api_keys as k
    join public.users as u on u.id = k.user_id
    where k.key_hash = p_key_hash and k.revoked_at is null
      and (k.expires_at is null or k.expires_at > p_now);
end;
$$;

CREATE FUNCTION public.find_outcome(p_market text, p_outcome text, p_position text) RETURNS TABLE(market_id uuid, outcome smallint, "position" text, label text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
    SET search_path TO ''
    AS $_$
declare
    v_market_id uuid;
    v_type      text;
    v_outcome   text := coalesce(p_outcome, '0');
    v_position  text := p_position;
begin
    select m.id, m.market_type into v_market_id, v_type
    from public.markets m
    where case
        when p_market ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
        then m.id = p_market::uuid
        else m.slug = p_market
    end;
    if not found then
        raise exception 'There is no such market.' using errcode = 'PR404', column = 'market_id';
    end if;

    if p_outcome is null and v_type <> 'binary' then
        raise exception 'The market has several outcomes: name one.'
            using errcode = 'PR400', column = 'outcome';
    end if;
    if v_type = 'binary' and v_outcome in ('YES', 'NO') then
        if v_outcome = 'NO' and p_position = 'YES' then
            raise exception 'outcome NO and position YES contradict each other.'
                using errcode = 'PR400', column = 'position';
        end if;
        v_position := case when v_outcome = 'NO' then 'NO' else p_position end;
        v_outcome := '0';
    end if;

    return query
    select v_market_id, o.outcome, coalesce(v_position, 'YES'), o.label
    from public.outcomes o
    where o.market_id = v_market_id
      and (o.label = v_outcome or o.outcome::text = v_outcome)
    order by (o.label = v_outcome) desc
    limit 1;
    if not found then
        raise exception 'The market has no such outcome.'
            using errcode = 'PR400', column = 'outcome';
    end if;
end;
$_$;

CREATE FUNCTION public.find_session(p_token_hash bytea, p_now timestamp with time zone) RETURNS TABLE(user_id uuid, address text, display_name text, role text, expires_at timestamp with time zone)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    select u.id, u.address, u.display_name, u.role, s.expires_at
    from public.sessions s
    join public.users u on u.id = s.user_id
    where s.token_hash = p_token_hash and s.revoked_at is null and s.expires_at > p_now;
$$;

CREATE FUNCTION public.find_wallet(p_chain text, p_address text) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    select u.id from public.users as u where u.chain = p_chain and u.address = p_address;
$$;

CREATE FUNCTION public.follow_chain_markets(p_moved text[], p_held text[], p_request_id text, p_now timestamp with time zone) RETURNS uuid[]
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
    -- The chain knows no close: a wallet resolves whenever it likes.
    c_never constant timestamptz := '2199-01-01 00:00:00+00';
    v_window_s integer := public.chain_window_s();
    v_begun    uuid[];
    v_changed  uuid[];
    v_disputed text[];
begin
    if p_moved is not null then
        with begun as (
            insert into public.markets (id, slug, question, venue, chain_address, chain_market_id,
                state, closes_at, dispute_window_s, created_at, updated_at)
            select m.market_id, 'solana-' || m.market,
                'Market ' || m.market || ' of the Solana programme', 'solana', m.address, m.market,
                'PROPOSED', c_never, v_window_s, coalesce(m.created_at, p_now), p_now
            from public.chain_markets as m
            where m.market = any (p_moved) and m.state_signature is not null
            order by m.market_id
            on conflict do nothing
            returning id
        ),
        books as (
            insert into public.outcomes (market_id, outcome, label) select b.id, 0, 'YES' from begun as b
        ),
        changes as (
            insert into public.market_state_changes (market_id, to_state, created_at)
            select b.id, 'PROPOSED', p_now from begun as b
        )
        select array_agg(b.id) into v_begun from begun as b;

        with old as materialized (
            select k.id, k.state, k.creator is null or public.wallet_of(k.creator) = m.creator as is_its
            from public.markets as k
            join public.chain_markets as m on m.market_id = k.id
            where m.market = any (p_moved) and k.venue = 'solana' and m.state_signature is not null
            order by k.id
            for no key update of k
        ),
        taken as (
            update public.markets as k
            set state = 'CANCELLED', updated_at = p_now
            where k.id in (select o.id from old as o where not o.is_its) and k.state = 'PROPOSED'
            returning k.id, k.state
        ),
        followed as (
            update public.markets as k
            set state = m.state,
                chain_address = m.address,
                chain_market_id = m.market,
                last_state_change_tx = m.state_signature,
                dispute_window_s = v_window_s,
                proposed_at = m.resolved_at,
                proposed_payout_bps = case when m.resolved_at is not null
                    then public.chain_payout(m.proposed_outcome) end,
                disputed_at = m.disputed_at,
                claims_available_at = m.resolved_at + make_interval(secs => v_window_s),
                final_payout_bps = case when m.state = 'FINALIZED'
                    then public.chain_payout(m.final_outcome) end,
                finalized_at = case when m.state = 'FINALIZED'
                    then coalesce(m.finalized_at, p_now) end,
                claims_enabled = m.state = 'FINALIZED',
                created_at = least(k.created_at, m.created_at),
                updated_at = case when k.state = m.state then k.updated_at else p_now end
            from public.chain_markets as m
            where m.market_id = k.id and k.id in (select o.id from old as o where o.is_its)
            returning k.id, k.state
        ),
        moves as (
            select o.id, o.state as from_state, n.state as to_state, n.reason
            from old as o
            join (
                select f.id, f.state, 'The chain says so.' as reason from followed as f
                union all
                select t.id, t.state, 'Its id was taken on chain by another creator.' from taken as t
            ) as n using (id)
            where n.state <> o.state
            order by o.id
        ),
        told as (
            select m.id, public.record_move(m.id, 'follow_chain', m.from_state, m.to_state,
                m.reason, '{}', p_request_id, null, p_now)
            from moves as m
        )
        select array_agg(t.id) into v_changed from told as t;
    end if;

    update public.outcomes as o
    set last_price_bps = least(9999, greatest(1, round(m.price_yes / 100000)))::integer
    from public.chain_markets as m
    join public.markets as k on k.id = m.market_id and k.venue = 'solana'
    where m.market = any (p_moved || p_held) and o.market_id = m.market_id and o.outcome = 0
      and o.last_price_bps is distinct from
          least(9999, greatest(1, round(m.price_yes / 100000)))::integer
      and m.price_yes is not null;

    select array_agg(m.market) into v_disputed
    from public.chain_markets as m
    join public.markets as k on k.id = m.market_id and k.venue = 'solana'
    where m.market = any (p_moved || p_held) and m.disputed_at is not null;
    if v_disputed is not null then
        insert into public.dispute_weights as w (market_id, wallet, weight)
        select m.market_id, p.wallet, abs(p.shares_yes - p.shares_no)
        from public.chain_markets as m
        join public.chain_positions as p on p.market = m.market
        left join public.dispute_weights as h on h.market_id = m.market_id and h.wallet = p.wallet
        where m.market = any (v_disputed) and (p.shares_yes <> 0 or p.shares_no <> 0)
          and h.weight is distinct from abs(p.shares_yes - p.shares_no)
        on conflict (market_id, wallet) do update set weight = excluded.weight;
        delete from public.dispute_weights as w
        using public.chain_markets as m
        join public.chain_positions as p on p.market = m.market
        where m.market = any (v_disputed) and w.market_id = m.market_id and w.wallet = p.wallet
          and p.shares_yes = 0 and p.shares_no = 0;
    end if;
    return array(select distinct unnest(v_begun || v_changed));
end;
$$;

CREATE FUNCTION public.fresh_rate(p_base text, p_quote text, p_now timestamp with time zone) RETURNS bigint
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $$
declare
    c_longest constant interval := interval '24 hours';
    v_rate bigint;
begin
    select r.rate_micros into v_rate
    from (
        select r.rate_micros, r.observed_at from public.exchange_rates as r
        where r.base = p_base and r.quote = p_quote
        order by r.observed_at desc, r.id desc
        limit 1
    ) as r
    where r.observed_at >= p_now - c_longest;
    if not found then
        raise exception using errcode = 'PR410', column = 'currency',
            message = format('there is no rate of %s that is under a day old', p_base);
    end if;
    return v_rate;
end;
$$;

CREATE FUNCTION public.halt_closed_market(p_market_id uuid, p_now timestamp with time zone) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
    update public.markets m
    set trading_status = 'halted', updated_at = p_now
    where m.id = p_market_id and m.closes_at <= p_now and m.trading_status <> 'halted'
      and not exists (
          select from public.orders o where o.market_id = p_market_id and o.is_open);
    if not found then
        return false;
    end if;
    insert into public.outbox (topic, market_id, payload, created_at)
    values ('trading_status', p_market_id, '{"tradingStatus": "halted"}', p_now);
    return true;
end;
$$;

CREATE FUNCTION public.index_events(p_others text[], p_other_ordinals integer[], p_sums public.chain_trade_sums, p_times timestamp with time zone[], p_markets text[], p_market_ids uuid[], p_addresses text[], p_request_id text, p_now timestamp with time zone) RETURNS uuid[]
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_rows  public.chain_events[];
    v_later public.chain_events[];
begin
    perform public.lock_indexer();
    with met as (
        insert into public.chain_addresses (market, market_id, address)
        select n.market, n.market_id, n.address
        from unnest(p_markets, p_market_ids, p_addresses) as n (market, market_id, address)
        where not exists (
            select from public.chain_addresses as a where a.market = n.market collate "C")
        on conflict do nothing
        returning market, market_id, address
    )
    insert into public.chain_markets (market, market_id, address)
    select m.market, m.market_id, m.address from met as m;

    if found or p_others <> '{}' then
        -- Claims without a market are a handful, these ones and older ones alike: one joins when it
        -- comes, or when its market does.
        with joined as (
            update public.chain_events as e
            set market = a.market
            from public.chain_addresses as a
            where e.event_type = 'WinningsClaimed' and e.market is null
              and e.data ->> 'market' = a.address
            returning e.*
        )
        select array_agg(j::public.chain_events) into v_later
        from joined as j
        where (j.signature, j.ordinal) not in (
            select t.signature collate "C", t.ordinal
            from unnest(p_others, p_other_ordinals) as t (signature, ordinal));

        select array_agg(e::public.chain_events) into v_rows
        from unnest(p_others, p_other_ordinals) as t (signature, ordinal)
        join public.chain_events as e
            on e.signature = t.signature collate "C" and e.ordinal = t.ordinal;
    end if;
    if p_sums.traded <> '{}' then
        perform public.project_trades(p_sums);
        perform public.take_back_trades(p_sums.traded, p_times);
    end if;
    return public.project_events(v_rows || v_later, p_sums.traded, p_request_id, p_now);
end;
$$;

CREATE FUNCTION public.keep_audit_log() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
    raise exception using errcode = 'PR403', message = 'the audit log is append only';
end;
$$;

CREATE FUNCTION public.keep_dead_letters(p_workflow text, p_letters jsonb, p_keeps_retries boolean, p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
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

CREATE FUNCTION public.keep_search_text() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
    new.search_text := public.normalise_search(concat_ws(' ', new.question, new.question_bn, new.slug,
        new.category, array_to_string(new.tags, ' ')));
    return new;
end;
$$;

CREATE FUNCTION public.keep_submission(p_message_hash bytea, p_signature text, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_actor uuid := public.actor_id();
    v_found public.unsigned_transactions;
begin
    select t.* into v_found from public.unsigned_transactions as t
    where t.message_hash = p_message_hash and t.user_id = v_actor
    for no key update;
    if not found then
        raise exception using errcode = 'PR404', column = 'transaction',
            message = 'this transaction was not made for you here';
    end if;
    if v_found.signature = p_signature then
        return;
    end if;
    update public.unsigned_transactions as t
    set submitted_at = coalesce(t.submitted_at, p_now), signature = p_signature
    where t.message_hash = p_message_hash;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (v_actor, 'submit_trade', 'market', v_found.market_id::text, p_request_id, p_ip,
            jsonb_build_object('purpose', v_found.purpose, 'signature', p_signature), p_now);
end;
$$;

CREATE FUNCTION public.link_venue(p_venue text, p_key_id text, p_nonce bytea, p_ciphertext bytea, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_actor uuid := public.actor_id();
begin
    if v_actor is null then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    perform public.put_venue_credentials(v_actor, p_venue, p_key_id, p_nonce, p_ciphertext, p_now);
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_actor, 'link_' || p_venue, 'venue_credentials', p_venue, p_request_id, p_ip,
        jsonb_build_object('key_id', p_key_id), p_now
    );
end;
$$;

CREATE FUNCTION public.list_discussions(p_market_id uuid, p_thread bigint, p_mark bigint, p_limit integer, p_replies integer) RETURNS TABLE(id bigint, thread_id bigint, parent_id bigint, depth smallint, content text, user_address text, display_name text, like_count bigint, reply_count bigint, created_at timestamp with time zone, deleted_at timestamp with time zone)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
begin
    if not exists (select from public.markets as m where m.id = p_market_id) then
        raise exception using errcode = 'PR404', column = 'id',
            message = 'there is no such market';
    end if;
    return query
    with threads as (
        select c.id from public.comments as c
        where c.market_id = p_market_id and c.thread_id is null and p_thread is null
          and (p_mark is null or c.id < p_mark)
          and (c.deleted_at is null or c.reply_count > 0)
        order by c.id desc
        limit p_limit
    ),
    shown as (
        select t.id, t.id as thread from threads as t
        union all
        select r.id, t.id
        from threads as t
        cross join lateral (
            select c.id from public.comments as c
            where c.thread_id = t.id
            order by c.id
            limit p_replies
        ) as r
        union all
        (select c.id, p_thread from public.comments as c
         where c.market_id = p_market_id and c.thread_id = p_thread
           and (p_mark is null or c.id > p_mark)
         order by c.id
         limit p_limit)
    )
    select c.id, c.thread_id, c.parent_id, c.depth,
           case when c.deleted_at is null then c.content end,
           case when c.deleted_at is null then u.address end,
           case when c.deleted_at is null then u.display_name end,
           c.like_count, c.reply_count, c.created_at, c.deleted_at
    from shown as s
    join public.comments as c on c.id = s.id
    join public.users as u on u.id = c.user_id
    order by s.thread desc, c.id;
end;
$$;

CREATE FUNCTION public.list_leaderboard(p_period text, p_metric text, p_after integer, p_limit integer) RETURNS TABLE(rank integer, name text, profit_micros bigint, volume_micros bigint, won_markets integer, lost_markets integer, win_rate_bps integer, refreshed_at timestamp with time zone)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $_$
declare
    v_rank text := case p_metric when 'profit' then 'profit_rank' when 'volume' then 'volume_rank'
                                 when 'win_rate' then 'win_rate_rank' end;
begin
    return query execute format(
        'select e.%1$I, coalesce(u.display_name, left(u.address, 6) || ''…'' || right(u.address, 4)),'
        ' e.profit_micros, e.volume_micros, e.won_markets, e.lost_markets, e.win_rate_bps,'
        ' e.refreshed_at'
        ' from public.leaderboard_entries as e join public.users as u on u.id = e.user_id'
        ' where e.period = $1 and e.%1$I > $2 and ($3 or e.win_rate_bps is not null)'
        ' order by e.%1$I limit $4', v_rank)
    using p_period, p_after, p_metric <> 'win_rate', p_limit;
end;
$_$;

CREATE FUNCTION public.list_market() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
    insert into public.market_listings as l (market_id, created_us, closes_us)
    values (new.id, extract(epoch from new.created_at) * 1000000,
            extract(epoch from new.closes_at) * 1000000)
    on conflict (market_id) do update set
        created_us = excluded.created_us, closes_us = excluded.closes_us;
    return null;
end;
$$;

CREATE FUNCTION public.lock_audience(p_market_id uuid) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
    if not exists (select from public.markets m where m.id = p_market_id) then
        raise exception 'There is no such market.' using errcode = 'PR404', column = 'market_id';
    end if;
    insert into public.market_audience (market_id) values (p_market_id) on conflict do nothing;
    perform from public.market_audience a where a.market_id = p_market_id for no key update;
end;
$$;

CREATE FUNCTION public.lock_indexer() RETURNS void
    LANGUAGE sql
    SET search_path TO ''
    AS $$
    select pg_advisory_xact_lock(x'70726573'::integer, x'63686169'::integer)
$$;

CREATE FUNCTION public.market_book(p_market_id uuid, p_outcome smallint, p_depth integer) RETURNS TABLE(side text, price_bps integer, size_lots bigint, orders integer)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    (select 'bid', o.book_price_bps, sum(o.remaining_lots)::bigint, count(*)::integer
     from public.orders as o
     where o.market_id = p_market_id and o.outcome = p_outcome and o.is_open
       and o.book_side = 'bid'
     group by o.book_price_bps
     order by o.book_price_bps desc
     limit least(p_depth, 100))
    union all
    (select 'ask', o.book_price_bps, sum(o.remaining_lots)::bigint, count(*)::integer
     from public.orders as o
     where o.market_id = p_market_id and o.outcome = p_outcome and o.is_open
       and o.book_side = 'ask'
     group by o.book_price_bps
     order by o.book_price_bps
     limit least(p_depth, 100))
$$;

CREATE FUNCTION public.market_holders(p_market_id uuid, p_limit integer) RETURNS TABLE(address text, outcome smallint, "position" text, held_lots bigint, share_bps integer)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    with escrow as materialized (
        -- A binary market's escrow is a side's sum (each payout there is one YES and one NO) until
        -- it begins to be paid out.
        select a.balance_micros / 10000 as lots
        from public.markets m
        join public.market_ledgers l on l.market_id = m.id
        join public.accounts a on a.id = l.escrow_account
        where m.id = p_market_id and m.market_type = 'binary' and m.state <> 'FINALIZED'
    ),
    largest as materialized (
        select p.user_id, p.outcome, p.position, p.held_lots
        from public.positions p
        where p.market_id = p_market_id and p.held_lots > 0
        order by p.held_lots desc, p.user_id limit p_limit
    ),
    sums as materialized (
        select p.outcome, p.position, sum(p.held_lots) as lots
        from public.positions p
        where p.market_id = p_market_id and p.held_lots > 0 and not exists (select from escrow)
        group by p.outcome, p.position
    )
    select u.address, l.outcome, l.position, l.held_lots,
           (l.held_lots::numeric * 10000
            / nullif(coalesce((select e.lots from escrow e), s.lots), 0))::integer
    from largest l
    join public.users u on u.id = l.user_id
    left join sums s on s.outcome = l.outcome and s.position = l.position
    order by l.held_lots desc, u.address;
$$;

CREATE FUNCTION public.market_moves() RETURNS TABLE(venue text, from_state text, to_state text, who text)
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    AS $$
    values
        ('native', 'PROPOSED', 'APPROVED', 'admin'),
        ('native', 'APPROVED', 'ACTIVE', 'creator'),
        ('native', 'ACTIVE', 'RESOLVING', 'admin'),
        ('native', 'RESOLVING', 'DISPUTED', 'bond'),
        ('native', 'RESOLVING', 'FINALIZED', 'admin'),
        ('native', 'DISPUTED', 'FINALIZED', 'decision'),
        ('native', 'PROPOSED', 'CANCELLED', 'admin'),
        ('native', 'APPROVED', 'CANCELLED', 'admin'),
        ('solana', 'PROPOSED', 'CANCELLED', 'admin')
$$;

CREATE FUNCTION public.market_quotes(p_market_id uuid) RETURNS TABLE(outcome smallint, best_bid_bps integer, best_ask_bps integer, price_bps integer)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    select o.outcome, b.price, a.price,
           coalesce((b.price + a.price) / 2, o.last_price_bps, o.probability_bps, 5000)
    from public.outcomes o
    left join lateral (
        select max(r.book_price_bps) as price from public.orders r
        where r.market_id = p_market_id and r.outcome = o.outcome
          and r.is_open and r.book_side = 'bid'
    ) b on true
    left join lateral (
        select min(r.book_price_bps) as price from public.orders r
        where r.market_id = p_market_id and r.outcome = o.outcome
          and r.is_open and r.book_side = 'ask'
    ) a on true
    where o.market_id = p_market_id;
$$;

CREATE FUNCTION public.market_stats(p_market_id uuid, p_now timestamp with time zone) RETURNS TABLE(volume_micros bigint, volume_24h_micros bigint, trade_count bigint, unique_traders bigint, follower_count bigint, bookmark_count bigint, open_interest_micros bigint, liquidity_micros bigint, last_updated timestamp with time zone)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    select c.volume_micros,
           (select coalesce(sum(b.volume_micros), 0)::bigint
            from public.outcomes as o
            join public.price_bars as b on b.market_id = o.market_id and b.outcome = o.outcome
            where o.market_id = p_market_id and b.interval_s = 3600
              and b.bucket > date_bin('1 hour', p_now, 'epoch') - interval '24 hours'
              and b.bucket <= p_now),
           c.trade_count, c.unique_traders, coalesce(e.follower_count, 0),
           coalesce(e.bookmark_count, 0), a.balance_micros,
           (select coalesce(sum(s.liquidity_micros), 0)::bigint
            from public.outcomes as o
            cross join lateral public.book_summary(p_market_id, o.outcome) as s
            where o.market_id = p_market_id),
           coalesce(c.last_trade_at, m.updated_at)
    from public.market_counters as c
    join public.markets as m on m.id = c.market_id
    join public.market_ledgers as l on l.market_id = c.market_id
    join public.accounts as a on a.id = l.escrow_account
    left join public.market_audience as e on e.market_id = c.market_id
    where c.market_id = p_market_id
$$;

CREATE FUNCTION public.market_tally(p_market_id uuid, p_kind text) RETURNS TABLE(yes numeric, no numeric, votes bigint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    with vote as materialized (
        select m.venue,
               case p_kind when 'dispute' then m.disputed_at + interval '3 days' end as ends_at
        from public.markets as m
        where m.id = p_market_id
    ),
    on_chain as materialized (
        select v.wallet, v.vote
        from vote as b
        join public.chain_markets as c on c.market_id = p_market_id
        join public.chain_votes as v on v.market = c.market and v.kind = p_kind
        where b.venue = 'solana' and (v.voted_at < b.ends_at) is not false
    ),
    cast_votes as (
        select wallet, vote from on_chain
        union all
        select v.wallet, v.vote
        from vote as b
        join public.votes as v on v.market_id = p_market_id and v.kind = p_kind
        where (v.created_at < b.ends_at) is not false
          and not exists (select from on_chain as c where c.wallet = v.wallet)
    ),
    weighed as (
        select v.vote, case p_kind when 'dispute' then w.weight else 1 end as weight
        from cast_votes as v
        left join public.dispute_weights as w
            on p_kind = 'dispute' and w.market_id = p_market_id and w.wallet = v.wallet
    )
    select coalesce(sum(w.weight) filter (where w.vote), 0),
           coalesce(sum(w.weight) filter (where not w.vote), 0),
           count(*) filter (where w.weight > 0)
    from weighed as w
$$;

CREATE FUNCTION public.market_trades(p_market_id uuid, p_outcome smallint, p_before_id bigint, p_limit integer) RETURNS TABLE(fill_id bigint, outcome smallint, price_bps integer, size_lots bigint, taker_side text, taker_position text, kind text, created_at timestamp with time zone)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    select f.id, f.outcome, f.price_bps, f.size_lots, f.taker_side, f.taker_position, f.kind,
           f.created_at
    from public.fills as f
    where f.market_id = p_market_id
      and (p_outcome is null or f.outcome = p_outcome)
      and f.id < coalesce(p_before_id, 9223372036854775807)
    order by f.id desc
    limit least(p_limit, 500)
$$;

CREATE FUNCTION public.match_order(p_order public.order_draft, p_market public.market_terms, p_actor uuid, p_met uuid[], p_left bigint[], p_ahead_bps integer, p_now timestamp with time zone) RETURNS public.order_draft
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
    c_max_fills constant integer := 1000;
    c_scale     constant numeric := 100000000;  -- fees are computed in 1e-8 micros, exactly
    v_side      text := p_order.side;
    v_yes       boolean := p_order.position = 'YES';
    v_bid       boolean := (v_side = 'BUY') = v_yes;
    v_price_bps integer := p_order.price_bps;
    v_limit_bps integer := case when v_yes then v_price_bps else 10000 - v_price_bps end;
    v_fee_bps   integer := p_market.fee_bps;
    v_cash      bigint := p_market.cash_account;
    v_escrow    bigint := p_market.escrow_account;
    v_orders    bigint := p_market.orders_account;
    v_field     text;
    v_reason    text;
    v_book      refcursor;
    v_maker     record;
    v_met       boolean;
    v_place     integer;
    v_fill      public.fill_draft;
    v_fills     public.fill_draft[] := '{}';
    v_transfers public.transfer_draft[] := '{}';
    v_accounts  bigint[];
    v_dropped   uuid[] := '{}';
    v_expired   uuid[] := '{}';
    v_count     integer := 0;
    v_passed    integer := 0;
    v_left      bigint := p_order.size_lots;
    v_budget    numeric := p_order.amount_micros * c_scale;
    v_unit      numeric;
    v_lots      bigint;
    v_own_bps   integer;
    v_last_bps  integer;
    v_stopped   boolean := false;
    v_filled    bigint := 0;
    v_cost      bigint := 0;
    v_volume    bigint := 0;
    v_weight    bigint := 0;  -- lots x p x (1 - p): what the fee is taken on
    v_fee       bigint := 0;
    v_mint_taker   bigint := 0;  -- MINT: cash -> escrow
    v_mint_makers  bigint := 0;  -- MINT: market:orders -> escrow
    v_merge_taker  bigint := 0;  -- MERGE: escrow -> cash
    v_from_buyers  bigint := 0;  -- TRANSFER, taker sells: market:orders -> cash
    v_need      numeric;
begin
    v_field := public.misfit_of_order(p_order.position, v_side, p_order.type, v_price_bps,
        v_left, p_order.amount_micros, p_order.post_only, p_order.self_trade_prevention,
        p_order.client_order_id, p_order.expires_at, p_market.tick_size_bps,
        p_market.min_size_lots, v_fee_bps, p_now);
    if v_field is null and (p_order.outcome = any (p_market.outcomes)) is not true then
        v_field := 'outcome';
    end if;
    if v_field is not null then
        raise exception using errcode = 'PR400', column = v_field, message = case v_field
            when 'price' then format('price is a multiple of %s between 0 and 1',
                trim_scale(p_market.tick_size_bps / 10000.0))
            when 'size' then format('size is at least %s shares, at most a thousand million',
                trim_scale(p_market.min_size_lots / 100.0))
            when 'amount' then 'amount stands instead of size in a FOK or FAK buy; it buys at least '
                'the smallest size at the limit'
            when 'post_only' then 'an order that may not rest cannot be post-only'
            when 'expiration' then 'a GTD order, and no other, ends at least 60 seconds from now'
            when 'outcome' then 'the market has no such outcome'
            else format('%s is not one that orders know', v_field) end;
    end if;
    v_reason := public.why_not_trading(p_market.venue, p_market.state, p_market.trading_status,
        p_market.opens_at, p_market.closes_at, p_order.post_only, p_now);
    if v_reason is not null then
        raise exception using errcode = 'PR410', message = v_reason;
    elsif p_market.closed_only and v_side = 'BUY' then
        raise exception using errcode = 'PR403', message = 'this account may only sell and cancel';
    end if;

    if v_bid then
        open v_book for
            select o.id, o.user_id, o.account_id, o.side, o.position, o.price_bps,
                   o.book_price_bps, o.remaining_lots, o.expires_at
            from public.orders as o
            where o.market_id = p_order.market_id and o.outcome = p_order.outcome and o.is_open
              and o.book_side = 'ask' and o.book_price_bps <= v_limit_bps
            order by o.book_price_bps, o.seq;
    else
        open v_book for
            select o.id, o.user_id, o.account_id, o.side, o.position, o.price_bps,
                   o.book_price_bps, o.remaining_lots, o.expires_at
            from public.orders as o
            where o.market_id = p_order.market_id and o.outcome = p_order.outcome and o.is_open
              and o.book_side = 'bid' and o.book_price_bps >= v_limit_bps
            order by o.book_price_bps desc, o.seq;
    end if;
    v_accounts := array[v_cash];
    while v_left is null or v_left > 0 loop
        fetch v_book into v_maker;
        v_met := found;
        if p_ahead_bps is not null and (not v_met
            or case when v_bid then p_ahead_bps < v_maker.book_price_bps
                    else p_ahead_bps > v_maker.book_price_bps end) then
            if p_order.post_only then
                raise exception using errcode = 'PR422',
                    message = 'a post-only order may not cross the book';
            elsif p_order.self_trade_prevention <> 'cancel_taker' then
                raise exception using errcode = 'PR422', column = 'self_trade_prevention',
                    message = 'an order may not cancel another of its own batch';
            end if;
            v_stopped := true;
            exit;
        end if;
        exit when not v_met;
        if p_met is not null then
            v_place := array_position(p_met, v_maker.id);
            if v_place is not null then
                continue when p_left[v_place] = 0;
                v_maker.remaining_lots := p_left[v_place];
            end if;
        end if;
        if v_count + v_passed >= c_max_fills then
            v_stopped := true;  -- what it met stands, the rest is cancelled
            exit;
        end if;
        if v_maker.expires_at <= p_now then
            v_expired := v_expired || v_maker.id;
            v_accounts := v_accounts || v_maker.account_id;
            v_passed := v_passed + 1;
            continue;
        end if;
        if p_order.post_only then
            raise exception using errcode = 'PR422',
                message = 'a post-only order may not cross the book';
        end if;
        if v_maker.user_id = p_actor then
            if p_order.self_trade_prevention <> 'cancel_taker' then
                v_dropped := v_dropped || v_maker.id;
                v_passed := v_passed + 1;
            end if;
            v_stopped := p_order.self_trade_prevention <> 'cancel_maker';
            exit when v_stopped;
            continue;
        end if;
        v_own_bps := case when v_yes then v_maker.book_price_bps
                          else 10000 - v_maker.book_price_bps end;
        if v_budget is null then
            v_lots := least(v_left, v_maker.remaining_lots);
            v_left := v_left - v_lots;
        else
            -- ceil(fee) fits a whole number of micros exactly when the fee itself does.
            v_unit := v_own_bps * c_scale + v_own_bps * (10000 - v_own_bps) * v_fee_bps::numeric;
            v_lots := least(v_maker.remaining_lots, div(v_budget, v_unit));
            exit when v_lots = 0;
            v_budget := v_budget - v_lots * v_unit;
        end if;
        v_count := v_count + 1;
        v_last_bps := v_maker.book_price_bps;
        v_filled := v_filled + v_lots;
        v_cost := v_cost + v_lots * v_own_bps;
        v_volume := v_volume + v_lots * v_last_bps;
        v_weight := v_weight + v_lots * v_own_bps * (10000 - v_own_bps);
        if v_maker.side = 'SELL' then  -- the one maker that is paid
            v_accounts := v_accounts || v_maker.account_id;
            v_transfers := v_transfers || row(
                case v_side when 'BUY' then v_cash else v_escrow end, v_maker.account_id,
                v_lots * v_maker.price_bps,
                case v_side when 'BUY' then 'transfer' else 'merge' end)::public.transfer_draft;
            if v_side = 'SELL' then
                v_merge_taker := v_merge_taker + v_lots * v_own_bps;
            end if;
        elsif v_side = 'BUY' then
            v_mint_taker := v_mint_taker + v_lots * v_own_bps;
            v_mint_makers := v_mint_makers + v_lots * v_maker.price_bps;
        else
            v_from_buyers := v_from_buyers + v_lots * v_own_bps;
        end if;
        v_fills := v_fills || row(
            nextval('public.fill_ids'), v_maker.id, v_maker.user_id, v_maker.account_id,
            v_maker.side, v_maker.position, v_maker.price_bps, v_maker.remaining_lots - v_lots,
            v_maker.book_price_bps, v_lots,
            case when v_side = v_maker.side then case v_side when 'BUY' then 'MINT' else 'MERGE' end
                 else 'TRANSFER' end,
            0)::public.fill_draft;
    end loop;
    close v_book;

    -- What is left: nothing, a rest in the book, or a cancelled remainder.
    p_order.rest_lots := 0;
    p_order.held_micros := 0;
    if v_budget is not null then
        p_order.size_lots := v_filled;
        v_unit := v_price_bps * c_scale + v_price_bps * (10000 - v_price_bps) * v_fee_bps::numeric;
        v_left := div(v_budget, v_unit);
    end if;
    if v_left = 0 then
        p_order.status := 'filled';
    elsif p_order.type = 'FOK' then
        raise exception using errcode = 'PR422', message = 'the order cannot be filled entirely';
    elsif v_stopped or p_order.type = 'FAK' then
        p_order.status := 'cancelled';
    else
        p_order.rest_lots := v_left;
        p_order.status := case when v_filled > 0 then 'partial' else 'open' end;
        if v_side = 'BUY' then
            p_order.held_micros := v_left * v_price_bps;
            v_transfers := v_transfers || row(v_cash, v_orders, p_order.held_micros,
                'order')::public.transfer_draft;
        end if;
    end if;

    if v_count > 0 then
        v_accounts := v_accounts || v_orders || v_escrow || p_market.fees_account;
        if v_fee_bps > 0 then
            v_fee := ceil(v_weight::numeric * v_fee_bps / c_scale);
            v_transfers := v_transfers || row(v_cash, p_market.fees_account, v_fee,
                'fee')::public.transfer_draft;
        end if;
        if v_fee > 0 and p_market.maker_rebate_bps > 0 then
            for i in 1..v_count loop  -- rounded down: the dust stays with the platform
                v_fill := v_fills[i];
                v_fill.rebate_micros := div(
                    v_fee::numeric * p_market.maker_rebate_bps * v_fill.size_lots
                        * v_fill.price_bps * (10000 - v_fill.price_bps),
                    v_weight::numeric * 10000);
                if v_fill.rebate_micros > 0 then
                    v_fills[i] := v_fill;
                    v_accounts := v_accounts || v_fill.maker_account;
                    v_transfers := v_transfers || row(p_market.fees_account, v_fill.maker_account,
                        v_fill.rebate_micros, 'rebate')::public.transfer_draft;
                end if;
            end loop;
        end if;
        if v_mint_taker > 0 then
            v_transfers := v_transfers
                || row(v_cash, v_escrow, v_mint_taker, 'mint')::public.transfer_draft
                || row(v_orders, v_escrow, v_mint_makers, 'mint')::public.transfer_draft;
        end if;
        if v_merge_taker > 0 then
            v_transfers := v_transfers
                || row(v_escrow, v_cash, v_merge_taker, 'merge')::public.transfer_draft;
        end if;
        if v_from_buyers > 0 then
            v_transfers := v_transfers
                || row(v_orders, v_cash, v_from_buyers, 'transfer')::public.transfer_draft;
        end if;
    elsif p_order.held_micros > 0 or v_passed > 0 then
        v_accounts := v_accounts || v_orders;
    end if;

    p_order.need_micros := 0;
    if v_side = 'BUY' then
        v_need := p_order.amount_micros;
        if v_need is null then
            v_need := p_order.size_lots * v_price_bps;
            if v_count > 0 and v_fee_bps > 0 then
                v_need := v_need + ceil(v_need * (10000 - v_price_bps) * v_fee_bps / c_scale);
            end if;
        end if;
        p_order.need_micros := v_need;
    end if;
    p_order.is_stopped := v_stopped;
    p_order.is_bid := v_bid;
    p_order.book_price_bps := v_limit_bps;
    p_order.filled_lots := v_filled;
    p_order.cost_micros := v_cost;
    p_order.volume_micros := v_volume;
    p_order.fee_micros := v_fee;
    p_order.last_bps := v_last_bps;
    p_order.account_id := v_cash;
    p_order.fee_bps := v_fee_bps;
    p_order.maker_rebate_bps := p_market.maker_rebate_bps;
    p_order.dropped := v_dropped;
    p_order.expired := v_expired;
    p_order.accounts := v_accounts;
    p_order.fills := v_fills;
    p_order.transfers := v_transfers;
    return p_order;
end;
$$;

CREATE FUNCTION public.misfit_of_order(p_position text, p_side text, p_type text, p_price_bps integer, p_size_lots bigint, p_amount_micros bigint, p_post_only boolean, p_self_trade_prevention text, p_client_order_id text, p_expires_at timestamp with time zone, p_tick_size_bps integer, p_min_size_lots bigint, p_fee_bps integer, p_now timestamp with time zone) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $$
declare
    c_max_lots   constant bigint := 100000000000;      -- keeps every product inside a bigint
    c_max_micros constant bigint := 900000000000000;   -- at a price of one as well
    c_scale      constant numeric := 100000000;
begin
    return case
        when p_position is null or p_position not in ('YES', 'NO') then 'position'
        when p_side is null or p_side not in ('BUY', 'SELL') then 'side'
        when p_type is null or p_type not in ('GTC', 'GTD', 'FOK', 'FAK') then 'type'
        when p_self_trade_prevention is null
            or p_self_trade_prevention not in ('cancel_taker', 'cancel_maker', 'cancel_both')
            then 'self_trade_prevention'
        when length(p_client_order_id) not between 1 and 128 then 'client_order_id'
        when p_post_only and p_type in ('FOK', 'FAK') then 'post_only'
        when (p_type = 'GTD') <> (p_expires_at is not null) then 'expiration'
        when p_expires_at < p_now + interval '60 s' or not isfinite(p_expires_at) then 'expiration'
        when p_price_bps is null or p_price_bps not between 1 and 9999 then 'price'
        when p_price_bps % p_tick_size_bps <> 0 then 'price'
        when p_amount_micros is null and p_size_lots is null then 'size'
        when p_amount_micros is null and p_size_lots < p_min_size_lots then 'size'
        when p_size_lots > c_max_lots then 'size'
        when p_amount_micros is null then null
        when p_size_lots is not null then 'amount'  -- one of the two, not both
        when p_side <> 'BUY' or p_type in ('GTC', 'GTD') then 'amount'
        when p_amount_micros > c_max_micros then 'amount'
        -- It must buy the smallest size at the limit, fee included.
        when p_amount_micros * c_scale < p_min_size_lots
            * (p_price_bps * c_scale + p_price_bps * (10000 - p_price_bps) * p_fee_bps::numeric)
            then 'amount'
    end;
end;
$$;

CREATE FUNCTION public.move_market(p_market_id uuid, p_to text, p_reason text, p_payout_bps integer[], p_evidence jsonb, p_fee_bps integer, p_maker_rebate_bps integer, p_request_id text, p_ip text, p_now timestamp with time zone, p_as_admin boolean DEFAULT false) RETURNS TABLE(id uuid, slug text, previous_state text, state text, changed_at timestamp with time zone)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_actor    uuid := public.actor_id();
    v_is_admin boolean := session_user = 'presage_worker'
        or ((p_as_admin or session_user = 'presage_admin') and exists (
            select from public.users u where u.id = v_actor and u.role <> 'user'));
    v_market   public.markets;
    v_who      text;
    v_now      timestamptz;
begin
    select m.* into v_market from public.markets m where m.id = p_market_id for no key update;
    if not found then
        raise exception 'There is no such market.' using errcode = 'PR404', column = 'market_id';
    end if;
    v_now := public.effective_now(p_now);

    select mv.who into v_who
    from public.market_moves() mv
    where mv.venue = v_market.venue and mv.from_state = v_market.state and mv.to_state = p_to;
    if not found or v_who in ('bond', 'decision') then
        raise exception 'A market cannot go from % to %.', v_market.state, p_to
            using errcode = 'PR410', column = 'state';
    end if;
    if not (v_is_admin or (v_who = 'creator' and v_market.creator = v_actor)) then
        raise exception 'Only % may do this.',
            case v_who when 'creator' then 'the creator or an admin' else 'an admin' end
            using errcode = 'PR403';
    end if;

    -- One that is created there after all goes on by the chain's word.
    if v_market.venue = 'solana' and exists (
        select from public.chain_markets as c where c.market_id = p_market_id) then
        raise exception 'The market is on chain, which alone moves it.'
            using errcode = 'PR410', column = 'state';
    end if;

    if p_to = 'ACTIVE' and v_market.closes_at <= v_now then
        raise exception 'The market has passed its close.'
            using errcode = 'PR410', column = 'closes_at';
    elsif p_to = 'RESOLVING' and v_market.closes_at > v_now then
        raise exception 'The market has not closed yet.'
            using errcode = 'PR410', column = 'closes_at';
    elsif p_to = 'FINALIZED'
        and v_market.proposed_at + make_interval(secs => v_market.dispute_window_s) > v_now then
        raise exception 'The dispute window is not over.'
            using errcode = 'PR410', column = 'dispute_window_s';
    end if;

    if p_to = 'RESOLVING' and not public.payout_fits(p_market_id, p_payout_bps) then
        raise exception 'The payout vector does not fit the market.'
            using errcode = 'PR400', column = 'payout_bps';
    end if;

    update public.markets m
    set state = p_to,
        updated_at = v_now,
        fee_bps = case when p_to = 'APPROVED' then coalesce(p_fee_bps, m.fee_bps) else m.fee_bps end,
        maker_rebate_bps = case when p_to = 'APPROVED'
            then coalesce(p_maker_rebate_bps, m.maker_rebate_bps) else m.maker_rebate_bps end,
        proposed_payout_bps = case when p_to = 'RESOLVING' then p_payout_bps
            else m.proposed_payout_bps end,
        proposed_at = case when p_to = 'RESOLVING' then v_now else m.proposed_at end,
        proposed_by = case when p_to = 'RESOLVING' then v_actor else m.proposed_by end,
        resolution_evidence = case when p_to = 'RESOLVING' then p_evidence
            else m.resolution_evidence end,
        claims_available_at = case when p_to = 'RESOLVING'
            then v_now + make_interval(secs => m.dispute_window_s) else m.claims_available_at end,
        final_payout_bps = case when p_to = 'FINALIZED' then m.proposed_payout_bps
            else m.final_payout_bps end,
        finalized_at = case when p_to = 'FINALIZED' then v_now else m.finalized_at end
    where m.id = p_market_id;

    perform public.record_move(p_market_id, 'move_market', v_market.state, p_to, p_reason, '{}',
        p_request_id, p_ip, v_now);
    return query select p_market_id, v_market.slug, v_market.state, p_to, v_now;
end;
$$;

CREATE FUNCTION public.normalise_search(p_text text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO ''
    AS $_$
    select btrim(regexp_replace(
        lower(normalize(coalesce(p_text, ''), NFC)),
        '[][\s!"#$%&''()*+,./:;<=>?@\\^_`{|}~।॥“”‘’–—-]+', ' ', 'g'
    ))
$_$;

CREATE FUNCTION public.notify_closing_markets(p_now timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    SET work_mem TO '64MB'
    AS $$
declare
    v_told integer;
begin
    insert into public.notifications (user_id, type, market_id, facts, created_at)
    select f.user_id, 'market_closing_soon', m.id,
           jsonb_build_object('closesAt', to_jsonb(m.closes_at)), p_now
    from public.markets m
    join public.follows f on f.market_id = m.id and f.notify_on_close
    where m.state = 'ACTIVE' and m.closes_at > p_now and m.closes_at <= p_now + interval '1 hour'
    order by m.id, f.user_id
    on conflict do nothing;
    get diagnostics v_told = row_count;
    return v_told;
end;
$$;

CREATE FUNCTION public.open_market_accounts() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_orders bigint := -nextval('public.account_ids');
    v_escrow bigint := -nextval('public.account_ids');
    v_bonds  bigint := -nextval('public.account_ids');
    v_fees   bigint := -nextval('public.account_ids');
begin
    insert into public.accounts (id, kind, market_id)
    values (v_orders, 'market:orders', new.id), (v_escrow, 'market:escrow', new.id),
           (v_bonds, 'market:bonds', new.id), (v_fees, 'market:fees', new.id);
    insert into public.market_ledgers
        (market_id, orders_account, escrow_account, bonds_account, fees_account)
    values (new.id, v_orders, v_escrow, v_bonds, v_fees);
    insert into public.market_counters (market_id) values (new.id);
    return null;
end;
$$;

CREATE FUNCTION public.payout_fits(p_market_id uuid, p_payout_bps integer[]) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS $$
    select coalesce((
        select sum(f) = 10000 and min(f) >= 0 and count(f) = count(*)
           and count(*) = cardinality(public.void_payout(p_market_id))
        from unnest(p_payout_bps) as f), false)
$$;

CREATE FUNCTION public.place_order(p_market_id uuid, p_outcome smallint, p_position text, p_side text, p_type text, p_price_bps integer, p_size_lots bigint, p_amount_micros bigint, p_post_only boolean, p_self_trade_prevention text, p_client_order_id text, p_request_hash bytea, p_order_id uuid, p_now timestamp with time zone, p_expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS TABLE(order_id uuid, status text, size_lots bigint, filled_lots bigint, remaining_lots bigint, cost_micros bigint, fee_micros bigint, average_price_bps numeric, fills jsonb, created_at timestamp with time zone, replayed boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
    v_actor     uuid := nullif(current_setting('presage.user_id', true), '')::uuid;
    v_now       timestamptz;
    v_market    public.market_terms;
    v_first     record;
    v_order     public.order_draft;
    v_available bigint;
    v_ids       bigint[];  -- accounts locked
    v_deltas    bigint[];  -- what each of them gains
    v_transfer  public.transfer_draft;
    v_fill      public.fill_draft;
    v_fills     public.fill_draft[];
    v_count     integer;
    v_place     integer;
    v_new       integer := 0;
    v_result    jsonb[] := '{}';
    v_told      jsonb[] := '{}';
begin
    if v_actor is null then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    select m.id, m.venue, m.state, m.trading_status, m.tick_size_bps, m.min_size_lots, m.fee_bps,
           m.maker_rebate_bps, m.opens_at, m.closes_at, l.orders_account, l.escrow_account,
           l.fees_account, u.closed_only, a.id, array[c.outcome]
    into v_market
    from public.markets as m
    join public.market_ledgers as l on l.market_id = m.id
    left join public.users as u on u.id = v_actor
    left join public.accounts as a on a.user_id = v_actor
    left join public.outcomes as c on c.market_id = m.id and c.outcome = p_outcome
    where m.id = p_market_id
    for no key update of m;
    if not found then
        raise exception using errcode = 'PR404', message = 'there is no such market';
    end if;
    v_now := case  -- effective_now, after the wait for the lock
        when current_setting('presage.clock', true) = 'replay' then p_now
        else greatest(p_now, clock_timestamp()) end;

    if p_client_order_id is not null then
        select o.id, o.request_hash into v_first
        from public.orders as o
        where o.user_id = v_actor and o.client_order_id = p_client_order_id;
        if found then
            if v_first.request_hash is distinct from p_request_hash then
                raise exception using errcode = 'PR411', column = 'client_order_id',
                    message = 'this client order id was used with another order';
            end if;
            return query select * from public.replayed_order(v_first.id);
            return;
        end if;
    end if;
    if v_market.closed_only is null then
        raise exception using errcode = 'PR401', message = 'there is no such user';
    end if;

    v_order.order_id := p_order_id;
    v_order.market_id := p_market_id;
    v_order.outcome := p_outcome;
    v_order.position := p_position;
    v_order.side := p_side;
    v_order.type := p_type;
    v_order.price_bps := p_price_bps;
    v_order.size_lots := p_size_lots;
    v_order.amount_micros := p_amount_micros;
    v_order.post_only := coalesce(p_post_only, false);
    v_order.self_trade_prevention := p_self_trade_prevention;
    v_order.client_order_id := p_client_order_id;
    v_order.request_hash := case when p_client_order_id is not null then p_request_hash end;
    v_order.expires_at := p_expires_at;
    v_order := public.match_order(v_order, v_market, v_actor, null, null, null, v_now);

    -- Every account touched, by id, before any write; the taker's balance comes with the locks.
    select max(s.balance_micros) filter (where s.id = v_order.account_id), array_agg(s.id)
    into v_available, v_ids
    from (
        select a.id, a.balance_micros from public.accounts as a
        where a.id = any (v_order.accounts)
        order by a.id
        for no key update
    ) as s;
    if v_order.need_micros > 0 and (v_available >= v_order.need_micros) is not true then
        raise exception using errcode = 'PR402',
            message = 'the available balance does not cover this order';
    end if;
    v_fills := v_order.fills;
    v_count := cardinality(v_fills);

    if v_count > 3 then  -- 14 us a fill against 42
        v_new := public.write_orders(array[v_order], v_actor, v_now);
    else
        if p_side = 'SELL' then
            update public.positions as p set
                held_lots = p.held_lots - v_order.filled_lots,
                locked_lots = p.locked_lots + v_order.rest_lots,
                cost_micros = p.cost_micros
                    - div(p.cost_micros::numeric * v_order.filled_lots, p.held_lots),
                realised_micros = p.realised_micros + v_order.cost_micros - v_order.fee_micros
                    - div(p.cost_micros::numeric * v_order.filled_lots, p.held_lots),
                updated_at = v_now
            where p.market_id = p_market_id and p.user_id = v_actor and p.outcome = p_outcome
              and p.position = p_position and p.held_lots - p.locked_lots >= p_size_lots;
            if not found then
                raise exception using errcode = 'PR402',
                    message = 'the available shares do not cover this order';
            end if;
        end if;
        insert into public.orders (
            id, user_id, account_id, market_id, outcome, position, side, type, price_bps, size_lots,
            amount_micros, post_only, self_trade_prevention, client_order_id, request_hash,
            expires_at, book_side, book_price_bps, status, is_open, filled_lots, remaining_lots,
            placed_status, placed_filled_lots, placed_cost_micros, fee_micros, created_at,
            updated_at
        ) values (
            p_order_id, v_actor, v_order.account_id, p_market_id, p_outcome, p_position, p_side,
            p_type, p_price_bps, v_order.size_lots, p_amount_micros, v_order.post_only,
            p_self_trade_prevention, p_client_order_id, v_order.request_hash, p_expires_at,
            case when v_order.is_bid then 'bid' else 'ask' end, v_order.book_price_bps,
            v_order.status, v_order.rest_lots > 0, v_order.filled_lots, v_order.rest_lots,
            v_order.status, v_order.filled_lots, v_order.cost_micros, v_order.fee_micros, v_now,
            v_now
        );
        if cardinality(v_order.dropped) > 0 then
            perform public.release_orders(v_order.dropped, 'cancelled', v_now);
        end if;
        if cardinality(v_order.expired) > 0 then
            perform public.release_orders(v_order.expired, 'expired', v_now);
        end if;
        if cardinality(v_order.transfers) > 0 then
            insert into public.transfers
                (debit_account, credit_account, amount_micros, kind, reference, market_id, created_at)
            select t.debit_account, t.credit_account, sum(t.amount_micros), t.kind, p_order_id,
                   p_market_id, v_now
            from unnest(v_order.transfers) as t
            group by t.debit_account, t.credit_account, t.kind;
            v_deltas := array_fill(0::bigint, array[cardinality(v_ids)]);
            foreach v_transfer in array v_order.transfers loop
                v_place := array_position(v_ids, v_transfer.debit_account);
                v_deltas[v_place] := v_deltas[v_place] - v_transfer.amount_micros;
                v_place := array_position(v_ids, v_transfer.credit_account);
                v_deltas[v_place] := v_deltas[v_place] + v_transfer.amount_micros;
            end loop;
            update public.accounts as a set
                balance_micros = a.balance_micros + v_deltas[array_position(v_ids, a.id)]
            where a.id = any (v_ids) and v_deltas[array_position(v_ids, a.id)] <> 0;
        end if;
        if v_count > 0 then
            if p_side = 'BUY' then
                v_new := public.add_shares(p_market_id, v_actor, p_outcome, p_position,
                    v_order.filled_lots, v_order.cost_micros, -v_order.fee_micros, v_now);
            end if;
            v_new := v_new + public.write_fills(v_fills, p_market_id, p_outcome, p_order_id,
                v_actor, p_side, p_position, v_order.fee_bps, v_order.maker_rebate_bps, v_now);
            v_new := public.record_trades(p_market_id, p_outcome, v_fills[1].price_bps,
                v_order.last_bps, v_order.volume_micros, v_order.filled_lots, v_count, v_new,
                v_now);
        end if;
    end if;

    foreach v_fill in array v_fills loop
        v_result := v_result || jsonb_build_object(
            'fill_id', v_fill.fill_id,
            'price_bps', case p_position when 'YES' then v_fill.price_bps
                                         else 10000 - v_fill.price_bps end,
            'size_lots', v_fill.size_lots, 'kind', v_fill.kind);
        v_told := v_told || jsonb_build_object(
            'fill_id', v_fill.fill_id, 'maker_order_id', v_fill.maker_order_id,
            'maker_id', v_fill.maker_id, 'price_bps', v_fill.price_bps,
            'size_lots', v_fill.size_lots, 'kind', v_fill.kind,
            'maker_remaining_lots', v_fill.maker_left_lots);
    end loop;
    if v_count <= 3 then
        insert into public.outbox (topic, market_id, payload, created_at)
        values ('order', p_market_id, jsonb_build_object(
            'order', jsonb_build_object(
                'order_id', p_order_id, 'user_id', v_actor, 'outcome', p_outcome,
                'position', p_position, 'side', p_side, 'price_bps', p_price_bps,
                'size_lots', v_order.size_lots, 'status', v_order.status,
                'filled_lots', v_order.filled_lots, 'remaining_lots', v_order.rest_lots,
                'client_order_id', p_client_order_id),
            'fills', to_jsonb(v_told)), v_now);
    end if;
    return query select p_order_id, v_order.status, v_order.size_lots, v_order.filled_lots,
        v_order.rest_lots, v_order.cost_micros, v_order.fee_micros,
        round(v_order.cost_micros::numeric / nullif(v_order.filled_lots, 0), 4),
        to_jsonb(v_result), v_now, false;
end;
$$;

CREATE FUNCTION public.place_orders(p_mode text, p_orders jsonb, p_batch_key text, p_request_hash bytea, p_batch_id uuid, p_now timestamp with time zone) RETURNS TABLE(batch_id uuid, status text, mode text, orders jsonb, created_at timestamp with time zone, replayed boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
    c_max_orders constant integer := 20;
    v_actor     uuid := public.actor_id();
    v_now       timestamptz;
    v_drafts    public.order_draft[];
    v_refusals  jsonb := '{}';
    v_batch     record;
    v_terms     public.market_terms[];
    v_markets   uuid[];
    v_market    public.market_terms;
    v_order     public.order_draft;
    v_fill      public.fill_draft;
    v_accepted  public.order_draft[] := '{}';
    v_order_ids uuid[];
    v_met       uuid[] := '{}';
    v_left      bigint[] := '{}';
    v_rests     integer[] := '{}';  -- places of accepted orders that rest or sell
    v_bid       boolean;
    v_limit_bps integer;
    v_ahead_bps integer;
    v_other     public.order_draft;
    v_place     integer;
    v_cash      bigint;
    v_locked    bigint;
    v_spent     bigint := 0;
    v_margin    bigint := 9223372036854775807;  -- the least that was left above a need
    v_free      bigint;
    v_first     record;
    v_code      text;
    v_message   text;
    v_field     text;
    v_status    text;
    v_new       integer;
begin
    if v_actor is null then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    v_field := case
        when p_mode is null or p_mode not in ('independent', 'atomic') then 'mode'
        when coalesce(length(p_batch_key), 0) not between 1 and 128 then 'batch_key'
        when jsonb_typeof(p_orders) is distinct from 'array' then 'orders'
        when jsonb_array_length(p_orders) not between 1 and c_max_orders then 'orders' end;
    if v_field is not null then
        raise exception using errcode = 'PR400', column = v_field,
            message = case v_field when 'orders' then 'a batch has 1 to 20 orders'
                when 'mode' then 'mode is independent or atomic'
                else 'a batch needs a key of 1 to 128 characters' end;
    end if;

    v_drafts := public.batch_drafts(p_orders);
    for v_place in
        select (e.no)::integer from jsonb_array_elements(p_orders) with ordinality as e (body, no)
        where jsonb_typeof(e.body -> 'outcome') is distinct from 'number'
           or (v_drafts[e.no::integer]).market_id is null
    loop  -- by name
        begin
            v_order := v_drafts[v_place];
            select f.market_id, f.outcome, f.position
            into v_order.market_id, v_order.outcome, v_order.position
            from public.find_outcome(p_orders -> (v_place - 1) ->> 'market_id',
                p_orders -> (v_place - 1) ->> 'outcome',
                p_orders -> (v_place - 1) ->> 'position') as f;
            v_drafts[v_place] := v_order;
        exception when sqlstate 'PR400' or sqlstate 'PR404' then
            get stacked diagnostics v_code = returned_sqlstate, v_message = message_text,
                v_field = column_name;
            v_refusals := v_refusals || public.batch_refusal(v_place, v_code, v_message, v_field);
        end;
    end loop;

    select array_agg(t.terms), array_agg((t.terms).market_id) into v_terms, v_markets
    from (
        select row(m.id, m.venue, m.state, m.trading_status, m.tick_size_bps, m.min_size_lots,
                   m.fee_bps, m.maker_rebate_bps, m.opens_at, m.closes_at, l.orders_account,
                   l.escrow_account, l.fees_account, u.closed_only, a.id,
                   array(select c.outcome from public.outcomes as c where c.market_id = m.id)
               )::public.market_terms as terms
        from public.markets as m
        join public.market_ledgers as l on l.market_id = m.id
        left join public.users as u on u.id = v_actor
        left join public.accounts as a on a.user_id = v_actor
        where m.id in (select d.market_id from unnest(v_drafts) as d)
        order by m.id
        for no key update of m
    ) as t;
    v_now := public.effective_now(p_now);
    select b.* into v_batch from public.order_batches as b
    where b.user_id = v_actor and b.batch_key = p_batch_key;
    if found then
        if v_batch.request_hash is distinct from p_request_hash then
            raise exception using errcode = 'PR411', column = 'batch_key',
                message = 'this batch key was used with another batch';
        end if;
        return query select v_batch.id, v_batch.status, v_batch.mode,
            public.replayed_batch(v_batch.order_ids, v_batch.refusals), v_batch.created_at, true;
        return;
    end if;
    if not exists (select from public.users as u where u.id = v_actor) then
        raise exception using errcode = 'PR401', message = 'there is no such user';
    end if;
    v_cash := coalesce((select a.balance_micros from public.accounts as a where a.user_id = v_actor), 0);
    v_order_ids := array_fill(null::uuid, array[cardinality(v_drafts)]);

    for i in 1..cardinality(v_drafts) loop
        continue when v_refusals ? (i - 1)::text;
        v_order := v_drafts[i];
        if v_market.market_id is distinct from v_order.market_id then
            v_place := array_position(v_markets, v_order.market_id);
            v_market := case when v_place is null then null else v_terms[v_place] end;
        end if;
        v_bid := (v_order.side = 'BUY') = (v_order.position = 'YES');
        v_limit_bps := case v_order.position when 'YES' then v_order.price_bps
                                             else 10000 - v_order.price_bps end;
        v_ahead_bps := null;
        v_free := 0;
        foreach v_place in array v_rests loop
            v_other := v_accepted[v_place];
            continue when v_other.market_id <> v_order.market_id
                or v_other.outcome <> v_order.outcome;
            if v_other.side = 'SELL' and v_other.position = v_order.position then
                v_free := v_free - v_other.filled_lots - v_other.rest_lots;
            end if;
            if v_other.rest_lots > 0 and v_other.is_bid <> v_bid then
                if v_bid and v_other.book_price_bps <= v_limit_bps then
                    v_ahead_bps := least(v_ahead_bps, v_other.book_price_bps);
                elsif not v_bid and v_other.book_price_bps >= v_limit_bps then
                    v_ahead_bps := greatest(v_ahead_bps, v_other.book_price_bps);
                end if;
            end if;
        end loop;
        begin
            if v_market.market_id is null then
                raise exception using errcode = 'PR404', message = 'there is no such market';
            end if;
            if v_order.client_order_id is not null then
                select o.id, o.request_hash into v_first
                from public.orders as o
                where o.user_id = v_actor and o.client_order_id = v_order.client_order_id;
                if found and v_first.request_hash is not distinct from v_order.request_hash then
                    v_order_ids[i] := v_first.id;
                    continue;
                elsif found or exists (
                    select from unnest(v_accepted) as d
                    where d.client_order_id = v_order.client_order_id
                ) then
                    raise exception using errcode = 'PR411', column = 'client_order_id',
                        message = 'this client order id was used with another order';
                end if;
            end if;
            v_order := public.match_order(
                v_order, v_market, v_actor, v_met, v_left, v_ahead_bps, v_now);
            if v_order.is_stopped and p_mode = 'atomic' then
                raise exception using errcode = 'PR422', column = 'self_trade_prevention',
                    message = 'the order meets another of its owner, or too many others';
            elsif v_order.side = 'SELL' then
                v_free := v_free + coalesce((
                    select p.held_lots - p.locked_lots from public.positions as p
                    where p.market_id = v_order.market_id and p.user_id = v_actor
                      and p.outcome = v_order.outcome and p.position = v_order.position), 0);
                if v_free < v_order.size_lots then
                    raise exception using errcode = 'PR402',
                        message = 'the available shares do not cover this order';
                end if;
            elsif v_cash - v_spent < v_order.need_micros then
                raise exception using errcode = 'PR402',
                    message = 'the available balance does not cover this order';
            else
                v_margin := least(v_margin, v_cash - v_spent - v_order.need_micros);
                v_spent := v_spent + v_order.cost_micros + v_order.fee_micros
                    + v_order.held_micros;
            end if;
        exception when sqlstate 'PR400' or sqlstate 'PR402' or sqlstate 'PR403'
            or sqlstate 'PR404' or sqlstate 'PR410' or sqlstate 'PR411' or sqlstate 'PR422'
        then
            get stacked diagnostics v_code = returned_sqlstate, v_message = message_text,
                v_field = column_name;
            v_refusals := v_refusals || public.batch_refusal(i, v_code, v_message, v_field);
            continue;
        end;
        v_order_ids[i] := v_order.order_id;
        v_accepted := v_accepted || v_order;
        if v_order.side = 'SELL' or v_order.rest_lots > 0 then
            v_rests := v_rests || cardinality(v_accepted);
        end if;
        foreach v_fill in array v_order.fills loop
            v_place := array_position(v_met, v_fill.maker_order_id);
            if v_place is null then
                v_met := v_met || v_fill.maker_order_id;
                v_left := v_left || v_fill.maker_left_lots;
            else
                v_left[v_place] := v_fill.maker_left_lots;
            end if;
        end loop;
        if cardinality(v_order.dropped) + cardinality(v_order.expired) > 0 then
            v_met := v_order.dropped || v_order.expired || v_met;  -- the first place counts
            v_left := array_fill(0::bigint,
                array[cardinality(v_order.dropped) + cardinality(v_order.expired)]) || v_left;
        end if;
    end loop;

    v_status := case
        when v_refusals = '{}' then 'completed'
        when p_mode = 'atomic' or array_remove(v_order_ids, null) = '{}' then 'failed'
        else 'partial' end;
    if v_status = 'failed' then
        for i in 1..cardinality(v_drafts) loop
            v_order_ids[i] := null;
            if not v_refusals ? (i - 1)::text then
                v_refusals := v_refusals || public.batch_refusal(i, 'PR422',
                    'another order of the batch was refused', null);
            end if;
        end loop;
        v_accepted := '{}';
    end if;
    if cardinality(v_accepted) > 0 then
        select max(s.balance_micros) filter (where s.user_id = v_actor) into v_locked
        from (
            select a.user_id, a.balance_micros from public.accounts as a
            where a.id = any (array(
                select n from unnest(v_accepted) as d cross join lateral unnest(d.accounts) as n))
            order by a.id
            for no key update
        ) as s;
        if v_cash - v_locked > v_margin then
            raise exception using errcode = '40001',
                message = 'the balance was spent by another call meanwhile';
        end if;
    end if;
    insert into public.order_batches
        (id, user_id, batch_key, request_hash, mode, status, order_ids, refusals, created_at)
    values (p_batch_id, v_actor, p_batch_key, p_request_hash, p_mode, v_status, v_order_ids,
            v_refusals, v_now);
    if cardinality(v_accepted) > 0 then
        v_new := public.write_orders(v_accepted, v_actor, v_now);
    end if;
    return query select p_batch_id, v_status, p_mode,
        public.batch_results(v_accepted, v_order_ids, v_refusals, v_now), v_now, false;
end;
$$;

CREATE FUNCTION public.post_transfer(p_debit_kind text, p_debit_user uuid, p_credit_kind text, p_credit_user uuid, p_market_id uuid, p_amount_micros bigint, p_kind text, p_reference text, p_now timestamp with time zone) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_now    timestamptz := public.effective_now(p_now);
    v_debit  bigint;
    v_credit bigint;
    v_id     bigint;
begin
    if p_amount_micros is null or p_amount_micros <= 0 then
        raise exception using errcode = 'PR400', column = 'amount', message = 'amount is above zero';
    elsif coalesce(p_reference, '') = '' then
        raise exception using errcode = 'PR400', column = 'reference', message = 'give a reference';
    elsif starts_with(p_debit_kind, 'market:') or starts_with(p_credit_kind, 'market:') then
        perform from public.markets as m where m.id = p_market_id for no key update;
    end if;
    v_debit := public.account_of(p_debit_kind, p_debit_user, p_market_id);
    v_credit := public.account_of(p_credit_kind, p_credit_user, p_market_id);
    if v_debit = v_credit then
        raise exception using errcode = 'PR400', column = 'credit', message = 'the two accounts are one';
    end if;
    perform from public.accounts as a
    where a.id in (v_debit, v_credit) order by a.id for no key update;

    v_id := nextval('public.transfer_ids');
    insert into public.transfer_keys (kind, reference, transfer_id)
    values (p_kind, p_reference, v_id)
    on conflict on constraint transfers_have_one_reference_of_a_kind do nothing;
    if not found then
        select t.id into v_id
        from public.transfer_keys as k
        join public.transfers as t on t.id = k.transfer_id
        where k.kind = p_kind and k.reference = p_reference and t.debit_account = v_debit
          and t.credit_account = v_credit and t.amount_micros = p_amount_micros;
        if not found then
            raise exception using errcode = 'PR411', column = 'reference',
                message = 'this reference was used for another transfer';
        end if;
        return v_id;
    end if;
    if p_debit_kind <> 'external' and p_amount_micros > (
        select a.balance_micros from public.accounts as a where a.id = v_debit
    ) then
        raise exception using errcode = 'PR402', message = 'the account does not cover this';
    end if;
    insert into public.transfers
        (id, debit_account, credit_account, amount_micros, kind, reference, market_id, created_at)
    values (v_id, v_debit, v_credit, p_amount_micros, p_kind, p_reference, p_market_id, v_now);
    update public.accounts as a set
        balance_micros = a.balance_micros
            + case a.id when v_credit then p_amount_micros else -p_amount_micros end
    where a.id in (v_debit, v_credit);
    return v_id;
end;
$$;

CREATE FUNCTION public.presage_audit() RETURNS TABLE(invariant text, subject text, detail text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    with shares as materialized (
        select p.market_id, p.outcome,
               coalesce(sum(p.held_lots) filter (where p.position = 'YES'), 0) as yes_lots,
               coalesce(sum(p.held_lots) filter (where p.position = 'NO'), 0) as no_lots
        from public.positions as p
        group by p.market_id, p.outcome
    ),
    sides as materialized (
        select m.id as market_id, m.is_exhaustive, m.final_payout_bps as payout,
               m.settled_at is null
                   and exists (select from public.settlements as s where s.market_id = m.id) as settling,
               o.outcome, coalesce(s.yes_lots, 0) as yes_lots, coalesce(s.no_lots, 0) as no_lots
        from public.markets as m
        join public.outcomes as o on o.market_id = m.id
        left join shares as s on s.market_id = o.market_id and s.outcome = o.outcome
    ),
    books as materialized (
        select s.market_id, s.settling, min(s.yes_lots - s.no_lots) as c,
               max(s.yes_lots - s.no_lots) as c_max, bool_or(s.is_exhaustive) as is_exhaustive,
               case when s.settling
                    then sum(s.yes_lots * s.payout[s.outcome + 1]
                             + s.no_lots * (10000 - s.payout[s.outcome + 1]))
                    else (min(s.yes_lots - s.no_lots) + sum(s.no_lots)) * 10000 end as escrow
        from sides as s
        group by s.market_id, s.settling
    ),
    moved as materialized (
        select d.account, sum(d.delta) as balance
        from (
            select t.credit_account as account, t.amount_micros as delta from public.transfers as t
            union all
            select t.debit_account, -t.amount_micros from public.transfers as t
        ) as d
        group by d.account
    ),
    open_orders as materialized (
        select o.market_id, o.user_id, o.outcome, o.position, o.side, o.remaining_lots,
               o.remaining_lots * o.price_bps as micros
        from public.orders as o
        where o.is_open
    ),
    locks as materialized (
        select o.market_id, o.user_id, o.outcome, o.position, sum(o.remaining_lots) as lots
        from open_orders as o
        where o.side = 'SELL'
        group by o.market_id, o.user_id, o.outcome, o.position
    ),
    filled as materialized (
        select d.order_id, sum(d.lots) as lots, sum(d.taken) as taken
        from (
            select f.taker_order_id as order_id, f.size_lots as lots, f.size_lots as taken
            from public.fills as f
            union all
            select f.maker_order_id, f.size_lots, 0 from public.fills as f
        ) as d
        group by d.order_id
    ),
    traded as materialized (
        select f.market_id, sum(f.size_lots * f.price_bps) as volume, count(*) as trades
        from public.fills as f
        group by f.market_id
    ),
    -- What deposits and withdrawals say was moved counts up, what was moved down: equals leave nothing.
    outside as materialized (
        select m.kind, m.reference, sum(m.said) as said
        from (
            select 'deposit' as kind, d.id::text as reference, e.id as debit, c.id as credit,
                   d.credited_micros as micros, 1 as said
            from public.deposits as d
            cross join public.accounts as e
            left join public.accounts as c on c.user_id = d.user_id
            where d.status = 'verified' and e.kind = 'external'
            union all
            select v.kind, w.id::text,
                   case v.kind when 'withdrawal' then c.id else e.id end,
                   case v.kind when 'withdrawal' then e.id else c.id end, w.amount_micros, 1
            from public.withdrawals as w
            cross join public.accounts as e
            cross join (values ('withdrawal'), ('withdrawal_return')) as v (kind)
            left join public.accounts as c on c.user_id = w.user_id
            where e.kind = 'external' and (v.kind = 'withdrawal' or w.status = 'rejected')
            union all
            select t.kind, t.reference, t.debit_account, t.credit_account, t.amount_micros, -1
            from public.transfers as t
            where t.kind in ('withdrawal', 'withdrawal_return')
               or (t.kind = 'deposit'
                   and t.reference in (select d.id::text from public.deposits as d))
        ) as m
        group by m.kind, m.reference, m.debit, m.credit, m.micros
        having sum(m.said) <> 0
    )
    select 'accounts_sum_to_zero', 'all accounts', format('the sum is %s micros', sum(a.balance_micros))
    from public.accounts as a
    having sum(a.balance_micros) <> 0
    union all
    select 'no_negative_balance', format('account %s (%s)', a.id, a.kind),
           format('the balance is %s micros', a.balance_micros)
    from public.accounts as a
    where a.balance_micros < 0 and a.kind <> 'external'
    union all
    select 'balance_equals_transfers', format('account %s (%s)', a.id, a.kind),
           format('the balance is %s, its transfers make %s', a.balance_micros, coalesce(m.balance, 0))
    from public.accounts as a
    full join moved as m on m.account = a.id
    where a.balance_micros is distinct from coalesce(m.balance, 0)
    union all
    select 'shares_have_two_sides', format('market %s', b.market_id),
           format('YES less NO is between %s and %s lots', b.c, b.c_max)
    from books as b
    where not b.settling and (b.c <> b.c_max or (b.c <> 0 and not b.is_exhaustive))
    union all
    select 'escrow_covers_shares', format('market %s', b.market_id),
           format('the escrow holds %s, the shares need %s', a.balance_micros, b.escrow)
    from books as b
    join public.accounts as a on a.market_id = b.market_id and a.kind = 'market:escrow'
    where a.balance_micros <> b.escrow
    union all
    select 'orders_escrow_matches_open_buys', format('market %s', a.market_id),
           format('market:orders holds %s, open buys need %s', a.balance_micros, coalesce(sum(o.micros), 0))
    from public.accounts as a
    left join open_orders as o on o.market_id = a.market_id and o.side = 'BUY'
    where a.kind = 'market:orders'
    group by a.id, a.market_id, a.balance_micros
    having a.balance_micros <> coalesce(sum(o.micros), 0)
    union all
    select 'bonds_match_disputes', format('market %s', a.market_id),
           format('market:bonds holds %s, undecided disputes need %s', a.balance_micros,
                  coalesce(sum(d.bond_micros), 0))
    from public.accounts as a
    left join public.market_disputes as d on d.market_id = a.market_id and d.decided_at is null
    where a.kind = 'market:bonds'
    group by a.id, a.market_id, a.balance_micros
    having a.balance_micros <> coalesce(sum(d.bond_micros), 0)
    union all
    select 'locked_shares_are_held',
           format('user %s market %s outcome %s %s', coalesce(p.user_id, l.user_id),
                  coalesce(p.market_id, l.market_id), coalesce(p.outcome, l.outcome),
                  coalesce(p.position, l.position)),
           format('%s held, %s locked, open sells need %s', p.held_lots, p.locked_lots, coalesce(l.lots, 0))
    from public.positions as p
    full join locks as l on l.market_id = p.market_id and l.user_id = p.user_id
        and l.outcome = p.outcome and l.position = p.position
    where p.locked_lots is distinct from coalesce(l.lots, 0) or p.held_lots < l.lots
    union all
    select 'filled_equals_fills', format('order %s', coalesce(o.id, f.order_id)),
           format('filled %s (%s when placed), fills make %s (%s as taker)', o.filled_lots,
                  o.placed_filled_lots, coalesce(f.lots, 0), coalesce(f.taken, 0))
    from public.orders as o
    full join filled as f on f.order_id = o.id
    where o.filled_lots is distinct from coalesce(f.lots, 0)
       or o.placed_filled_lots is distinct from coalesce(f.taken, 0)
    union all
    select 'fills_agree_with_orders', format('fill %s', f.id),
           'price, people, outcome or kind differ from the two orders'
    from public.fills as f
    join public.orders as t on t.id = f.taker_order_id
    join public.orders as m on m.id = f.maker_order_id
    where f.price_bps <> m.book_price_bps
       or f.taker_id <> t.user_id or f.maker_id <> m.user_id
       or (f.market_id, f.outcome) <> (t.market_id, t.outcome)
       or (f.market_id, f.outcome) <> (m.market_id, m.outcome)
       or (f.taker_side, f.taker_position) <> (t.side, t.position)
       or t.book_side = m.book_side
       or case t.book_side when 'bid' then f.price_bps > t.book_price_bps
                           else f.price_bps < t.book_price_bps end
       or f.kind <> case when t.side <> m.side then 'TRANSFER'
                         when t.side = 'BUY' then 'MINT' else 'MERGE' end
    union all
    select 'orders_mirror_their_books', format('order %s', o.id),
           format('%s %s at %s is %s in the book as %s at %s', o.side, o.position, o.price_bps,
                  o.status, o.book_side, o.book_price_bps)
    from public.orders as o
    where o.book_side <> case when (o.side = 'BUY') = (o.position = 'YES') then 'bid' else 'ask' end
       or o.book_price_bps <> case o.position when 'YES' then o.price_bps else 10000 - o.price_bps end
       or o.is_open <> (o.status in ('open', 'partial'))
    union all
    select 'bars_match_fills', format('market %s', coalesce(b.market_id, t.market_id)),
           format('bars of %s s hold %s micros in %s trades, fills make %s in %s', b.interval_s,
                  b.volume, b.trades, t.volume, t.trades)
    from (
        select b.market_id, b.interval_s, sum(b.volume_micros) as volume, sum(b.trade_count) as trades
        from public.price_bars as b
        group by b.market_id, b.interval_s
    ) as b
    full join traded as t on t.market_id = b.market_id
    where b.volume is distinct from t.volume or b.trades is distinct from t.trades
    union all
    select 'counters_match_fills', format('market %s', c.market_id),
           format('counted %s micros in %s trades, fills make %s in %s', c.volume_micros,
                  c.trade_count, coalesce(t.volume, 0), coalesce(t.trades, 0))
    from public.market_counters as c
    left join traded as t on t.market_id = c.market_id
    where c.volume_micros <> coalesce(t.volume, 0) or c.trade_count <> coalesce(t.trades, 0)
    union all
    -- One sum over both sides: a join would be planned for the few rows of yesterday's statistics.
    select 'payouts_match_settlements', format('account %s market %s', b.account, b.market_id),
           format('recorded less paid: %s', sum(b.amount_micros))
    from (
        select a.id as account, s.market_id, s.amount_micros
        from public.settlements as s
        join public.accounts as a on a.user_id = s.user_id
        union all
        select t.credit_account, t.market_id, -t.amount_micros
        from public.transfers as t
        where t.kind = 'payout'
    ) as b
    group by b.account, b.market_id
    having sum(b.amount_micros) <> 0
    union all
    select 'deposits_match_transfers', format('deposit %s', o.reference),
           format('%s transfers are missing as verified', o.said)
    from outside as o
    where o.kind = 'deposit'
    union all
    select 'withdrawals_match_transfers', format('withdrawal %s', o.reference),
           format('%s transfers of kind %s are missing', o.said, o.kind)
    from outside as o
    where o.kind <> 'deposit'
$$;

CREATE FUNCTION public.project_chain_config() RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
    v_window_s integer := public.chain_window_s();
begin
    delete from public.chain_config;
    insert into public.chain_config
    select c.*
    from (
        select public.chain_config_facts(9223372036854775807) || '{"is_only": true}' as facts
    ) as t
    cross join lateral jsonb_populate_record(null::public.chain_config, t.facts) as c
    where t.facts is not null;
    if public.chain_window_s() = v_window_s then
        return;
    end if;
    v_window_s := public.chain_window_s();
    update public.markets as k
    set dispute_window_s = v_window_s,
        claims_available_at = k.proposed_at + make_interval(secs => v_window_s)
    where k.venue = 'solana' and k.last_state_change_tx is not null
      and k.dispute_window_s <> v_window_s;
end;
$$;

CREATE FUNCTION public.project_chain_markets(p_markets text[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
    update public.chain_markets as m
    set state = coalesce(n.state, m.state),
        state_order = coalesce(
            array(select jsonb_array_elements_text(f.state_at -> 'order')::bigint), m.state_order),
        state_signature = f.state_at ->> 'signature',
        creator = n.creator,
        b_parameter = n.b_parameter,
        initial_liquidity = n.initial_liquidity,
        likes = n.likes,
        dislikes = n.dislikes,
        resolver = n.resolver,
        proposed_outcome = n.proposed_outcome,
        final_outcome = n.final_outcome,
        evidence_hash = n.evidence_hash,
        dispute_initiator = n.dispute_initiator,
        was_disputed = coalesce(n.was_disputed, false),
        created_at = n.created_at,
        approved_at = n.approved_at,
        activated_at = n.activated_at,
        resolved_at = n.resolved_at,
        disputed_at = n.disputed_at,
        finalized_at = n.finalized_at,
        cancelled_at = n.cancelled_at
    from public.chain_market_facts(p_markets, 9223372036854775807) as f
    cross join lateral jsonb_populate_record(null::public.chain_markets, f.facts) as n
    where m.market = f.market;

    update public.chain_markets as m
    set base_yes = n.base_yes,
        base_no = n.base_no,
        base_order = n.base_order,
        shares_yes = n.base_yes + t.yes,
        shares_no = n.base_no + t.no
    from public.chain_market_facts(p_markets, 9223372036854775807) as f
    cross join lateral jsonb_populate_record(null::public.chain_markets, f.facts) as n
    join public.chain_markets as c on c.market = f.market
    cross join lateral (
        select c.shares_yes - c.base_yes as yes, c.shares_no - c.base_no as no
        where n.base_order = c.base_order
        union all
        select s.yes, s.no
        from public.chain_shares_traded(f.market, n.base_order,
            coalesce((f.facts ->> 'base_since')::timestamptz, '-infinity')) as s
        where n.base_order <> c.base_order
    ) as t
    where m.market = f.market and n.base_order is not null
      and (m.base_yes, m.base_no, m.base_order)
          is distinct from (n.base_yes, n.base_no, n.base_order);
end;
$$;

CREATE TABLE public.chain_events (
    signature text NOT NULL COLLATE pg_catalog."C",
    ordinal integer NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    block_time timestamp with time zone NOT NULL,
    event_type text NOT NULL,
    market text COLLATE pg_catalog."C",
    wallet text COLLATE pg_catalog."C",
    data jsonb NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT chain_events_have_a_place CHECK (((slot >= 0) AND (tx_index >= 0) AND (ordinal >= 0)))
);

CREATE FUNCTION public.project_events(p_events public.chain_events[], p_traded text[], p_request_id text, p_now timestamp with time zone) RETURNS uuid[]
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
    v_moved   text[];
    v_held    text[];
    v_looked  boolean;
    v_configs boolean;
    v_claims  boolean;
    v_votes   boolean;
begin
    select array_agg(distinct r.market) filter (where r.event_type not in ('WinningsClaimed',
            'ProposalVoteSubmitted', 'DisputeVoteSubmitted', 'LiquidityWithdrawn',
            'PositionObserved', 'Unknown')),
        p_traded || array_agg(distinct r.market) filter (where r.event_type = 'PositionObserved'),
        bool_or(r.event_type = 'PositionObserved'),
        bool_or(r.event_type in ('ConfigUpdated', 'GlobalConfigInitialized',
            'ProtocolPauseStatusChanged', 'ConfigObserved')),
        bool_or(r.event_type = 'WinningsClaimed'),
        bool_or(r.event_type in ('ProposalVoteSubmitted', 'DisputeVoteSubmitted'))
    into v_moved, v_held, v_looked, v_configs, v_claims, v_votes
    from unnest(p_events) as r;

    if v_looked then
        perform public.project_observed_positions(p_events);
    end if;
    if v_claims then
        -- The programme lets a position claim once: its account may have told it already.
        insert into public.chain_positions as p (market, wallet, claimed, has_claimed)
        select r.market, r.wallet, max((r.data ->> 'amount')::numeric), true
        from unnest(p_events) as r
        where r.event_type = 'WinningsClaimed' and r.market is not null
        group by r.market, r.wallet
        on conflict (market, wallet) do update
        set claimed = greatest(p.claimed, excluded.claimed), has_claimed = true;
    end if;
    if v_votes then
        insert into public.chain_votes as v (market, wallet, kind, vote, voted_at, vote_order)
        select distinct on (r.market, r.wallet, r.event_type) r.market, r.wallet,
            case r.event_type when 'DisputeVoteSubmitted' then 'dispute' else 'proposal' end,
            (r.data ->> 'vote')::boolean, to_timestamp((r.data ->> 'timestamp')::double precision),
            array[r.slot, r.tx_index, r.ordinal]
        from unnest(p_events) as r
        where r.event_type in ('ProposalVoteSubmitted', 'DisputeVoteSubmitted')
        order by r.market, r.wallet, r.event_type, r.slot, r.tx_index, r.ordinal
        on conflict (market, wallet, kind) do update
        set vote = excluded.vote, voted_at = excluded.voted_at, vote_order = excluded.vote_order
        where excluded.vote_order < v.vote_order;
    end if;
    if v_configs then
        perform public.project_chain_config();
    end if;
    if v_moved is not null then
        perform public.project_chain_markets(v_moved);
    end if;
    return public.follow_chain_markets(v_moved, v_held, p_request_id, p_now);
end;
$$;

CREATE FUNCTION public.project_observed_positions(p_rows public.chain_events[]) RETURNS void
    LANGUAGE sql
    SET search_path TO ''
    AS $$
    insert into public.chain_positions as p (market, wallet, shares_yes, shares_no, base_order, claimed,
        has_claimed)
    select o.market, o.wallet, o.yes + t.yes, o.no + t.no, o.place, o.claimed, o.has_claimed
    from (
        select distinct on (r.market, r.wallet) r.market, r.wallet,
            (r.data ->> 'shares_yes')::numeric as yes, (r.data ->> 'shares_no')::numeric as no,
            array[r.slot, r.tx_index, r.ordinal] as place, r.block_time,
            coalesce((r.data ->> 'claimed_amount')::numeric, 0) as claimed,
            coalesce((r.data ->> 'has_claimed')::boolean, false) as has_claimed
        from unnest(p_rows) as r
        where r.event_type = 'PositionObserved'
        order by r.market, r.wallet, r.slot desc, r.tx_index desc
    ) as o
    cross join lateral public.wallet_shares_traded(
        o.market, o.wallet, o.place, o.block_time) as t
    on conflict (market, wallet) do update
    set shares_yes = excluded.shares_yes,
        shares_no = excluded.shares_no,
        base_order = excluded.base_order,
        claimed = greatest(p.claimed, excluded.claimed),
        has_claimed = p.has_claimed or excluded.has_claimed
    where p.base_order is null or p.base_order <= excluded.base_order
$$;

CREATE FUNCTION public.project_trades(p_sums public.chain_trade_sums) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
begin
    -- The lock lets nobody else begin a position meanwhile.
    merge into public.chain_positions as p
    using (
        select n.market collate "C" as market, n.wallet collate "C" as wallet, n.yes, n.no, n.paid,
            n.received, n.trades
        from unnest(p_sums.markets, p_sums.wallets, p_sums.yes, p_sums.no, p_sums.paid,
            p_sums.received, p_sums.trades) as n (market, wallet, yes, no, paid, received, trades)
    ) as n
    on p.market = n.market and p.wallet = n.wallet
    when matched then update
        set shares_yes = p.shares_yes + n.yes, shares_no = p.shares_no + n.no,
            paid = p.paid + n.paid, received = p.received + n.received,
            trades = p.trades + n.trades
    when not matched then insert
        (market, wallet, shares_yes, shares_no, paid, received, trades)
        values (n.market, n.wallet, n.yes, n.no, n.paid, n.received, n.trades);

    update public.chain_markets as m
    set shares_yes = m.shares_yes + n.yes,
        shares_no = m.shares_no + n.no,
        volume = m.volume + n.volume,
        trades = m.trades + n.trades,
        price_yes = case when m.price_order > l.place then m.price_yes else n.price end,
        price_order = greatest(m.price_order, l.place)
    from unnest(p_sums.traded, p_sums.traded_yes, p_sums.traded_no, p_sums.volumes,
        p_sums.traded_trades, p_sums.prices, p_sums.slots, p_sums.tx_indexes, p_sums.ordinals)
        as n (market, yes, no, volume, trades, price, slot, tx_index, ordinal)
    cross join lateral (select array[n.slot, n.tx_index, n.ordinal] as place) as l
    where m.market = n.market collate "C";
end;
$$;

CREATE FUNCTION public.propose_market(p_id uuid, p_slug text, p_question text, p_question_bn text, p_description text, p_rules text, p_category text, p_tags text[], p_resolution_source text, p_image_url text, p_tick_size_bps integer, p_min_size_lots bigint, p_opens_at timestamp with time zone, p_closes_at timestamp with time zone, p_resolution_rule jsonb, p_dispute_window_s integer, p_venue text, p_chain_market_id text, p_chain_address text, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_actor uuid := public.actor_id();
begin
    insert into public.markets (
        id, slug, question, question_bn, description, rules, category, tags, resolution_source,
        image_url, tick_size_bps, min_size_lots, opens_at, closes_at, resolution_rule,
        dispute_window_s, venue, chain_market_id, chain_address, creator, created_at, updated_at
    )
    values (
        p_id, p_slug, p_question, p_question_bn, p_description, p_rules, p_category, p_tags,
        p_resolution_source, p_image_url, p_tick_size_bps, p_min_size_lots, p_opens_at, p_closes_at,
        p_resolution_rule, p_dispute_window_s, p_venue, p_chain_market_id, p_chain_address, v_actor,
        p_now, p_now
    )
    on conflict (slug) do nothing;
    if not found then
        raise exception 'The slug is taken.' using errcode = 'PR409', column = 'slug';
    end if;
    insert into public.outcomes (market_id, outcome, label) values (p_id, 0, 'YES');
    insert into public.market_state_changes (market_id, to_state, actor, created_at)
    values (p_id, 'PROPOSED', v_actor, p_now);
    insert into public.audit_log (actor_id, action, resource, resource_id, request_id, ip, created_at)
    values (v_actor, 'propose_market', 'market', p_id::text, p_request_id, p_ip, p_now);
end;
$$;

CREATE FUNCTION public.put_venue_credentials(p_user_id uuid, p_venue text, p_key_id text, p_nonce bytea, p_ciphertext bytea, p_now timestamp with time zone) RETURNS void
    LANGUAGE sql
    SET search_path TO ''
    AS $$
    insert into public.venue_credentials as c
        (user_id, venue, key_id, nonce, ciphertext, created_at, updated_at)
    values (p_user_id, p_venue, p_key_id, p_nonce, p_ciphertext, p_now, p_now)
    on conflict (user_id, venue) do update
    set key_id = excluded.key_id, nonce = excluded.nonce, ciphertext = excluded.ciphertext,
        updated_at = excluded.updated_at;
$$;

CREATE FUNCTION public.raise_alert(p_type text, p_severity text, p_fingerprint text, p_data jsonb, p_now timestamp with time zone) RETURNS TABLE(id bigint, count bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
    v_id bigint;
begin
    perform pg_advisory_xact_lock(hashtextextended(p_fingerprint, 0));
    select a.id into v_id
    from public.ops_alerts as a
    where a.fingerprint = p_fingerprint and a.first_seen_at > p_now - interval '1 hour'
    order by a.first_seen_at desc
    limit 1;
    if v_id is null then
        return query
        insert into public.ops_alerts as a
            (type, severity, fingerprint, data, first_seen_at, last_seen_at, next_attempt_at)
        values (p_type, p_severity, p_fingerprint, p_data, p_now, p_now, p_now)
        returning a.id, a.count;
    else
        return query
        update public.ops_alerts as a
        set count = a.count + 1, last_seen_at = greatest(a.last_seen_at, p_now), data = p_data
        where a.id = v_id
        returning a.id, a.count;
    end if;
end;
$$;

CREATE FUNCTION public.readable_user(p_wallet text, p_as_admin boolean) RETURNS uuid
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS $$
    select u.id
    from public.users as u
    where u.id = public.find_wallet(
            case when p_wallet like '0x%' then 'evm' else 'solana' end, p_wallet)
      and (u.id = public.actor_id()
           or (p_as_admin and exists (
               select from public.users as a
               where a.id = public.actor_id() and a.role in ('admin', 'super_admin'))))
$$;

CREATE FUNCTION public.record_move(p_market_id uuid, p_action text, p_from text, p_to text, p_reason text, p_changes jsonb, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
    v_actor uuid := public.actor_id();
begin
    insert into public.market_state_changes (market_id, from_state, to_state, actor, reason, created_at)
    values (p_market_id, p_from, p_to, v_actor, p_reason, p_now);
    insert into public.outbox (topic, market_id, payload, created_at)
    values (
        'market_state', p_market_id,
        jsonb_build_object('oldState', p_from, 'newState', p_to, 'automatic', v_actor is null),
        p_now
    );
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_actor, p_action, 'market', p_market_id::text, p_request_id, p_ip,
        jsonb_build_object('from', p_from, 'to', p_to, 'reason', p_reason) || p_changes, p_now
    );
    if p_from in ('ACTIVE', 'DISPUTED') then
        perform public.answer_escalation(
            case p_from when 'DISPUTED' then 'dispute:' else '' end || p_market_id,
            coalesce(p_reason, format('The market is %s.', p_to)), p_now);
    end if;
end;
$$;

CREATE FUNCTION public.record_tally(p_market_id uuid, p_kind text, p_fence bigint, p_yes numeric, p_no numeric, p_votes bigint, p_is_sent boolean, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS TABLE(changed boolean, passed boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_market public.markets;
    v_tally  record;
    v_result record;
    v_told   record;
    v_at     timestamptz := p_now;
begin
    select m.* into strict v_market from public.markets as m where m.id = p_market_id
    for no key update;
    select t.told_yes, t.told_no into v_told
    from public.vote_tallies as t
    where t.market_id = p_market_id and t.kind = p_kind and t.fence = p_fence
    for no key update;
    if not found then
        raise exception using errcode = 'PR409', message = 'another run tallies this market';
    elsif v_market.state <> (case p_kind when 'proposal' then 'PROPOSED' else 'DISPUTED' end) then
        raise exception using errcode = 'PR410', column = 'state',
            message = format('the market is %s', v_market.state);
    end if;
    if v_market.venue = 'native' then
        v_at := public.effective_now(p_now);
        select * into strict v_tally from public.market_tally(p_market_id, p_kind);
    else
        select p_yes as yes, p_no as no, p_votes as votes into strict v_tally;
    end if;
    select * into strict v_result
    from public.vote_outcome(p_kind, v_tally.yes, v_tally.no, v_tally.votes);
    update public.vote_tallies as t
    set told_yes = v_tally.yes, told_no = v_tally.no, told_at = v_at, failures = 0,
        next_attempt_at = null, leased_until = null
    where t.market_id = p_market_id and t.kind = p_kind;
    if p_is_sent then
        return query select true, v_result.passed;
        return;
    elsif (v_tally.yes, v_tally.no) = (v_told.told_yes, v_told.told_no) then
        return query select false, v_result.passed;
        return;
    end if;
    insert into public.aggregation_results
        (market_id, kind, yes, no, percentage_bps, passed, created_at)
    values (p_market_id, p_kind, v_tally.yes, v_tally.no, v_result.percentage_bps, v_result.passed,
            p_now);
    if v_market.venue = 'native' and p_kind = 'proposal' and v_result.passed then
        perform public.move_market(p_market_id, 'APPROVED',
            format('%s of %s votes', v_tally.yes, v_tally.yes + v_tally.no), null, null, null, null,
            p_request_id, p_ip, p_now);
    end if;
    return query select true, v_result.passed;
end;
$$;

CREATE FUNCTION public.record_trades(p_market_id uuid, p_outcome smallint, p_first_bps integer, p_last_bps integer, p_volume_micros bigint, p_volume_lots bigint, p_trades integer, p_new_traders integer, p_now timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
    insert into public.price_bars as b (
        market_id, outcome, interval_s, bucket, open_bps, high_bps, low_bps, close_bps,
        volume_micros, volume_lots, trade_count
    )
    values
        (p_market_id, p_outcome, 300, date_bin('5 minutes', p_now, 'epoch'), p_first_bps,
         greatest(p_first_bps, p_last_bps), least(p_first_bps, p_last_bps), p_last_bps,
         p_volume_micros, p_volume_lots, p_trades),
        (p_market_id, p_outcome, 3600, date_bin('1 hour', p_now, 'epoch'), p_first_bps,
         greatest(p_first_bps, p_last_bps), least(p_first_bps, p_last_bps), p_last_bps,
         p_volume_micros, p_volume_lots, p_trades)
    on conflict (market_id, outcome, interval_s, bucket) do update set
        high_bps = greatest(b.high_bps, excluded.high_bps),
        low_bps = least(b.low_bps, excluded.low_bps),
        close_bps = excluded.close_bps,
        volume_micros = b.volume_micros + excluded.volume_micros,
        volume_lots = b.volume_lots + excluded.volume_lots,
        trade_count = b.trade_count + excluded.trade_count;
    update public.outcomes as o set
        last_price_bps = p_last_bps,
        volume_micros = o.volume_micros + p_volume_micros,
        trade_count = o.trade_count + p_trades
    where o.market_id = p_market_id and o.outcome = p_outcome;
    update public.market_counters as c set
        volume_micros = c.volume_micros + p_volume_micros,
        trade_count = c.trade_count + p_trades,
        unique_traders = c.unique_traders + p_new_traders,
        last_trade_at = p_now
    where c.market_id = p_market_id;
    return p_trades;
end;
$$;

CREATE FUNCTION public.record_wallet_change(p_actor_id uuid, p_action text, p_resource text, p_resource_id uuid, p_user_id uuid, p_changes jsonb, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (p_actor_id, p_action, p_resource, p_resource_id, p_request_id, p_ip, p_changes, p_now);
    insert into public.outbox (topic, payload, created_at)
    values (
        'wallet',
        jsonb_build_object('action', p_action, 'id', p_resource_id, 'user_id', p_user_id)
            || p_changes,
        p_now
    );
end;
$$;

CREATE FUNCTION public.refresh_leaderboard(p_day date, p_now timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_count integer;
begin
    select count(*) into v_count from public.leaderboard_entries as e
    where e.refreshed_at >= p_day::timestamp at time zone 'UTC';
    if v_count > 0 then
        return v_count;
    end if;
    insert into public.profit_marks (user_id, day, realised_micros)
    select t.user_id, p_day, t.realised
    from (
        select p.user_id, sum(p.realised_micros)::bigint as realised
        from public.positions as p
        group by p.user_id
    ) as t
    left join lateral (
        select m.realised_micros as realised from public.profit_marks as m
        where m.user_id = t.user_id and m.day <= p_day
        order by m.day desc limit 1
    ) as before on true
    where t.realised <> coalesce(before.realised, 0);

    delete from public.leaderboard_entries;
    with periods (period, since) as (
        values ('day', p_day - 1), ('week', p_day - 7), ('month', p_day - 30), ('all', null)
    ),
    earned as (
        select q.period, u.user_id, u.realised - coalesce(b.realised, 0) as profit
        from periods as q
        cross join (
            select distinct on (m.user_id) m.user_id, m.realised_micros as realised
            from public.profit_marks as m where m.day <= p_day
            order by m.user_id, m.day desc
        ) as u
        left join lateral (
            select m.realised_micros as realised from public.profit_marks as m
            where m.user_id = u.user_id and m.day <= q.since
            order by m.day desc limit 1
        ) as b on true
    ),
    traded as (
        select q.period, d.user_id, sum(d.volume_micros)::bigint as volume
        from periods as q
        join public.user_daily_stats as d
            on d.day < p_day and (q.since is null or d.day >= q.since)
        group by q.period, d.user_id
    ),
    settled as (
        select k.id, p.user_id, k.settled_at, sum(p.realised_micros) as realised
        from public.markets as k
        join public.positions as p on p.market_id = k.id
        where k.settled_at < p_day::timestamp at time zone 'UTC'
        group by k.id, p.user_id
    ),
    decided as (
        select q.period, s.user_id, (count(*) filter (where s.realised > 0))::integer as won,
               (count(*) filter (where s.realised < 0))::integer as lost
        from periods as q
        join settled as s on s.realised <> 0
            and (q.since is null or s.settled_at >= q.since::timestamp at time zone 'UTC')
        group by q.period, s.user_id
    ),
    figures as (
        select f.period, f.user_id, sum(f.profit)::bigint as profit, sum(f.volume)::bigint as volume,
               sum(f.won)::integer as won, sum(f.lost)::integer as lost
        from (
            select e.period, e.user_id, e.profit, 0 as volume, 0 as won, 0 as lost from earned as e
            union all
            select t.period, t.user_id, 0, t.volume, 0, 0 from traded as t
            union all
            select d.period, d.user_id, 0, 0, d.won, d.lost from decided as d
        ) as f
        group by f.period, f.user_id
    ),
    rated as (
        select f.*, u.created_at, f.won + f.lost as decided,
               case when f.won + f.lost > 0 then f.won * 10000 / (f.won + f.lost) end as rate
        from figures as f
        join public.users as u on u.id = f.user_id
        where f.profit <> 0 or f.volume <> 0 or f.won + f.lost > 0
    )
    insert into public.leaderboard_entries
        (period, user_id, profit_micros, volume_micros, won_markets, lost_markets, win_rate_bps,
         profit_rank, volume_rank, win_rate_rank, refreshed_at)
    select r.period, r.user_id, r.profit, r.volume, r.won, r.lost, r.rate,
           row_number() over (partition by r.period
               order by r.profit desc, r.volume desc, r.created_at, r.user_id),
           row_number() over (partition by r.period
               order by r.volume desc, r.profit desc, r.created_at, r.user_id),
           row_number() over (partition by r.period
               order by r.rate desc nulls last, r.decided desc, r.profit desc, r.created_at,
                        r.user_id),
           p_now
    from rated as r;
    get diagnostics v_count = row_count;

    -- Of what is older than the longest period only the last mark says anything.
    delete from public.profit_marks as m
    where m.day < p_day - 30 and exists (
        select from public.profit_marks as n
        where n.user_id = m.user_id and n.day > m.day and n.day <= p_day - 30);
    return v_count;
end;
$$;

CREATE FUNCTION public.reindex_markets(p_after text, p_limit integer, p_rows integer, p_now timestamp with time zone) RETURNS TABLE(last_market text, markets integer, events bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_markets text[];
    v_market  text;
    v_rows    public.chain_events[];
    v_last    public.chain_events;
    v_events  bigint;
begin
    perform public.lock_indexer();
    if p_after is null then
        delete from public.chain_markets as m
        where not exists (select from public.chain_addresses as a where a.market = m.market);
        delete from public.chain_positions as p
        where not exists (select from public.chain_addresses as a where a.market = p.market);
        delete from public.chain_votes as v
        where not exists (select from public.chain_addresses as a where a.market = v.market);
        perform public.project_chain_config();
    end if;
    select array_agg(n.market order by n.market) into v_markets
    from (
        select a.market from public.chain_addresses as a
        where p_after is null or a.market > p_after
        order by a.market
        limit p_limit
    ) as n;
    if v_markets is null then
        return;
    end if;
    delete from public.dispute_weights as w
    using public.chain_addresses as a
    where a.market = any (v_markets) and w.market_id = a.market_id
      and exists (select from public.markets as k where k.id = w.market_id and k.venue = 'solana');
    delete from public.chain_markets as m where m.market = any (v_markets);
    delete from public.chain_positions as p where p.market = any (v_markets);
    delete from public.chain_votes as v where v.market = any (v_markets);
    -- Every trade counts at first. What accounts told comes after, and begins the shares anew.
    with sums as materialized (
        select t.market, t.wallet, sum(t.shares_yes) as yes, sum(t.shares_no) as no,
            coalesce(sum(t.amount) filter (where t.side = 'buy'), 0) as paid,
            coalesce(sum(t.amount) filter (where t.side = 'sell'), 0) as received,
            count(*) as trades
        from public.chain_trades as t
        where t.market = any (v_markets)
        group by t.market, t.wallet
    ),
    holders as (
        insert into public.chain_positions
            (market, wallet, shares_yes, shares_no, paid, received, trades)
        select s.market, s.wallet, s.yes, s.no, s.paid, s.received, s.trades from sums as s
    ),
    totals as (
        select s.market, sum(s.yes) as yes, sum(s.no) as no, sum(s.paid + s.received) as volume,
            sum(s.trades) as trades
        from sums as s
        group by s.market
    ),
    latest as (
        select distinct on (t.market) t.market, t.price_yes, t.place
        from public.chain_trades as t
        where t.market = any (v_markets)
        order by t.market, t.place desc
    )
    insert into public.chain_markets (market, market_id, address, shares_yes, shares_no, volume,
        trades, price_yes, price_order)
    select a.market, a.market_id, a.address, coalesce(t.yes, 0), coalesce(t.no, 0),
        coalesce(t.volume, 0), coalesce(t.trades, 0), l.price_yes, l.place
    from public.chain_addresses as a
    left join totals as t on t.market = a.market
    left join latest as l on l.market = a.market
    where a.market = any (v_markets);
    select coalesce(sum(m.trades), 0) into v_events
    from public.chain_markets as m
    where m.market = any (v_markets);

    foreach v_market in array v_markets loop
        v_last := null;
        loop
            select array_agg(e::public.chain_events) into v_rows
            from (
                select * from public.chain_events as n
                where n.market = v_market and n.event_type not in ('SharesBought', 'SharesSold')
                  and (v_last.signature is null
                       or (n.block_time, n.slot, n.tx_index, n.ordinal, n.signature)
                        > (v_last.block_time, v_last.slot, v_last.tx_index, v_last.ordinal,
                           v_last.signature))
                order by n.block_time, n.slot, n.tx_index, n.ordinal, n.signature
                limit p_rows
            ) as e;
            exit when v_rows is null;
            perform public.project_events(v_rows, null, null, p_now);
            v_events := v_events + cardinality(v_rows);
            v_last := v_rows[cardinality(v_rows)];
        end loop;
    end loop;
    perform public.follow_chain_markets(null, v_markets, null, p_now);
    return query select v_markets[cardinality(v_markets)], cardinality(v_markets), v_events;
end;
$$;

CREATE FUNCTION public.relay_outbox(p_limit integer, p_large_micros bigint, p_now timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    SET work_mem TO '64MB'
    AS $$
declare
    v_taken integer;
begin
    with claimed as materialized (
        select o.id, o.topic, o.market_id, o.payload, o.created_at
        from public.outbox o
        where o.published_at is null
        order by o.id
        limit p_limit
        for update skip locked
    ),
    filled as (
        insert into public.notifications (user_id, type, market_id, facts, created_at)
        select m.user_id, 'order_filled', c.market_id, jsonb_build_object(
                   'orderId', m.id, 'side', m.side, 'position', m.position,
                   'outcome', m.outcome, 'priceBps', m.price_bps, 'sizeLots', m.size_lots),
               c.created_at
        from claimed c
        cross join lateral jsonb_array_elements(c.payload -> 'fills') as f
        join public.orders m on m.id = (f ->> 'maker_order_id')::uuid
        where c.topic = 'order' and (f ->> 'maker_remaining_lots')::bigint = 0
    ),
    large as (
        insert into public.notifications (user_id, type, market_id, facts, created_at)
        select w.user_id, 'large_trade', t.market_id,
               jsonb_build_object('amountMicros', t.micros, 'side', t.payload #>> '{order,side}',
                                  'position', t.payload #>> '{order,position}'),
               t.created_at
        from (
            select c.market_id, c.payload, c.created_at, (
                       select sum((f ->> 'price_bps')::bigint * (f ->> 'size_lots')::bigint)::bigint
                       from jsonb_array_elements(c.payload -> 'fills') as f) as micros
            from claimed c
            where c.topic = 'order' and c.payload -> 'fills' <> '[]'::jsonb
        ) as t
        join public.follows w on w.market_id = t.market_id and w.notify_on_trade
        where t.micros > p_large_micros
          and w.user_id <> (t.payload #>> '{order,user_id}')::uuid
        order by w.market_id, w.user_id
    ),
    resolved as (
        insert into public.notifications (user_id, type, market_id, created_at)
        select w.user_id, 'market_resolved', w.market_id, w.created_at
        from (
            select f.user_id, c.market_id, c.created_at
            from claimed c
            join public.follows f on f.market_id = c.market_id and f.notify_on_resolve
            where c.topic = 'market_state' and c.payload ->> 'newState' = 'FINALIZED'
            union all
            select u.id, c.market_id, c.created_at
            from claimed c
            join public.markets k on k.id = c.market_id and k.venue = 'solana'
            join public.chain_positions p on p.market = k.chain_market_id and not p.has_claimed
                and (p.shares_yes > 0 or p.shares_no > 0)
            join public.users u on u.chain = 'solana' and u.address = p.wallet
            where c.topic = 'market_state' and c.payload ->> 'newState' = 'FINALIZED'
        ) as w
        order by w.market_id, w.user_id
        on conflict do nothing
    ),
    settled as (
        insert into public.notifications (user_id, type, market_id, facts, created_at)
        select (c.payload ->> 'user_id')::uuid, 'position_settled', c.market_id,
               jsonb_build_object('amountMicros', c.payload -> 'amount_micros'), c.created_at
        from claimed c
        where c.topic = 'settlement'
    ),
    moved as (
        insert into public.notifications (user_id, type, facts, created_at)
        select (c.payload ->> 'user_id')::uuid,
               case c.payload ->> 'action' when 'verify_deposit' then 'deposit_verified'
                                           else 'withdrawal_completed' end,
               jsonb_build_object('amountMicros', coalesce(
                   c.payload -> 'credited_micros', c.payload -> 'amount_micros')),
               c.created_at
        from claimed c
        where c.topic = 'wallet'
          and c.payload ->> 'action' in ('verify_deposit', 'complete_withdrawal')
    ),
    answered as (
        insert into public.notifications (user_id, type, market_id, facts, created_at)
        select (c.payload ->> 'parent_user_id')::uuid, 'comment_reply', c.market_id,
               jsonb_build_object('commentId', c.payload -> 'id'), c.created_at
        from claimed c
        where c.topic = 'comment' and c.payload ->> 'parent_user_id' <> c.payload ->> 'user_id'
    ),
    published as (
        update public.outbox o set published_at = p_now
        where o.id in (select c.id from claimed c)
    )
    select count(*) into v_taken from claimed;
    return v_taken;
end;
$$;

CREATE FUNCTION public.release_market_orders(p_market_id uuid, p_limit integer, p_now timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_now   timestamptz := public.effective_now(p_now);
    v_open  boolean;
    v_count integer;
begin
    select m.state = 'ACTIVE' and m.closes_at > v_now into v_open
    from public.markets as m
    where m.id = p_market_id
    for no key update;
    if not found then
        raise exception using errcode = 'PR404', message = 'there is no such market';
    elsif v_open then
        raise exception using errcode = 'PR410', message = 'the market still trades';
    end if;
    select count(*) into v_count
    from public.release_orders(
        array(select o.id from public.orders as o
              where o.market_id = p_market_id and o.is_open
              order by o.seq limit p_limit),
        'cancelled', v_now);
    return v_count;
end;
$$;

CREATE FUNCTION public.release_orders(p_order_ids uuid[], p_status text, p_now timestamp with time zone) RETURNS TABLE(order_id uuid, status text, filled_lots bigint, released_lots bigint, released_micros bigint)
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
#variable_conflict use_column
begin
    perform from public.accounts as a
    where a.id in (
        select o.account_id from public.orders as o
        where o.id = any (p_order_ids) and o.is_open and o.side = 'BUY'
        union
        select l.orders_account
        from public.orders as o
        join public.market_ledgers as l on l.market_id = o.market_id
        where o.id = any (p_order_ids) and o.is_open and o.side = 'BUY'
    )
    order by a.id
    for no key update;

    return query
    with gone as materialized (
        select o.id, o.seq, o.user_id, o.account_id, o.market_id, o.outcome, o.position, o.side,
               o.price_bps, o.filled_lots, o.remaining_lots, o.client_order_id, l.orders_account,
               case o.side when 'BUY' then o.remaining_lots * o.price_bps else 0 end as micros
        from public.orders as o
        join public.market_ledgers as l on l.market_id = o.market_id
        where o.id = any (p_order_ids) and o.is_open
    ),
    closed as (
        update public.orders as o set
            status = p_status, is_open = false, remaining_lots = 0, updated_at = p_now
        from gone as g
        where o.id = g.id
    ),
    moved as (
        insert into public.transfers
            (debit_account, credit_account, amount_micros, kind, reference, market_id, created_at)
        select g.orders_account, g.account_id, g.micros, 'release', g.id, g.market_id, p_now
        from gone as g
        where g.micros > 0
        order by g.seq
    ),
    balanced as (
        update public.accounts as a set balance_micros = a.balance_micros + s.delta
        from (
            select d.account, sum(d.delta)::bigint as delta
            from (
                select g.account_id as account, g.micros as delta from gone as g
                union all
                select g.orders_account, -g.micros from gone as g
            ) as d
            group by d.account
        ) as s
        where a.id = s.account and s.delta <> 0
    ),
    unlocked as (
        update public.positions as p set locked_lots = p.locked_lots - s.lots, updated_at = p_now
        from (
            select g.market_id, g.user_id, g.outcome, g.position, sum(g.remaining_lots)::bigint as lots
            from gone as g
            where g.side = 'SELL'
            group by g.market_id, g.user_id, g.outcome, g.position
        ) as s
        where p.market_id = s.market_id and p.user_id = s.user_id and p.outcome = s.outcome
          and p.position = s.position
    ),
    told as (
        insert into public.outbox (topic, market_id, payload, created_at)
        select 'order', g.market_id, jsonb_build_object(
                   'order', jsonb_build_object(
                       'order_id', g.id, 'user_id', g.user_id, 'outcome', g.outcome,
                       'position', g.position, 'side', g.side, 'price_bps', g.price_bps,
                       'status', p_status, 'filled_lots', g.filled_lots, 'remaining_lots', 0,
                       'released_lots', g.remaining_lots, 'client_order_id', g.client_order_id),
                   'fills', '[]'::jsonb), p_now
        from gone as g
        order by g.seq
    )
    select g.id, p_status, g.filled_lots, g.remaining_lots, g.micros
    from gone as g
    order by g.seq;
end;
$$;

CREATE FUNCTION public.replayed_batch(p_order_ids uuid[], p_refusals jsonb) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS $$
    select jsonb_agg(case
        when i.id is null then p_refusals -> (i.no - 1)::text
        else jsonb_build_object('index', i.no - 1)
            || (select to_jsonb(r) - 'replayed' from public.replayed_order(i.id) as r) end
        order by i.no)
    from unnest(p_order_ids) with ordinality as i (id, no)
$$;

CREATE FUNCTION public.replayed_order(p_order_id uuid) RETURNS TABLE(order_id uuid, status text, size_lots bigint, filled_lots bigint, remaining_lots bigint, cost_micros bigint, fee_micros bigint, average_price_bps numeric, fills jsonb, created_at timestamp with time zone, replayed boolean)
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS $$
    select o.id, o.placed_status, coalesce(o.placed_size_lots, o.size_lots), o.placed_filled_lots,
           case when o.placed_status in ('open', 'partial')
                then coalesce(o.placed_size_lots, o.size_lots) - o.placed_filled_lots else 0 end,
           o.placed_cost_micros, o.fee_micros,
           round(o.placed_cost_micros::numeric / nullif(o.placed_filled_lots, 0), 4),
           (select coalesce(jsonb_agg(jsonb_build_object(
                       'fill_id', f.id,
                       'price_bps', case o.position when 'YES' then f.price_bps
                                                    else 10000 - f.price_bps end,
                       'size_lots', f.size_lots,
                       'kind', f.kind) order by f.id), '[]'::jsonb)
            from public.fills as f where f.taker_order_id = o.id),
           o.created_at, true
    from public.orders as o
    where o.id = p_order_id
$$;

CREATE FUNCTION public.resolve_escalation(p_escalation_id bigint, p_resolution text, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS public.escalations
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_actor      uuid := public.actor_id();
    v_escalation public.escalations;
begin
    if not exists (select from public.users as u where u.id = v_actor and u.role <> 'user') then
        raise exception using errcode = 'PR403', message = 'only an admin may resolve an escalation';
    end if;
    select e.* into v_escalation
    from public.escalations as e
    where e.id = p_escalation_id
    for no key update;
    if not found then
        raise exception using errcode = 'PR404', column = 'escalation_id',
            message = 'there is no such escalation';
    elsif v_escalation.status = 'resolved' then
        if v_escalation.resolution is distinct from p_resolution then
            raise exception using errcode = 'PR410', column = 'resolution',
                message = 'the escalation is resolved already';
        end if;
        return v_escalation;
    end if;
    update public.escalations as e
    set status = 'resolved', resolution = p_resolution, resolved_at = p_now, resolved_by = v_actor
    where e.id = p_escalation_id
    returning e.* into v_escalation;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_actor, 'resolve_escalation', 'escalation', p_escalation_id::text, p_request_id, p_ip,
        jsonb_build_object('kind', v_escalation.kind, 'level', v_escalation.level), p_now
    );
    return v_escalation;
end;
$$;

CREATE FUNCTION public.revoke_api_key(p_id uuid, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS TABLE(id uuid, revoked_at timestamp with time zone, key_hash bytea)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
    v_actor uuid := public.actor_id();
begin
    perform from public.api_keys as k where k.id = p_id and k.user_id = v_actor for no key update;
    if not found then
        raise exception using errcode = 'PR404', column = 'key_id',
            message = 'you have no such key';
    end if;
    update public.api_keys as k set revoked_at = p_now where k.id = p_id and k.revoked_at is null;
    if found then
        insert into public.audit_log
            (actor_id, action, resource, resource_id, request_id, ip, created_at)
        values (v_actor, 'revoke_api_key', 'api_key', p_id::text, p_request_id, p_ip, p_now);
    end if;
    return query select k.id, k.revoked_at, k.key_hash from public.api_keys as k where k.id = p_id;
end;
$$;

CREATE FUNCTION public.revoke_sessions(p_ip text, p_request_id text, p_now timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_actor   uuid := nullif(current_setting('presage.user_id', true), '')::uuid;
    v_revoked integer;
begin
    update public.sessions set revoked_at = p_now
    where user_id = v_actor and revoked_at is null;
    get diagnostics v_revoked = row_count;

    insert into public.audit_log (actor_id, action, resource, resource_id, request_id, ip, created_at)
    values (v_actor, 'logout', 'user', v_actor::text, p_request_id, p_ip, p_now);
    return v_revoked;
end;
$$;

CREATE FUNCTION public.roll_up_day(p_day date, p_now timestamp with time zone) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_from  timestamptz := p_day::timestamp at time zone 'UTC';
    v_to    timestamptz := v_from + interval '1 day';
    v_final boolean;
begin
    insert into public.platform_daily_stats (day, updated_at) values (p_day, p_now)
    on conflict do nothing;
    select s.is_final into v_final from public.platform_daily_stats as s
    where s.day = p_day
    for update;
    if v_final then
        return true;
    end if;
    v_final := p_now >= v_to + interval '1 minute';

    -- Counted anew and not added to: what an earlier run of this day wrote is replaced.
    insert into public.market_daily_stats as s (
        market_id, outcome, day, open_bps, high_bps, low_bps, close_bps, volume_micros,
        volume_lots, trade_count, unique_traders
    )
    select t.market_id, t.outcome, p_day, b.open_bps, b.high_bps, b.low_bps, b.close_bps,
           b.volume_micros, b.volume_lots, b.trades, t.traders
    from (
        select f.market_id, f.outcome, count(distinct p.user_id)::integer as traders
        from public.fills as f
        cross join lateral (values (f.taker_id), (f.maker_id)) as p (user_id)
        where f.created_at >= v_from and f.created_at < v_to
        group by f.market_id, f.outcome
    ) as t
    cross join lateral (
        select (array_agg(b.open_bps order by b.bucket))[1] as open_bps,
               max(b.high_bps) as high_bps, min(b.low_bps) as low_bps,
               (array_agg(b.close_bps order by b.bucket desc))[1] as close_bps,
               sum(b.volume_micros)::bigint as volume_micros,
               sum(b.volume_lots)::bigint as volume_lots, sum(b.trade_count)::integer as trades
        from public.price_bars as b
        where b.market_id = t.market_id and b.outcome = t.outcome and b.interval_s = 3600
          and b.bucket >= v_from and b.bucket < v_to
    ) as b
    on conflict (market_id, outcome, day) do update set
        open_bps = excluded.open_bps, high_bps = excluded.high_bps, low_bps = excluded.low_bps,
        close_bps = excluded.close_bps, volume_micros = excluded.volume_micros,
        volume_lots = excluded.volume_lots, trade_count = excluded.trade_count,
        unique_traders = excluded.unique_traders;

    insert into public.user_daily_stats as s (user_id, day, volume_micros, trade_count)
    select p.user_id, p_day, sum(f.price_bps * f.size_lots)::bigint, count(*)::integer
    from public.fills as f
    cross join lateral (values (f.taker_id), (f.maker_id)) as p (user_id)
    where f.created_at >= v_from and f.created_at < v_to
    group by p.user_id
    on conflict (user_id, day) do update set
        volume_micros = excluded.volume_micros, trade_count = excluded.trade_count;

    update public.platform_daily_stats as s set
        volume_micros = t.volume_micros, trade_count = t.trades, active_users = u.users,
        fees_micros = m.fees, rebates_micros = m.rebates, new_users = n.users,
        new_markets = n.markets, is_final = v_final, updated_at = p_now
    from (
        select coalesce(sum(d.volume_micros), 0)::bigint as volume_micros,
               coalesce(sum(d.trade_count), 0)::bigint as trades
        from public.market_daily_stats as d where d.day = p_day
    ) as t,
    (select count(*)::integer as users from public.user_daily_stats as d where d.day = p_day) as u,
    (
        select coalesce(sum(x.amount_micros) filter (where x.kind = 'fee'), 0)::bigint as fees,
               coalesce(sum(x.amount_micros) filter (where x.kind = 'rebate'), 0)::bigint as rebates
        from public.transfers as x
        where x.created_at >= v_from and x.created_at < v_to and x.kind in ('fee', 'rebate')
    ) as m,
    (
        select (select count(*) from public.users as p
                where p.created_at >= v_from and p.created_at < v_to)::integer as users,
               (select count(*) from public.markets as k
                where k.created_at >= v_from and k.created_at < v_to)::integer as markets
    ) as n
    where s.day = p_day;
    return v_final;
end;
$$;

CREATE FUNCTION public.search_query(p_text text) RETURNS tsquery
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO ''
    AS $$
    select string_agg(quote_literal(v.word) || ':*', ' & ')::tsquery
    from unnest(string_to_array(public.normalise_search(p_text), ' ')) as v (word)
    where v.word <> ''
$$;

CREATE FUNCTION public.set_tick_range(p_market_id uuid, p_min_bps integer, p_max_bps integer, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS TABLE(id uuid, slug text, tick_size_bps integer, min_tick_bps integer, max_tick_bps integer, changed_at timestamp with time zone)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_actor  uuid := public.actor_id();
    v_market public.markets;
begin
    if not exists (select from public.users as u where u.id = v_actor and u.role <> 'user') then
        raise exception using errcode = 'PR403', message = 'only an admin may set a tick range';
    end if;
    select m.* into v_market from public.markets as m where m.id = p_market_id for no key update;
    if not found then
        raise exception using errcode = 'PR404', column = 'market_id',
            message = 'there is no such market';
    elsif v_market.state in ('FINALIZED', 'CANCELLED') then
        raise exception using errcode = 'PR410', column = 'state', message = 'the market is over';
    elsif v_market.tick_size_bps < p_min_bps then
        raise exception using errcode = 'PR410', column = 'min_tick',
            message = 'the market''s tick is smaller';
    elsif v_market.tick_size_bps > p_max_bps then
        raise exception using errcode = 'PR410', column = 'max_tick',
            message = 'the market''s tick is larger';
    end if;
    update public.markets as m
    set min_tick_bps = p_min_bps, max_tick_bps = p_max_bps, updated_at = p_now
    where m.id = p_market_id;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_actor, 'set_tick_range', 'market', p_market_id::text, p_request_id, p_ip,
        jsonb_build_object(
            'from', jsonb_build_array(v_market.min_tick_bps, v_market.max_tick_bps),
            'to', jsonb_build_array(p_min_bps, p_max_bps)),
        p_now
    );
    return query
    select p_market_id, v_market.slug, v_market.tick_size_bps, p_min_bps, p_max_bps, p_now;
end;
$$;

CREATE FUNCTION public.set_trading_status(p_market_id uuid, p_status text, p_reason text, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS TABLE(id uuid, slug text, previous_status text, trading_status text, changed_at timestamp with time zone)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_actor  uuid := public.actor_id();
    v_market public.markets;
begin
    select m.* into v_market from public.markets m where m.id = p_market_id for no key update;
    if not found then
        raise exception 'There is no such market.' using errcode = 'PR404', column = 'market_id';
    end if;
    if v_market.state not in ('PROPOSED', 'APPROVED', 'ACTIVE')
        or v_market.closes_at <= public.effective_now(p_now) then
        raise exception 'The market has passed its close.' using errcode = 'PR410', column = 'state';
    end if;
    update public.markets m set trading_status = p_status, updated_at = p_now
    where m.id = p_market_id;
    insert into public.outbox (topic, market_id, payload, created_at)
    values ('trading_status', p_market_id, jsonb_build_object('tradingStatus', p_status), p_now);
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_actor, 'set_trading_status', 'market', p_market_id::text, p_request_id, p_ip,
        jsonb_build_object(
            'from', v_market.trading_status, 'to', p_status, 'reason', p_reason),
        p_now
    );
    return query
    select p_market_id, v_market.slug, v_market.trading_status, p_status, p_now;
end;
$$;

CREATE FUNCTION public.settle_market(p_market_id uuid, p_limit integer, p_now timestamp with time zone) RETURNS TABLE(paid_users integer, paid_micros bigint, released_orders integer, done boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
    v_now      timestamptz := public.effective_now(p_now);
    v_market   record;
    v_released integer;
    v_users    uuid[];
    v_paid     bigint;
begin
    select m.state, m.final_payout_bps as payout, m.settled_at, l.escrow_account
    into v_market
    from public.markets as m
    join public.market_ledgers as l on l.market_id = m.id
    where m.id = p_market_id
    for no key update of m;
    if not found then
        raise exception using errcode = 'PR404', message = 'there is no such market';
    elsif v_market.settled_at is not null then
        return query select 0, 0::bigint, 0, true;
        return;
    elsif v_market.state <> 'FINALIZED' then
        raise exception using errcode = 'PR410', message = format('the market is %s', v_market.state);
    elsif not public.payout_fits(p_market_id, v_market.payout) then
        raise exception using errcode = 'PR422', message = 'the payout vector does not fit the market';
    end if;

    v_released := public.release_market_orders(p_market_id, p_limit, p_now);
    if v_released > 0 then
        return query select 0, 0::bigint, v_released, false;
        return;
    end if;

    v_users := array(
        select distinct p.user_id from public.positions as p
        where p.market_id = p_market_id and p.held_lots > 0
        order by p.user_id limit p_limit);
    perform public.cash_account(u.id) from unnest(v_users) as u (id);
    perform from public.accounts as a
    where a.user_id = any (v_users) or a.id = v_market.escrow_account
    order by a.id
    for no key update;

    with owed as materialized (
        select p.user_id, a.id as account, sum(p.held_lots * case p.position
                   when 'YES' then v_market.payout[p.outcome + 1]
                   else 10000 - v_market.payout[p.outcome + 1] end)::bigint as amount
        from public.positions as p
        join public.accounts as a on a.user_id = p.user_id
        where p.market_id = p_market_id and p.user_id = any (v_users)
        group by p.user_id, a.id
    ),
    recorded as (
        insert into public.settlements (market_id, user_id, amount_micros, created_at)
        select p_market_id, o.user_id, o.amount, v_now from owed as o
    ),
    moved as (
        insert into public.transfers
            (debit_account, credit_account, amount_micros, kind, reference, market_id, created_at)
        select v_market.escrow_account, o.account, o.amount, 'payout', p_market_id, p_market_id, v_now
        from owed as o where o.amount > 0
    ),
    balanced as (
        update public.accounts as a set balance_micros = a.balance_micros + d.delta
        from (
            select o.account, o.amount as delta from owed as o
            union all
            select v_market.escrow_account, -sum(o.amount)::bigint from owed as o
        ) as d
        where a.id = d.account and d.delta <> 0
    ),
    emptied as (
        update public.positions as p set
            realised_micros = p.realised_micros - p.cost_micros + p.held_lots * case p.position
                when 'YES' then v_market.payout[p.outcome + 1]
                else 10000 - v_market.payout[p.outcome + 1] end,
            held_lots = 0, locked_lots = 0, cost_micros = 0, updated_at = v_now
        where p.market_id = p_market_id and p.user_id = any (v_users) and p.held_lots > 0
    ),
    told as (
        insert into public.outbox (topic, market_id, payload, created_at)
        select 'settlement', p_market_id,
               jsonb_build_object('user_id', o.user_id, 'amount_micros', o.amount), v_now
        from owed as o
    )
    select coalesce(sum(o.amount), 0) into v_paid from owed as o;

    if cardinality(v_users) < p_limit then
        if (select a.balance_micros <> 0 from public.accounts as a
            where a.id = v_market.escrow_account) then
            raise exception using errcode = 'PR409', message = 'the escrow is not empty after settlement';
        end if;
        update public.markets as m set
            settled_at = v_now, claims_enabled = true,
            claims_available_at = coalesce(m.claims_available_at, v_now), updated_at = v_now
        where m.id = p_market_id;
    end if;
    return query select cardinality(v_users), v_paid, 0, cardinality(v_users) < p_limit;
end;
$$;

CREATE FUNCTION public.sign_in(p_nonce text, p_address text, p_message text, p_user_id uuid, p_token_hash bytea, p_is_bootstrap_admin boolean, p_ip text, p_request_id text, p_now timestamp with time zone, p_expires_at timestamp with time zone, p_key_id text DEFAULT NULL::text, p_credential_nonce bytea DEFAULT NULL::bytea, p_ciphertext bytea DEFAULT NULL::bytea) RETURNS TABLE(user_id uuid, address text, display_name text, role text, expires_at timestamp with time zone, polymarket_linked boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
    c_venue constant text := 'polymarket';
    v_chain text;
    v_user  public.users;
begin
    update public.auth_challenges c
    set consumed_at = p_now
    where c.nonce = p_nonce
      and c.address = p_address
      and c.message = p_message
      and c.consumed_at is null
      and c.expires_at > p_now
    returning c.chain into v_chain;
    if not found then
        return;
    end if;

    -- The no-op update makes RETURNING answer an existing row too.
    insert into public.users as u (id, address, chain, role, created_at)
    values (
        p_user_id, p_address, v_chain,
        case when p_is_bootstrap_admin then 'super_admin' else 'user' end, p_now
    )
    on conflict on constraint users_have_one_row_per_wallet do update
        set role = case when p_is_bootstrap_admin then 'super_admin' else u.role end
    returning u.* into v_user;

    insert into public.sessions (token_hash, user_id, created_at, expires_at)
    values (p_token_hash, v_user.id, p_now, p_expires_at);

    if p_ciphertext is not null then
        if v_user.id <> p_user_id then
            raise exception using errcode = 'PR409',
                message = 'this wallet is signing in for the first time elsewhere: try again';
        end if;
        perform public.put_venue_credentials(
            v_user.id, c_venue, p_key_id, p_credential_nonce, p_ciphertext, p_now);
    end if;

    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_user.id, 'connect_wallet', 'user', v_user.id::text, p_request_id, p_ip,
        case when p_ciphertext is null then '{}'
             else jsonb_build_object('linked', c_venue, 'key_id', p_key_id) end,
        p_now
    );

    return query select v_user.id, v_user.address, v_user.display_name, v_user.role, p_expires_at,
        exists (
            select from public.venue_credentials as k
            where k.user_id = v_user.id and k.venue = c_venue
        );
end;
$$;

CREATE FUNCTION public.snapshot_prices(p_now timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_slot  timestamptz := date_bin('5 minutes', public.effective_now(p_now), 'epoch');
    v_count integer;
begin
    insert into public.price_points (
        market_id, outcome, slot, mid_bps, last_price_bps, best_bid_bps, best_ask_bps,
        spread_bps, bid_depth_lots, ask_depth_lots, liquidity_micros, volume_micros
    )
    select o.market_id, o.outcome, v_slot, s.mid_bps, o.last_price_bps, s.best_bid_bps,
           s.best_ask_bps, s.best_ask_bps - s.best_bid_bps, s.bid_depth_lots,
           s.ask_depth_lots, s.liquidity_micros, o.volume_micros
    from public.markets as m
    join public.outcomes as o on o.market_id = m.id
    cross join lateral public.book_summary(o.market_id, o.outcome) as s
    where m.state = 'ACTIVE' and m.venue = 'native'
    on conflict (market_id, outcome, slot) do nothing;
    get diagnostics v_count = row_count;

    insert into public.market_listings as l (
        market_id, volume_micros, liquidity_micros, created_us, closes_us
    )
    select m.id, c.volume_micros, coalesce(s.liquidity_micros, 0),
           extract(epoch from m.created_at) * 1000000, extract(epoch from m.closes_at) * 1000000
    from public.markets as m
    join public.market_counters as c on c.market_id = m.id
    left join public.market_listings as k on k.market_id = m.id
    left join (
        select o.market_id, sum(p.liquidity_micros)::bigint as liquidity_micros
        from public.outcomes as o
        join public.price_points as p
            on p.market_id = o.market_id and p.outcome = o.outcome and p.slot = v_slot
        group by o.market_id
    ) as s on s.market_id = m.id and m.state = 'ACTIVE'
    where (k.volume_micros, k.liquidity_micros)
          is distinct from (c.volume_micros, coalesce(s.liquidity_micros, 0))
    on conflict (market_id) do update set
        volume_micros = excluded.volume_micros, liquidity_micros = excluded.liquidity_micros;
    return v_count;
end;
$$;

CREATE FUNCTION public.store_rate(p_base text, p_quote text, p_rate_micros bigint, p_source text, p_observed_at timestamp with time zone, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS TABLE(base text, quote text, rate_micros bigint, source text, observed_at timestamp with time zone)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
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

CREATE FUNCTION public.sweep_fees(p_limit integer, p_now timestamp with time zone) RETURNS TABLE(markets integer, swept_micros bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_now     timestamptz := public.effective_now(p_now);
    v_markets uuid[];
begin
    v_markets := array(
        select m.id
        from public.markets as m
        join public.market_ledgers as l on l.market_id = m.id
        join public.accounts as a on a.id = l.fees_account
        where a.balance_micros > 0
        order by m.id
        limit p_limit
        for no key update of m skip locked);
    perform from public.accounts as a
    where a.kind = 'platform:fees'
       or a.id in (select l.fees_account from public.market_ledgers as l
                   where l.market_id = any (v_markets))
    order by a.id
    for no key update;
    return query
    with due as materialized (
        select a.id, a.market_id, a.balance_micros as amount
        from public.market_ledgers as l
        join public.accounts as a on a.id = l.fees_account
        where l.market_id = any (v_markets) and a.balance_micros > 0
    ),
    platform as materialized (
        select a.id from public.accounts as a where a.kind = 'platform:fees'
    ),
    moved as (
        insert into public.transfers
            (debit_account, credit_account, amount_micros, kind, reference, market_id, created_at)
        select d.id, p.id, d.amount, 'sweep', d.market_id, d.market_id, v_now
        from due as d cross join platform as p
    ),
    balanced as (
        update public.accounts as a set balance_micros = a.balance_micros + s.delta
        from (
            select d.id, -d.amount as delta from due as d
            union all
            select p.id, (select coalesce(sum(d.amount), 0) from due as d)::bigint from platform as p
        ) as s
        where a.id = s.id and s.delta <> 0
    )
    select count(*)::integer, coalesce(sum(d.amount), 0)::bigint from due as d;
end;
$$;

CREATE FUNCTION public.take_back_trades(p_markets text[], p_times timestamp with time zone[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
    v_markets text[];
begin
    select array_agg(b.market) into v_markets
    from (
        select m.market from public.chain_markets as m
        where m.market = any (p_markets) and m.base_order <> '{0,0,0}'
        union
        select p.market from public.chain_positions as p
        where p.market = any (p_markets) and p.base_order is not null
    ) as b;
    if v_markets is null then
        return;
    end if;

    with late as materialized (
        select t.market, t.wallet, t.place, t.shares_yes, t.shares_no
        from public.chain_trades as t
        join public.chain_events as k on k.signature = t.signature and k.ordinal = t.ordinal
        where t.market = any (v_markets) and t.traded_at = any (p_times)
          and k.xmin = pg_current_xact_id()::xid
    ),
    of_markets as (
        update public.chain_markets as m
        set shares_yes = m.shares_yes - n.yes, shares_no = m.shares_no - n.no
        from (
            select l.market, sum(l.shares_yes) as yes, sum(l.shares_no) as no
            from late as l
            join public.chain_markets as c on c.market = l.market
            where l.place <= c.base_order
            group by l.market
        ) as n
        where m.market = n.market
    )
    update public.chain_positions as p
    set shares_yes = p.shares_yes - n.yes, shares_no = p.shares_no - n.no
    from (
        select l.market, l.wallet, sum(l.shares_yes) as yes, sum(l.shares_no) as no
        from late as l
        join public.chain_positions as c on c.market = l.market and c.wallet = l.wallet
        where l.place <= c.base_order
        group by l.market, l.wallet
    ) as n
    where p.market = n.market and p.wallet = n.wallet;
end;
$$;

CREATE FUNCTION public.tidy_closed_markets(p_except uuid[], p_markets integer, p_orders integer, p_now timestamp with time zone) RETURNS TABLE(halted uuid[], released integer)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    SET work_mem TO '64MB'
    SET plan_cache_mode TO 'force_custom_plan'
    AS $$
declare
    v_now      timestamptz := public.effective_now(p_now);
    v_markets  uuid[];
    v_halted   uuid[];
    v_released integer;
begin
    v_markets := array(
        select m.id from public.markets as m
        where m.state in ('ACTIVE', 'RESOLVING', 'DISPUTED') and m.venue = 'native'
          and m.closes_at <= v_now and m.trading_status <> 'halted' and m.id <> all (p_except)
        order by m.id
        limit p_markets
        for no key update of m skip locked
    );
    select count(*) into v_released
    from public.release_orders(
        array(select o.id from public.orders as o
              where o.market_id = any (v_markets) and o.is_open
              order by o.market_id, o.seq limit p_orders),
        'cancelled', v_now);
    with done as (
        update public.markets as m
        set trading_status = 'halted', updated_at = v_now
        where m.id = any (v_markets)
          and not exists (select from public.orders as o where o.market_id = m.id and o.is_open)
        returning m.id
    ),
    said as (
        insert into public.outbox (topic, market_id, payload, created_at)
        select 'trading_status', d.id, '{"tradingStatus": "halted"}', v_now from done as d
    )
    select array_agg(d.id) into v_halted from done as d;
    return query select coalesce(v_halted, '{}'), v_released;
end;
$$;

CREATE FUNCTION public.toggle_bookmark(p_market_id uuid, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS TABLE(bookmarked boolean, bookmark_count bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_actor uuid := public.actor_id();
    v_on    boolean;
    v_count bigint;
begin
    perform public.lock_audience(p_market_id);
    delete from public.bookmarks b where b.user_id = v_actor and b.market_id = p_market_id;
    v_on := not found;
    if v_on then
        insert into public.bookmarks (user_id, market_id, created_at)
        values (v_actor, p_market_id, p_now);
    end if;
    update public.market_audience a
    set bookmark_count = a.bookmark_count + case when v_on then 1 else -1 end
    where a.market_id = p_market_id
    returning a.bookmark_count into v_count;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (v_actor, 'bookmark_market', 'market', p_market_id::text, p_request_id, p_ip,
            jsonb_build_object('bookmarked', v_on), p_now);
    return query select v_on, v_count;
end;
$$;

CREATE FUNCTION public.toggle_follow(p_market_id uuid, p_on_trade boolean, p_on_resolve boolean, p_on_close boolean, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS TABLE(following boolean, notify_on_trade boolean, notify_on_resolve boolean, notify_on_close boolean, follower_count bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
    v_actor   uuid := public.actor_id();
    v_trade   boolean;
    v_resolve boolean;
    v_close   boolean;
    v_known   boolean;
    v_change  integer := 0;
    v_count   bigint;
begin
    perform public.lock_audience(p_market_id);
    select f.notify_on_trade, f.notify_on_resolve, f.notify_on_close
    into v_trade, v_resolve, v_close
    from public.follows as f
    where f.user_id = v_actor and f.market_id = p_market_id;
    v_known := found;
    if v_known and (coalesce(p_on_trade, v_trade), coalesce(p_on_resolve, v_resolve),
                    coalesce(p_on_close, v_close)) = (v_trade, v_resolve, v_close) then
        delete from public.follows as f where f.user_id = v_actor and f.market_id = p_market_id;
        v_change := -1;
    else
        v_trade := coalesce(p_on_trade, v_trade, true);
        v_resolve := coalesce(p_on_resolve, v_resolve, true);
        v_close := coalesce(p_on_close, v_close, true);
        insert into public.follows as f
            (user_id, market_id, notify_on_trade, notify_on_resolve, notify_on_close, created_at)
        values (v_actor, p_market_id, v_trade, v_resolve, v_close, p_now)
        on conflict (user_id, market_id) do update set
            notify_on_trade = excluded.notify_on_trade,
            notify_on_resolve = excluded.notify_on_resolve,
            notify_on_close = excluded.notify_on_close;
        v_change := case when v_known then 0 else 1 end;
    end if;
    update public.market_audience as a set follower_count = a.follower_count + v_change
    where a.market_id = p_market_id
    returning a.follower_count into v_count;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (v_actor, 'follow_market', 'market', p_market_id::text, p_request_id, p_ip,
            jsonb_build_object('following', v_change >= 0, 'trade', v_trade, 'resolve', v_resolve,
                               'close', v_close), p_now);
    return query select v_change >= 0, v_trade and v_change >= 0, v_resolve and v_change >= 0,
        v_close and v_change >= 0, v_count;
end;
$$;

CREATE FUNCTION public.toggle_like(p_comment_id bigint, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS TABLE(comment_id bigint, liked boolean, like_count bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
    v_actor   uuid := public.actor_id();
    v_comment public.comments;
    v_on      boolean;
    v_count   bigint;
begin
    select c.* into v_comment from public.comments as c
    where c.id = p_comment_id
    for no key update;
    if not found then
        raise exception using errcode = 'PR404', column = 'comment_id',
            message = 'there is no such comment';
    elsif v_comment.deleted_at is not null then
        raise exception using errcode = 'PR410', column = 'comment_id',
            message = 'the comment was deleted';
    end if;
    delete from public.comment_likes as k
    where k.comment_id = p_comment_id and k.user_id = v_actor;
    v_on := not found;
    if v_on then
        insert into public.comment_likes values (p_comment_id, v_actor, p_now);
    end if;
    update public.comments as c
    set like_count = c.like_count + case when v_on then 1 else -1 end
    where c.id = p_comment_id
    returning c.like_count into v_count;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (v_actor, 'like_comment', 'comment', p_comment_id::text, p_request_id, p_ip,
            jsonb_build_object('liked', v_on), p_now);
    return query select p_comment_id, v_on, v_count;
end;
$$;

CREATE FUNCTION public.unlink_venue(p_venue text, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_actor uuid := public.actor_id();
begin
    if v_actor is null then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    delete from public.venue_credentials as c where c.user_id = v_actor and c.venue = p_venue;
    if not found then
        return false;
    end if;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, created_at)
    values (v_actor, 'unlink_' || p_venue, 'venue_credentials', p_venue, p_request_id, p_ip, p_now);
    return true;
end;
$$;

CREATE FUNCTION public.update_profile(p_changes jsonb, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS TABLE(id uuid, address text, display_name text, language text, email text, email_pending text, is_mail_due boolean, retry_after_s integer)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
    c_per_user    constant integer  := 3;
    c_per_address constant integer  := 6;
    c_hour        constant interval := interval '1 hour';
    v_email   text := p_changes ->> 'email';
    v_user    public.users;
    v_is_due  boolean;
    v_sent    timestamptz[];
    v_until   timestamptz;
    v_changes jsonb := p_changes - 'email';
begin
    select u.* into v_user from public.users as u
    where u.id = public.actor_id()
    for no key update;
    if not found then
        raise exception using errcode = 'PR401', message = 'no user is signed in';
    end if;
    v_is_due := v_email is not null and v_email is distinct from v_user.email;
    if v_is_due then
        v_sent := array(
            select s.at from unnest(v_user.email_sent_at) as s (at)
            where s.at > p_now - c_hour
            order by s.at);
        if cardinality(v_sent) >= c_per_user then
            v_until := v_sent[1] + c_hour;
        else
            insert into public.login_attempts as a (bucket, window_start, attempts)
            values (
                'email:' || encode(sha256(convert_to(lower(v_email), 'UTF8')), 'hex'),
                date_trunc('hour', p_now), 1
            )
            on conflict (bucket, window_start) do update set attempts = a.attempts + 1
                where a.attempts < c_per_address;
            if not found then
                v_until := date_trunc('hour', p_now) + c_hour;
            end if;
        end if;
    end if;
    if v_until is not null then
        return query select v_user.id, v_user.address, v_user.display_name, v_user.language,
            v_user.email, v_user.email_pending, false,
            greatest(1, ceil(extract(epoch from v_until - p_now)))::integer;
        return;
    end if;

    update public.users as u
    set display_name = case when p_changes ? 'display_name' then p_changes ->> 'display_name'
                            else u.display_name end,
        language = coalesce(p_changes ->> 'language', u.language),
        email = case when p_changes ? 'email' and v_email is null then null else u.email end,
        email_pending = case when not p_changes ? 'email' then u.email_pending
                             when v_is_due then v_email end,
        email_sent_at = case when v_is_due then v_sent || p_now else u.email_sent_at end
    where u.id = v_user.id
    returning u.* into v_user;

    if p_changes ? 'email' then
        v_changes := v_changes || jsonb_build_object(
            'email', case when v_email is null then 'removed'
                          when v_is_due then 'pending'
                          else 'kept' end);
    end if;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_user.id, 'update_profile', 'user', v_user.id::text, p_request_id, p_ip, v_changes, p_now
    );
    return query select v_user.id, v_user.address, v_user.display_name, v_user.language,
        v_user.email, v_user.email_pending, v_is_due, null::integer;
end;
$$;

CREATE FUNCTION public.update_user(p_user_id uuid, p_role text, p_closed_only boolean, p_reason text, p_request_id text, p_ip text, p_now timestamp with time zone) RETURNS TABLE(id uuid, address text, display_name text, role text, closed_only boolean, created_at timestamp with time zone, cancelled_orders integer, more_orders boolean, hashes bytea[])
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
    c_max_orders   constant integer := 1000;
    c_max_sessions constant integer := 1000;
    v_actor      uuid := public.actor_id();
    v_actor_role text;
    v_supers     integer;
    v_old        public.users;
    v_new        public.users;
    v_orders     uuid[];
    v_cancelled  integer := 0;
begin
    if p_role is null and p_closed_only is null then
        raise exception using errcode = 'PR400', column = 'role',
            message = 'give a role, closedOnly or both';
    end if;
    select count(*) filter (where l.role = 'super_admin'),
           max(l.role) filter (where l.id = v_actor)
    into v_supers, v_actor_role
    from (
        select u.id, u.role from public.users as u
        where u.role = 'super_admin' or u.id in (p_user_id, v_actor)
        order by u.id
        for no key update
    ) as l;
    select u.* into v_old from public.users as u where u.id = p_user_id;
    if coalesce(v_actor_role, 'user') = 'user' then
        raise exception using errcode = 'PR403', message = 'only an admin may do this';
    elsif v_old.id is null then
        raise exception using errcode = 'PR404', column = 'user_id',
            message = 'there is no such user';
    elsif v_actor_role <> 'super_admin' and 'super_admin' in (v_old.role, p_role) then
        raise exception using errcode = 'PR403', message = 'only a super_admin may do this';
    elsif v_old.role = 'super_admin' and p_role <> 'super_admin' and v_supers = 1 then
        raise exception using errcode = 'PR409', column = 'role',
            message = 'the last super_admin stays';
    elsif p_user_id = v_actor then
        raise exception using errcode = 'PR403', message = 'nobody changes their own account';
    end if;

    update public.users as u set
        role = coalesce(p_role, u.role), closed_only = coalesce(p_closed_only, u.closed_only)
    where u.id = p_user_id
    returning u.* into v_new;
    if v_new.closed_only then
        select array_agg(s.id) into v_orders
        from (
            select o.id from public.orders as o
            where o.user_id = p_user_id and o.is_open and o.side = 'BUY'
            order by o.seq
            limit c_max_orders
        ) as s;
        perform from public.markets as m
        where m.id in (select o.market_id from public.orders as o where o.id = any (v_orders))
        order by m.id
        for no key update;
        select count(*) into v_cancelled
        from public.release_orders(v_orders, 'cancelled', public.effective_now(p_now));
    end if;
    insert into public.audit_log
        (actor_id, action, resource, resource_id, request_id, ip, changes, created_at)
    values (
        v_actor, 'update_user', 'user', p_user_id::text, p_request_id, p_ip,
        jsonb_build_object(
            'from', jsonb_build_object('role', v_old.role, 'closed_only', v_old.closed_only),
            'to', jsonb_build_object('role', v_new.role, 'closed_only', v_new.closed_only),
            'reason', p_reason, 'cancelled_orders', v_cancelled),
        p_now
    );
    return query
    select v_new.id, v_new.address, v_new.display_name, v_new.role, v_new.closed_only,
        v_new.created_at, v_cancelled, coalesce(cardinality(v_orders), 0) = c_max_orders,
        array(
            (select s.token_hash from public.sessions as s
             where s.user_id = p_user_id and s.revoked_at is null and s.expires_at > p_now
             order by s.created_at desc limit c_max_sessions)
            union all
            select k.key_hash from public.api_keys as k
            where k.user_id = p_user_id and k.revoked_at is null
              and (k.expires_at is null or k.expires_at > p_now)
        );
end;
$$;

CREATE FUNCTION public.used_key(p_actor_id uuid, p_route text, p_key text, p_request_hash bytea) RETURNS jsonb
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
    v_first record;
begin
    select k.request_hash, k.result into v_first
    from public.idempotency_keys as k
    where k.actor_id = p_actor_id and k.route = p_route and k.key = p_key;
    if not found then
        return null;
    elsif v_first.request_hash is distinct from p_request_hash then
        raise exception using errcode = 'PR411', column = 'idempotency_key',
            message = 'this key was used with another request';
    end if;
    return v_first.result;
end;
$$;

CREATE FUNCTION public.user_positions(p_wallet text, p_as_admin boolean, p_market_id uuid, p_outcome bigint, p_limit integer) RETURNS TABLE(market_id uuid, outcome smallint, yes_lots numeric, no_lots numeric, cost_micros numeric, realised_micros numeric)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    select p.market_id, p.outcome,
           coalesce(sum(p.held_lots) filter (where p.position = 'YES'), 0),
           coalesce(sum(p.held_lots) filter (where p.position = 'NO'), 0),
           sum(p.cost_micros), sum(p.realised_micros)
    from public.positions as p
    where p.user_id = (select public.readable_user(p_wallet, p_as_admin))
      and (p.held_lots > 0 or p.realised_micros <> 0)
      and (p_market_id is null
           or (p.market_id >= p_market_id and (p.market_id, p.outcome) > (p_market_id, p_outcome)))
    group by p.market_id, p.outcome
    order by p.market_id, p.outcome
    limit least(p_limit, 101)
$$;

CREATE FUNCTION public.user_profile(p_wallet text, p_as_admin boolean) RETURNS TABLE(display_name text, joined_at timestamp with time zone, trades bigint, volume_micros numeric, markets_traded bigint, votes bigint, open_positions bigint, profit_micros numeric)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    select u.display_name, u.created_at,
           case when r.id is not null then coalesce(t.trades, 0) end,
           case when r.id is not null then coalesce(t.volume_micros, 0) end,
           case when r.id is not null then p.markets end,
           case when r.id is not null then (
               select count(*) from public.votes as v where v.user_id = r.id) end,
           case when r.id is not null then p.open end,
           case when r.id is not null then coalesce(p.realised, 0) end
    from public.users as u
    cross join lateral (select public.readable_user(p_wallet, p_as_admin) as id) as r
    left join lateral (
        select sum(d.trade_count) as trades, sum(d.volume_micros) as volume_micros
        from public.user_daily_stats as d where d.user_id = r.id
    ) as t on true
    left join lateral (
        select count(distinct q.market_id) as markets, sum(q.realised_micros) as realised,
               count(distinct (q.market_id, q.outcome)) filter (where q.held_lots > 0) as open
        from public.positions as q where q.user_id = r.id
    ) as p on true
    where u.id = public.find_wallet(
        case when p_wallet like '0x%' then 'evm' else 'solana' end, p_wallet)
$$;

CREATE FUNCTION public.user_trades(p_wallet text, p_as_admin boolean, p_before_seq bigint, p_before_fill bigint, p_limit integer) RETURNS TABLE(seq bigint, fill_id bigint, market_id uuid, outcome smallint, "position" text, side text, is_taker boolean, price_bps integer, size_lots bigint, traded_at timestamp with time zone)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    with looked as materialized (
        select o.id, o.seq, o.market_id, o.outcome, o.position, o.side, o.filled_lots
        from public.orders as o
        where o.user_id = (select public.readable_user(p_wallet, p_as_admin))
          and (p_before_seq is null or o.seq <= p_before_seq)
        order by o.seq desc
        limit 500
    )
    (select o.seq, f.id, o.market_id, o.outcome, o.position::text, o.side::text, f.is_taker,
            case o.position when 'YES' then f.price_bps else 10000 - f.price_bps end,
            f.size_lots, f.created_at
     from looked as o
     cross join lateral (
         (select t.id, true as is_taker, t.price_bps::integer, t.size_lots, t.created_at
          from public.fills as t where t.taker_order_id = o.id)
         union all
         (select m.id, false, m.price_bps::integer, m.size_lots, m.created_at
          from public.fills as m where m.maker_order_id = o.id)
     ) as f
     where o.filled_lots > 0
       and (p_before_seq is null or (o.seq, f.id) < (p_before_seq, p_before_fill))
     order by o.seq desc, f.id desc
     limit least(p_limit, 101))
    union all
    (select min(o.seq), null, null, null, null, null, null, null, null, null
     from looked as o
     having count(*) = 500)
$$;

CREATE FUNCTION public.user_votes(p_wallet text, p_as_admin boolean, p_before timestamp with time zone, p_before_id uuid, p_limit integer) RETURNS TABLE(id uuid, market_id uuid, kind text, vote boolean, voted_at timestamp with time zone)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    select v.id, v.market_id, v.kind, v.vote, v.created_at
    from public.votes as v
    where v.user_id = (select public.readable_user(p_wallet, p_as_admin))
      and (p_before is null
           or (v.created_at <= p_before and (v.created_at, v.id) < (p_before, p_before_id)))
    order by v.created_at desc, v.id desc
    limit least(p_limit, 101)
$$;

CREATE FUNCTION public.void_payout(p_market_id uuid) RETURNS integer[]
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    select array_agg(10000 / n.sides + case when i <= 10000 % n.sides then 1 else 0 end order by i)
    from (
        select case m.market_type when 'binary' then 2 else (
            select count(*)::integer from public.outcomes as o where o.market_id = m.id) end as sides
        from public.markets as m
        where m.id = p_market_id
    ) as n
    cross join lateral generate_series(1, n.sides) as i
$$;

CREATE FUNCTION public.vote_outcome(p_kind text, p_yes numeric, p_no numeric, p_votes bigint) RETURNS TABLE(percentage_bps integer, threshold_bps integer, passed boolean)
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    AS $$
    select s.share, r.threshold, s.share >= r.threshold and p_votes >= r.least_votes
    from (select coalesce(trunc(p_yes * 10000 / nullif(p_yes + p_no, 0)), 0)::integer as share) as s
    join (values ('proposal', 7000, 10), ('dispute', 6000, 1)) as r (kind, threshold, least_votes)
        on r.kind = p_kind
$$;

CREATE FUNCTION public.wallet_is_known(p_wallet text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    select public.find_wallet(
            case when p_wallet like '0x%' then 'evm' else 'solana' end, p_wallet) is not null
        or exists (select from public.chain_events as e where e.wallet = p_wallet)
$$;

CREATE FUNCTION public.wallet_of(p_user_id uuid) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
    select u.address from public.users u where u.id = p_user_id
$$;

CREATE FUNCTION public.wallet_shares_traded(p_market text, p_wallet text, p_after bigint[], p_since timestamp with time zone) RETURNS TABLE(yes numeric, no numeric)
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS $$
    select coalesce(sum(t.shares_yes), 0), coalesce(sum(t.shares_no), 0)
    from public.chain_trades as t
    where t.wallet = p_wallet collate "C" and t.market = p_market collate "C" and t.place > p_after
      and t.traded_at >= p_since
$$;

CREATE FUNCTION public.why_not_trading(p_venue text, p_state text, p_trading_status text, p_opens_at timestamp with time zone, p_closes_at timestamp with time zone, p_post_only boolean, p_now timestamp with time zone) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO ''
    AS $$
begin
    return case
        when p_venue = 'solana'
            then 'the market trades on Solana: use /trades/buy and /trades/sell'
        when p_venue <> 'native' then 'the market does not trade here'
        when p_state <> 'ACTIVE' then 'the market is ' || p_state
        when p_opens_at > p_now then 'the market has not opened yet'
        when p_closes_at <= p_now then 'the market has closed'
        when p_trading_status in ('cancel_only', 'halted') then 'trading is ' || p_trading_status
        when p_trading_status = 'post_only' and p_post_only is not true
            then 'the market takes only post-only orders'
    end;
end;
$$;

CREATE FUNCTION public.winning_payout(p_market_id uuid, p_outcome text) RETURNS integer[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
    v_found record;
    v_sides integer;
begin
    if p_outcome = 'VOID' then
        return public.void_payout(p_market_id);
    end if;
    select f.outcome, f.position, m.market_type into v_found
    from public.find_outcome(p_market_id::text, p_outcome, null) f
    join public.markets m on m.id = f.market_id;
    if v_found.market_type = 'binary' then
        return case v_found.position when 'YES' then array[10000, 0] else array[0, 10000] end;
    end if;
    select count(*) into v_sides from public.outcomes o where o.market_id = p_market_id;
    return array(
        select case when i = v_found.outcome then 10000 else 0 end
        from generate_series(0, v_sides - 1) as i
        order by i
    );
end;
$$;

CREATE FUNCTION public.write_fills(p_fills public.fill_draft[], p_market_id uuid, p_outcome smallint, p_order_id uuid, p_taker_id uuid, p_side text, p_position text, p_fee_bps integer, p_maker_rebate_bps integer, p_now timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
    v_fill   public.fill_draft;
    v_amount bigint;
    v_new    integer := 0;
begin
    foreach v_fill in array p_fills loop
        insert into public.fills (
            id, market_id, outcome, taker_order_id, maker_order_id, taker_id, maker_id, kind,
            taker_side, taker_position, price_bps, size_lots, fee_bps, maker_rebate_bps,
            rebate_micros, created_at
        ) values (
            v_fill.fill_id, p_market_id, p_outcome, p_order_id, v_fill.maker_order_id, p_taker_id,
            v_fill.maker_id, v_fill.kind, p_side, p_position, v_fill.price_bps, v_fill.size_lots,
            p_fee_bps, p_maker_rebate_bps, v_fill.rebate_micros, p_now
        );
        update public.orders as o set
            filled_lots = o.filled_lots + v_fill.size_lots,
            remaining_lots = v_fill.maker_left_lots,
            status = case when v_fill.maker_left_lots = 0 then 'filled' else 'partial' end,
            is_open = v_fill.maker_left_lots > 0,
            updated_at = p_now
        where o.id = v_fill.maker_order_id;
        v_amount := v_fill.size_lots * v_fill.maker_price_bps;
        if v_fill.maker_side = 'BUY' then
            v_new := v_new + public.add_shares(p_market_id, v_fill.maker_id, p_outcome,
                v_fill.maker_position, v_fill.size_lots, v_amount, v_fill.rebate_micros, p_now);
        else
            update public.positions as p set
                held_lots = p.held_lots - v_fill.size_lots,
                locked_lots = p.locked_lots - v_fill.size_lots,
                cost_micros = p.cost_micros - div(p.cost_micros::numeric * v_fill.size_lots, p.held_lots),
                realised_micros = p.realised_micros + v_amount + v_fill.rebate_micros
                    - div(p.cost_micros::numeric * v_fill.size_lots, p.held_lots),
                updated_at = p_now
            where p.market_id = p_market_id and p.user_id = v_fill.maker_id
              and p.outcome = p_outcome and p.position = v_fill.maker_position;
        end if;
    end loop;
    return v_new;
end;
$$;

CREATE FUNCTION public.write_orders(p_orders public.order_draft[], p_taker_id uuid, p_now timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO ''
    SET enable_seqscan TO 'off'
    AS $$
declare
    v_traders integer;
    v_ids     uuid[];
begin
    -- The taker's sales first: what the batch buys does not fund what it sells.
    if exists (select from unnest(p_orders) as o where o.side = 'SELL') then
        update public.positions as p set
            held_lots = p.held_lots - s.filled,
            locked_lots = p.locked_lots + s.rest,
            cost_micros = p.cost_micros - div(p.cost_micros::numeric * s.filled, p.held_lots),
            realised_micros = p.realised_micros + s.gain
                - div(p.cost_micros::numeric * s.filled, p.held_lots),
            updated_at = p_now
        from (
            select o.market_id, o.outcome, o.position, sum(o.filled_lots)::bigint as filled,
                   sum(o.rest_lots)::bigint as rest, sum(o.size_lots) as size,
                   sum(o.cost_micros - o.fee_micros)::bigint as gain
            from unnest(p_orders) as o
            where o.side = 'SELL'
            group by o.market_id, o.outcome, o.position
        ) as s
        where p.market_id = s.market_id and p.user_id = p_taker_id and p.outcome = s.outcome
          and p.position = s.position
          and p.held_lots - p.locked_lots >= case when cardinality(p_orders) = 1 then s.size
                                                  else s.filled + s.rest end;
        if not found then
            raise exception using errcode = 'PR402',
                message = 'the available shares do not cover this order';
        end if;
    end if;

    insert into public.orders (
        id, user_id, account_id, market_id, outcome, position, side, type, price_bps, size_lots,
        amount_micros, post_only, self_trade_prevention, client_order_id, request_hash,
        expires_at, book_side, book_price_bps, status, is_open, filled_lots, remaining_lots,
        placed_status, placed_filled_lots, placed_cost_micros, fee_micros, created_at, updated_at
    )
    select o.order_id, p_taker_id, o.account_id, o.market_id, o.outcome, o.position, o.side,
           o.type, o.price_bps, o.size_lots, o.amount_micros, o.post_only,
           o.self_trade_prevention, o.client_order_id, o.request_hash, o.expires_at,
           case when o.is_bid then 'bid' else 'ask' end, o.book_price_bps, o.status,
           o.rest_lots > 0, o.filled_lots, o.rest_lots, o.status, o.filled_lots, o.cost_micros,
           o.fee_micros, p_now, p_now
    from unnest(p_orders) as o;

    v_ids := array(select i from unnest(p_orders) as o cross join lateral unnest(o.dropped) as i);
    if cardinality(v_ids) > 0 then
        perform public.release_orders(v_ids, 'cancelled', p_now);
    end if;
    v_ids := array(select i from unnest(p_orders) as o cross join lateral unnest(o.expired) as i);
    if cardinality(v_ids) > 0 then
        perform public.release_orders(v_ids, 'expired', p_now);
    end if;

    with moved as (
        insert into public.transfers
            (debit_account, credit_account, amount_micros, kind, reference, market_id, created_at)
        select t.debit_account, t.credit_account, sum(t.amount_micros), t.kind, o.order_id,
               o.market_id, p_now
        from unnest(p_orders) as o
        cross join lateral unnest(o.transfers) as t
        group by o.order_id, o.market_id, t.debit_account, t.credit_account, t.kind
        returning debit_account, credit_account, amount_micros
    )
    update public.accounts as a set balance_micros = a.balance_micros + s.delta
    from (
        select d.account, sum(d.delta)::bigint as delta
        from (
            select m.debit_account as account, -m.amount_micros as delta from moved as m
            union all
            select m.credit_account, m.amount_micros from moved as m
        ) as d
        group by d.account
    ) as s
    where a.id = s.account and s.delta <> 0;

    if exists (select from unnest(p_orders) as o where o.filled_lots > 0) then
        v_traders := public.write_trades(p_orders, p_taker_id, p_now);
    end if;

    insert into public.outbox (topic, market_id, payload, created_at)
    select 'order', o.market_id, jsonb_build_object(
        'order', jsonb_build_object(
            'order_id', o.order_id, 'user_id', p_taker_id, 'outcome', o.outcome,
            'position', o.position, 'side', o.side, 'price_bps', o.price_bps,
            'size_lots', o.size_lots, 'status', o.status, 'filled_lots', o.filled_lots,
            'remaining_lots', o.rest_lots, 'client_order_id', o.client_order_id),
        'fills', coalesce((
            select jsonb_agg(jsonb_build_object(
                'fill_id', f.fill_id, 'maker_order_id', f.maker_order_id,
                'maker_id', f.maker_id, 'price_bps', f.price_bps, 'size_lots', f.size_lots,
                'kind', f.kind, 'maker_remaining_lots', f.maker_left_lots))
            from unnest(o.fills) as f), '[]'::jsonb)), p_now
    from unnest(p_orders) as o;
    return cardinality(p_orders);
end;
$$;

CREATE FUNCTION public.write_trades(p_orders public.order_draft[], p_taker_id uuid, p_now timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO ''
    SET enable_seqscan TO 'off'
    AS $$
declare
    v_traders integer;
begin
    insert into public.fills (
        id, market_id, outcome, taker_order_id, maker_order_id, taker_id, maker_id, kind,
        taker_side, taker_position, price_bps, size_lots, fee_bps, maker_rebate_bps,
        rebate_micros, created_at
    )
    select f.fill_id, o.market_id, o.outcome, o.order_id, f.maker_order_id, p_taker_id, f.maker_id,
           f.kind, o.side, o.position, f.price_bps, f.size_lots, o.fee_bps, o.maker_rebate_bps,
           f.rebate_micros, p_now
    from unnest(p_orders) as o
    cross join lateral unnest(o.fills) as f;

    update public.orders as o set
        filled_lots = o.filled_lots + s.lots,
        remaining_lots = s.left_lots,
        status = case when s.left_lots = 0 then 'filled' else 'partial' end,
        is_open = s.left_lots > 0,
        updated_at = p_now
    from (
        select f.maker_order_id, sum(f.size_lots)::bigint as lots, min(f.maker_left_lots) as left_lots
        from unnest(p_orders) as d
        cross join lateral unnest(d.fills) as f
        group by f.maker_order_id
    ) as s
    where o.id = s.maker_order_id;

    with buyers as (
        select distinct o.market_id, b.user_id
        from unnest(p_orders) as o
        cross join lateral (
            select f.maker_id as user_id from unnest(o.fills) as f where f.maker_side = 'BUY'
            union all
            select p_taker_id where o.side = 'BUY' and o.filled_lots > 0
        ) as b
    ),
    newcomers as materialized (
        select b.market_id, count(*)::integer as traders
        from buyers as b
        where not exists (
            select from public.positions as p
            where p.market_id = b.market_id and p.user_id = b.user_id)
        group by b.market_id
    ),
    traded as materialized (
        select o.market_id, o.outcome, f.fill_id, f.price_bps, f.size_lots
        from unnest(p_orders) as o
        cross join lateral unnest(o.fills) as f
    ),
    books as materialized (
        select t.market_id, t.outcome, (array_agg(t.price_bps order by t.fill_id))[1] as open_bps,
               max(t.price_bps) as high_bps, min(t.price_bps) as low_bps,
               (array_agg(t.price_bps order by t.fill_id desc))[1] as close_bps,
               sum(t.size_lots * t.price_bps)::bigint as volume_micros,
               sum(t.size_lots)::bigint as volume_lots, count(*)::integer as trades
        from traded as t
        group by t.market_id, t.outcome
    ),
    barred as (
        insert into public.price_bars as b (
            market_id, outcome, interval_s, bucket, open_bps, high_bps, low_bps, close_bps,
            volume_micros, volume_lots, trade_count
        )
        select k.market_id, k.outcome, i.seconds, i.bucket, k.open_bps, k.high_bps, k.low_bps,
               k.close_bps, k.volume_micros, k.volume_lots, k.trades
        from books as k
        cross join (
            values (300, date_bin('5 minutes', p_now, 'epoch')),
                   (3600, date_bin('1 hour', p_now, 'epoch'))
        ) as i (seconds, bucket)
        on conflict (market_id, outcome, interval_s, bucket) do update set
            high_bps = greatest(b.high_bps, excluded.high_bps),
            low_bps = least(b.low_bps, excluded.low_bps),
            close_bps = excluded.close_bps,
            volume_micros = b.volume_micros + excluded.volume_micros,
            volume_lots = b.volume_lots + excluded.volume_lots,
            trade_count = b.trade_count + excluded.trade_count
    ),
    priced as (
        update public.outcomes as c set
            last_price_bps = k.close_bps,
            volume_micros = c.volume_micros + k.volume_micros,
            trade_count = c.trade_count + k.trades
        from books as k
        where c.market_id = k.market_id and c.outcome = k.outcome
    ),
    counted as (
        update public.market_counters as c set
            volume_micros = c.volume_micros + k.volume,
            trade_count = c.trade_count + k.trades,
            unique_traders = c.unique_traders + coalesce(n.traders, 0),
            last_trade_at = p_now
        from (
            select b.market_id, sum(b.volume_micros)::bigint as volume, sum(b.trades) as trades
            from books as b
            group by b.market_id
        ) as k
        left join newcomers as n on n.market_id = k.market_id
        where c.market_id = k.market_id
    )
    select coalesce(sum(n.traders), 0) into v_traders from newcomers as n;

    update public.positions as p set
        held_lots = p.held_lots - s.lots,
        locked_lots = p.locked_lots - s.lots,
        cost_micros = p.cost_micros - div(p.cost_micros::numeric * s.lots, p.held_lots),
        realised_micros = p.realised_micros + s.gain
            - div(p.cost_micros::numeric * s.lots, p.held_lots),
        updated_at = p_now
    from (
        select o.market_id, o.outcome, f.maker_id, f.maker_position, sum(f.size_lots)::bigint as lots,
               sum(f.size_lots * f.maker_price_bps + f.rebate_micros)::bigint as gain
        from unnest(p_orders) as o
        cross join lateral unnest(o.fills) as f
        where f.maker_side = 'SELL'
        group by o.market_id, o.outcome, f.maker_id, f.maker_position
    ) as s
    where p.market_id = s.market_id and p.user_id = s.maker_id and p.outcome = s.outcome
      and p.position = s.maker_position;

    insert into public.positions as p
        (market_id, user_id, outcome, position, held_lots, cost_micros, realised_micros, updated_at)
    select b.market_id, b.user_id, b.outcome, b.position, sum(b.lots), sum(b.cost), sum(b.gain), p_now
    from (
        select o.market_id, f.maker_id as user_id, o.outcome, f.maker_position as position,
               f.size_lots as lots, f.size_lots * f.maker_price_bps as cost, f.rebate_micros as gain
        from unnest(p_orders) as o
        cross join lateral unnest(o.fills) as f
        where f.maker_side = 'BUY'
        union all
        select o.market_id, p_taker_id, o.outcome, o.position, o.filled_lots, o.cost_micros,
               -o.fee_micros
        from unnest(p_orders) as o
        where o.side = 'BUY' and o.filled_lots > 0
    ) as b
    group by b.market_id, b.user_id, b.outcome, b.position
    on conflict (market_id, user_id, outcome, position) do update set
        held_lots = p.held_lots + excluded.held_lots,
        cost_micros = p.cost_micros + excluded.cost_micros,
        realised_micros = p.realised_micros + excluded.realised_micros,
        updated_at = excluded.updated_at;
    return v_traders;
end;
$$;

CREATE SEQUENCE public.account_ids
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE public.accounts (
    id bigint NOT NULL,
    kind public.account_kind NOT NULL,
    user_id uuid,
    market_id uuid,
    balance_micros bigint DEFAULT 0 NOT NULL,
    CONSTRAINT accounts_never_go_below_zero CHECK (((balance_micros >= 0) OR ((kind)::text = 'external'::text))),
    CONSTRAINT accounts_of_people_are_above_zero CHECK (((id > 0) = (user_id IS NOT NULL)))
)
WITH (fillfactor='50');

CREATE TABLE public.aggregation_results (
    id bigint NOT NULL,
    market_id uuid NOT NULL,
    kind text NOT NULL,
    yes numeric(40,0) NOT NULL,
    no numeric(40,0) NOT NULL,
    percentage_bps integer NOT NULL,
    passed boolean NOT NULL,
    purpose text,
    signature text,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT aggregation_results_share_is_one CHECK (((percentage_bps >= 0) AND (percentage_bps <= 10000)))
);

ALTER TABLE public.aggregation_results ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.aggregation_results_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.api_keys (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    name text NOT NULL,
    prefix text NOT NULL,
    key_hash bytea NOT NULL,
    scopes text[] NOT NULL,
    ip_allow_list cidr[] DEFAULT '{}'::cidr[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    last_used_at timestamp with time zone,
    revoked_at timestamp with time zone,
    CONSTRAINT api_keys_allow_at_most_twenty_networks CHECK ((cardinality(ip_allow_list) <= 20)),
    CONSTRAINT api_keys_end_after_they_start CHECK ((expires_at > created_at)),
    CONSTRAINT api_keys_for_services_do_nothing_else CHECK (((NOT ('service'::text = ANY (scopes))) OR (cardinality(scopes) = 1))),
    CONSTRAINT api_keys_hash_is_sha256 CHECK ((length(key_hash) = 32)),
    CONSTRAINT api_keys_name_is_short CHECK (((length(name) >= 1) AND (length(name) <= 100))),
    CONSTRAINT api_keys_scopes_are_known CHECK (((cardinality(scopes) > 0) AND (scopes <@ ARRAY['read'::text, 'trade'::text, 'admin'::text, 'service'::text])))
);

CREATE TABLE public.audit_log (
    id bigint NOT NULL,
    actor_id uuid,
    action text NOT NULL,
    resource text NOT NULL,
    resource_id text,
    request_id text,
    ip text,
    changes jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL
);

ALTER TABLE public.audit_log ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.audit_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.auth_challenges (
    nonce text NOT NULL,
    address text NOT NULL,
    chain text NOT NULL,
    message text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    consumed_at timestamp with time zone,
    CONSTRAINT auth_challenges_nonce_is_long CHECK ((length(nonce) >= 16))
);

CREATE TABLE public.bookmarks (
    user_id uuid NOT NULL,
    market_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL
);

CREATE TABLE public.chain_addresses (
    market text NOT NULL COLLATE pg_catalog."C",
    market_id uuid NOT NULL,
    address text NOT NULL COLLATE pg_catalog."C"
);

CREATE TABLE public.chain_config (
    is_only boolean DEFAULT true NOT NULL,
    admin text,
    backend_authority text,
    protocol_fee_bps integer,
    resolver_reward_bps integer,
    liquidity_provider_fee_bps integer,
    proposal_approval_threshold integer,
    dispute_success_threshold integer,
    min_resolution_delay bigint,
    dispute_period bigint,
    is_paused boolean,
    CONSTRAINT chain_config_is_the_only_one CHECK (is_only)
);

CREATE TABLE public.chain_cursors (
    programme text NOT NULL,
    slot bigint NOT NULL,
    signature text NOT NULL,
    updated_at timestamp with time zone NOT NULL
);

CREATE TABLE public.chain_markets (
    market text NOT NULL COLLATE pg_catalog."C",
    market_id uuid NOT NULL,
    creator text,
    state text DEFAULT 'PROPOSED'::text NOT NULL,
    state_order bigint[] DEFAULT '{0,0,0}'::bigint[] NOT NULL,
    b_parameter numeric(20,0),
    initial_liquidity numeric(20,0),
    shares_yes numeric(40,0) DEFAULT 0 NOT NULL,
    shares_no numeric(40,0) DEFAULT 0 NOT NULL,
    price_yes numeric(20,0),
    volume numeric(40,0) DEFAULT 0 NOT NULL,
    trades integer DEFAULT 0 NOT NULL,
    likes bigint,
    dislikes bigint,
    resolver text,
    proposed_outcome boolean,
    final_outcome boolean,
    evidence_hash text,
    dispute_initiator text,
    was_disputed boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone,
    approved_at timestamp with time zone,
    activated_at timestamp with time zone,
    resolved_at timestamp with time zone,
    disputed_at timestamp with time zone,
    finalized_at timestamp with time zone,
    cancelled_at timestamp with time zone,
    address text,
    state_signature text,
    price_order bigint[],
    base_order bigint[] DEFAULT '{0,0,0}'::bigint[] NOT NULL,
    base_yes numeric(20,0) DEFAULT 0 NOT NULL,
    base_no numeric(20,0) DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE public.chain_positions (
    market text NOT NULL COLLATE pg_catalog."C",
    wallet text NOT NULL COLLATE pg_catalog."C",
    shares_yes numeric(40,0) DEFAULT 0 NOT NULL,
    shares_no numeric(40,0) DEFAULT 0 NOT NULL,
    paid numeric(40,0) DEFAULT 0 NOT NULL,
    received numeric(40,0) DEFAULT 0 NOT NULL,
    trades integer DEFAULT 0 NOT NULL,
    claimed numeric(40,0) DEFAULT 0 NOT NULL,
    has_claimed boolean DEFAULT false NOT NULL,
    base_order bigint[]
)
WITH (fillfactor='60');

CREATE VIEW public.chain_holdings WITH (security_invoker='true') AS
 SELECT p.market,
    p.wallet,
    m.market_id,
    m.state,
    p.shares_yes,
    p.shares_no,
    p.paid,
    p.received,
    p.claimed,
    p.has_claimed,
    p.trades,
    o.is_open,
        CASE
            WHEN o.is_open THEN (p.paid - p.received)
            ELSE (0)::numeric
        END AS cost,
        CASE
            WHEN (NOT o.is_open) THEN ((p.received + p.claimed) - p.paid)
            ELSE NULL::numeric
        END AS profit
   FROM ((public.chain_positions p
     JOIN public.chain_markets m ON ((m.market = p.market)))
     CROSS JOIN LATERAL ( SELECT ((NOT p.has_claimed) AND
                CASE
                    WHEN ((m.state = 'FINALIZED'::text) AND m.final_outcome) THEN (p.shares_yes > (0)::numeric)
                    WHEN ((m.state = 'FINALIZED'::text) AND (NOT m.final_outcome)) THEN (p.shares_no > (0)::numeric)
                    ELSE ((p.shares_yes > (0)::numeric) OR (p.shares_no > (0)::numeric))
                END) AS is_open) o);

CREATE TABLE public.chain_incomplete (
    signature text NOT NULL,
    slot bigint NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    next_attempt_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL
);

CREATE VIEW public.chain_trades WITH (security_invoker='true') AS
 SELECT signature,
    ordinal,
    slot,
    tx_index,
    market,
    wallet,
        CASE event_type
            WHEN 'SharesBought'::text THEN 'buy'::text
            ELSE 'sell'::text
        END AS side,
    ((data ->> 'outcome'::text))::boolean AS outcome,
    ((data ->> 'shares'::text))::numeric(20,0) AS shares,
    (COALESCE((data ->> 'cost'::text), (data ->> 'proceeds'::text)))::numeric(20,0) AS amount,
    ((data ->> 'new_price_yes'::text))::numeric(20,0) AS price_yes,
    block_time AS traded_at,
        CASE
            WHEN ((data ->> 'outcome'::text))::boolean THEN ((
            CASE event_type
                WHEN 'SharesBought'::text THEN 1
                ELSE '-1'::integer
            END)::numeric * ((data ->> 'shares'::text))::numeric(20,0))
            ELSE (0)::numeric
        END AS shares_yes,
        CASE
            WHEN ((data ->> 'outcome'::text))::boolean THEN (0)::numeric
            ELSE ((
            CASE event_type
                WHEN 'SharesBought'::text THEN 1
                ELSE '-1'::integer
            END)::numeric * ((data ->> 'shares'::text))::numeric(20,0))
        END AS shares_no,
    ARRAY[slot, (tx_index)::bigint, (ordinal)::bigint] AS place
   FROM public.chain_events
  WHERE (event_type = ANY (ARRAY['SharesBought'::text, 'SharesSold'::text]));

CREATE TABLE public.chain_transactions (
    id uuid NOT NULL,
    purpose text NOT NULL,
    market_id uuid,
    signature text NOT NULL,
    raw bytea NOT NULL,
    last_valid_block_height bigint NOT NULL,
    status text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    error text,
    next_attempt_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT chain_transactions_status_is_known CHECK ((status = ANY (ARRAY['built'::text, 'sent'::text, 'confirmed'::text, 'finalized'::text, 'expired'::text, 'failed'::text])))
);

CREATE TABLE public.chain_votes (
    market text NOT NULL COLLATE pg_catalog."C",
    wallet text NOT NULL,
    kind text NOT NULL,
    vote boolean NOT NULL,
    voted_at timestamp with time zone NOT NULL,
    vote_order bigint[] DEFAULT '{0,0,0}'::bigint[] NOT NULL,
    CONSTRAINT chain_votes_kind_is_known CHECK ((kind = ANY (ARRAY['proposal'::text, 'dispute'::text])))
);

CREATE TABLE public.comment_likes (
    comment_id bigint NOT NULL,
    user_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL
);

CREATE TABLE public.comments (
    id bigint NOT NULL,
    market_id uuid NOT NULL,
    user_id uuid NOT NULL,
    thread_id bigint,
    parent_id bigint,
    depth smallint DEFAULT 0 NOT NULL,
    content text NOT NULL,
    like_count bigint DEFAULT 0 NOT NULL,
    reply_count bigint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    CONSTRAINT comments_are_counted_from_zero CHECK (((like_count >= 0) AND (reply_count >= 0))),
    CONSTRAINT comments_are_deleted_by_somebody CHECK (((deleted_at IS NULL) = (deleted_by IS NULL))),
    CONSTRAINT comments_are_one_to_five_thousand_characters CHECK (((char_length(content) >= 1) AND (char_length(content) <= 5000))),
    CONSTRAINT comments_go_three_replies_deep CHECK (((depth >= 0) AND (depth <= 3))),
    CONSTRAINT comments_of_a_thread_have_a_parent CHECK ((((thread_id IS NULL) = (depth = 0)) AND ((parent_id IS NULL) = (depth = 0))))
);

ALTER TABLE public.comments ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.comments_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.daily_reports (
    day date NOT NULL,
    facts jsonb NOT NULL,
    markdown text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    channels text[] DEFAULT '{}'::text[] NOT NULL
);

ALTER TABLE public.dead_letters ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.dead_letters_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.discrepancies (
    id bigint NOT NULL,
    market_id uuid,
    subject text NOT NULL,
    field text NOT NULL,
    ours text,
    theirs text,
    slot bigint NOT NULL,
    created_at timestamp with time zone NOT NULL
);

ALTER TABLE public.discrepancies ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.discrepancies_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.dispute_weights (
    market_id uuid NOT NULL,
    wallet text NOT NULL,
    weight numeric(40,0) NOT NULL,
    CONSTRAINT dispute_weights_are_not_negative CHECK ((weight >= (0)::numeric))
);

ALTER TABLE public.escalations ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.escalations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.exchange_rates (
    id bigint NOT NULL,
    base text NOT NULL,
    quote text NOT NULL,
    rate_micros bigint NOT NULL,
    source text NOT NULL,
    observed_at timestamp with time zone NOT NULL,
    set_by uuid,
    CONSTRAINT exchange_rates_convert_something CHECK ((base <> quote)),
    CONSTRAINT exchange_rates_lie_within_reason CHECK (((rate_micros >= 1) AND (rate_micros <= '1000000000000'::bigint))),
    CONSTRAINT exchange_rates_name_a_source CHECK (((length(source) >= 1) AND (length(source) <= 100)))
);

ALTER TABLE public.exchange_rates ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.exchange_rates_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE SEQUENCE public.fill_ids
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE public.fills (
    id bigint DEFAULT nextval('public.fill_ids'::regclass) NOT NULL,
    market_id uuid NOT NULL,
    outcome smallint NOT NULL,
    taker_order_id uuid NOT NULL,
    maker_order_id uuid NOT NULL,
    taker_id uuid NOT NULL,
    maker_id uuid NOT NULL,
    kind public.fill_kind NOT NULL,
    taker_side public.order_side NOT NULL,
    taker_position public.order_position NOT NULL,
    price_bps public.price_bps NOT NULL,
    size_lots bigint NOT NULL,
    fee_bps integer NOT NULL,
    maker_rebate_bps integer NOT NULL,
    rebate_micros bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT fills_trade_something CHECK ((size_lots > 0))
);

CREATE TABLE public.follows (
    user_id uuid NOT NULL,
    market_id uuid NOT NULL,
    notify_on_trade boolean NOT NULL,
    notify_on_resolve boolean NOT NULL,
    notify_on_close boolean NOT NULL,
    created_at timestamp with time zone NOT NULL
);

CREATE TABLE public.idempotency_keys (
    actor_id uuid NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    result jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT idempotency_keys_are_short CHECK (((length(key) >= 1) AND (length(key) <= 128)))
);

CREATE TABLE public.ipfs_anchors (
    id bigint NOT NULL,
    market_id uuid NOT NULL,
    snapshot_date date NOT NULL,
    cid text NOT NULL,
    part integer NOT NULL,
    parts integer NOT NULL,
    discussions_count integer NOT NULL,
    size_bytes integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    pinned_at timestamp with time zone,
    CONSTRAINT ipfs_anchors_are_parts_of_a_whole CHECK (((part >= 0) AND (part < parts)))
);

ALTER TABLE public.ipfs_anchors ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.ipfs_anchors_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.leaderboard_entries (
    period text NOT NULL,
    user_id uuid NOT NULL,
    profit_micros bigint NOT NULL,
    volume_micros bigint NOT NULL,
    won_markets integer NOT NULL,
    lost_markets integer NOT NULL,
    win_rate_bps integer,
    profit_rank integer NOT NULL,
    volume_rank integer NOT NULL,
    win_rate_rank integer NOT NULL,
    refreshed_at timestamp with time zone NOT NULL,
    CONSTRAINT leaderboard_period_is_known CHECK ((period = ANY (ARRAY['day'::text, 'week'::text, 'month'::text, 'all'::text])))
);

CREATE TABLE public.login_attempts (
    bucket text NOT NULL,
    window_start timestamp with time zone NOT NULL,
    attempts integer NOT NULL
);

CREATE TABLE public.market_audience (
    market_id uuid NOT NULL,
    follower_count bigint DEFAULT 0 NOT NULL,
    bookmark_count bigint DEFAULT 0 NOT NULL,
    CONSTRAINT market_audience_is_not_negative CHECK (((follower_count >= 0) AND (bookmark_count >= 0)))
);

CREATE TABLE public.market_clarifications (
    id bigint NOT NULL,
    market_id uuid NOT NULL,
    body text NOT NULL,
    body_bn text,
    author uuid,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT market_clarifications_say_something CHECK (((length(body) >= 1) AND (length(body) <= 10000)))
);

ALTER TABLE public.market_clarifications ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.market_clarifications_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.market_counters (
    market_id uuid NOT NULL,
    volume_micros bigint DEFAULT 0 NOT NULL,
    trade_count bigint DEFAULT 0 NOT NULL,
    unique_traders bigint DEFAULT 0 NOT NULL,
    last_trade_at timestamp with time zone
)
WITH (fillfactor='50');

CREATE TABLE public.market_daily_stats (
    market_id uuid NOT NULL,
    outcome smallint NOT NULL,
    day date NOT NULL,
    open_bps public.price_bps NOT NULL,
    high_bps public.price_bps NOT NULL,
    low_bps public.price_bps NOT NULL,
    close_bps public.price_bps NOT NULL,
    volume_micros bigint NOT NULL,
    volume_lots bigint NOT NULL,
    trade_count integer NOT NULL,
    unique_traders integer NOT NULL
);

CREATE TABLE public.market_disputes (
    id uuid NOT NULL,
    market_id uuid NOT NULL,
    user_id uuid NOT NULL,
    reason text NOT NULL,
    bond_micros bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    is_upheld boolean,
    decided_by uuid,
    decided_at timestamp with time zone,
    CONSTRAINT market_disputes_are_decided_at_once CHECK (((is_upheld IS NULL) = (decided_at IS NULL))),
    CONSTRAINT market_disputes_give_a_reason CHECK (((length(reason) >= 1) AND (length(reason) <= 5000))),
    CONSTRAINT market_disputes_have_a_bond CHECK ((bond_micros > 0))
);

CREATE TABLE public.market_ledgers (
    market_id uuid NOT NULL,
    orders_account bigint NOT NULL,
    escrow_account bigint NOT NULL,
    bonds_account bigint NOT NULL,
    fees_account bigint NOT NULL
);

CREATE TABLE public.market_listings (
    market_id uuid NOT NULL,
    volume_micros bigint DEFAULT 0 NOT NULL,
    liquidity_micros bigint DEFAULT 0 NOT NULL,
    created_us bigint NOT NULL,
    closes_us bigint NOT NULL
);

CREATE TABLE public.market_state_changes (
    id bigint NOT NULL,
    market_id uuid NOT NULL,
    from_state text,
    to_state text NOT NULL,
    actor uuid,
    reason text,
    created_at timestamp with time zone NOT NULL
);

ALTER TABLE public.market_state_changes ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.market_state_changes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.markets (
    id uuid NOT NULL,
    slug text NOT NULL,
    question text NOT NULL,
    question_bn text,
    description text,
    rules text,
    category text,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    resolution_source text,
    image_url text,
    venue text DEFAULT 'native'::text NOT NULL,
    condition_id text,
    chain_address text,
    chain_market_id text,
    market_type text DEFAULT 'binary'::text NOT NULL,
    state text DEFAULT 'PROPOSED'::text NOT NULL,
    trading_status text DEFAULT 'open'::text NOT NULL,
    tick_size_bps integer DEFAULT 100 NOT NULL,
    min_size_lots bigint DEFAULT 100 NOT NULL,
    fee_bps integer DEFAULT 0 NOT NULL,
    maker_rebate_bps integer DEFAULT 0 NOT NULL,
    opens_at timestamp with time zone,
    closes_at timestamp with time zone NOT NULL,
    resolution_rule jsonb,
    dispute_window_s integer DEFAULT 172800 NOT NULL,
    proposed_payout_bps integer[],
    proposed_at timestamp with time zone,
    proposed_by uuid,
    resolution_evidence jsonb,
    final_payout_bps integer[],
    finalized_at timestamp with time zone,
    settled_at timestamp with time zone,
    claims_enabled boolean DEFAULT false NOT NULL,
    claims_available_at timestamp with time zone,
    last_state_change_tx text,
    creator uuid,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    search_text text DEFAULT ''::text NOT NULL,
    search_tokens tsvector GENERATED ALWAYS AS (array_to_tsvector(array_remove(string_to_array(search_text, ' '::text), ''::text))) STORED,
    is_exhaustive boolean DEFAULT false NOT NULL,
    min_tick_bps integer DEFAULT 10 NOT NULL,
    max_tick_bps integer DEFAULT 100 NOT NULL,
    disputed_at timestamp with time zone,
    due_at timestamp with time zone GENERATED ALWAYS AS (
CASE state
    WHEN 'RESOLVING'::text THEN (((proposed_at AT TIME ZONE 'UTC'::text) + make_interval(secs => (dispute_window_s)::double precision)) AT TIME ZONE 'UTC'::text)
    WHEN 'DISPUTED'::text THEN (((disputed_at AT TIME ZONE 'UTC'::text) + '3 days'::interval) AT TIME ZONE 'UTC'::text)
    ELSE NULL::timestamp with time zone
END) STORED,
    dispute_upheld boolean,
    CONSTRAINT markets_are_final_with_a_payout CHECK (((state <> 'FINALIZED'::text) OR (final_payout_bps IS NOT NULL))),
    CONSTRAINT markets_close_after_they_open CHECK (((opens_at IS NULL) OR (closes_at > opens_at))),
    CONSTRAINT markets_dispute_window_is_not_negative CHECK ((dispute_window_s >= 0)),
    CONSTRAINT markets_fee_is_a_share CHECK (((fee_bps >= 0) AND (fee_bps <= 10000))),
    CONSTRAINT markets_min_size_is_positive CHECK (((min_size_lots >= 1) AND (min_size_lots <= '100000000000'::bigint))),
    CONSTRAINT markets_of_two_sides_are_not_exhaustive CHECK (((NOT is_exhaustive) OR (market_type = 'multi_outcome'::text))),
    CONSTRAINT markets_question_is_not_empty CHECK (((length(question) >= 1) AND (length(question) <= 1000))),
    CONSTRAINT markets_rebate_is_a_share CHECK (((maker_rebate_bps >= 0) AND (maker_rebate_bps <= 10000))),
    CONSTRAINT markets_slug_is_short CHECK (((length(slug) >= 1) AND (length(slug) <= 200))),
    CONSTRAINT markets_state_is_known CHECK ((state = ANY (ARRAY['PROPOSED'::text, 'APPROVED'::text, 'ACTIVE'::text, 'RESOLVING'::text, 'DISPUTED'::text, 'FINALIZED'::text, 'CANCELLED'::text]))),
    CONSTRAINT markets_tick_divides_the_payout CHECK ((((tick_size_bps >= 1) AND (tick_size_bps <= 5000)) AND ((10000 % tick_size_bps) = 0))),
    CONSTRAINT markets_ticks_have_a_range CHECK (((min_tick_bps >= 1) AND (min_tick_bps <= max_tick_bps))),
    CONSTRAINT markets_trading_status_is_known CHECK ((trading_status = ANY (ARRAY['open'::text, 'post_only'::text, 'cancel_only'::text, 'halted'::text]))),
    CONSTRAINT markets_type_is_known CHECK ((market_type = ANY (ARRAY['binary'::text, 'multi_outcome'::text]))),
    CONSTRAINT markets_venue_is_known CHECK ((venue = ANY (ARRAY['native'::text, 'solana'::text, 'polymarket'::text])))
)
WITH (fillfactor='80');

CREATE TABLE public.news_feeds (
    url text NOT NULL,
    etag text,
    last_modified text,
    fetched_at timestamp with time zone NOT NULL
);

CREATE TABLE public.news_items (
    id bigint NOT NULL,
    source text NOT NULL,
    guid text NOT NULL,
    url text,
    title text NOT NULL,
    summary text,
    published_at timestamp with time zone NOT NULL,
    fetched_at timestamp with time zone NOT NULL
);

ALTER TABLE public.news_items ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.news_items_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.notifications (
    id bigint NOT NULL,
    user_id uuid NOT NULL,
    type text NOT NULL,
    market_id uuid,
    facts jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    read_at timestamp with time zone,
    CONSTRAINT notifications_type_is_known CHECK ((type = ANY (ARRAY['order_filled'::text, 'market_closing_soon'::text, 'market_resolved'::text, 'large_trade'::text, 'comment_reply'::text, 'position_settled'::text, 'deposit_verified'::text, 'withdrawal_completed'::text, 'alert_triggered'::text, 'settlement_escalation'::text])))
);

ALTER TABLE public.notifications ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.notifications_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE public.ops_alerts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.ops_alerts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE SEQUENCE public.order_arrivals
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE public.order_batches (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    batch_key text NOT NULL,
    request_hash bytea NOT NULL,
    mode text NOT NULL,
    status text NOT NULL,
    order_ids uuid[] NOT NULL,
    refusals jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT order_batches_hold_one_to_twenty CHECK (((cardinality(order_ids) >= 1) AND (cardinality(order_ids) <= 20))),
    CONSTRAINT order_batches_key_is_short CHECK (((length(batch_key) >= 1) AND (length(batch_key) <= 128))),
    CONSTRAINT order_batches_mode_is_known CHECK ((mode = ANY (ARRAY['independent'::text, 'atomic'::text]))),
    CONSTRAINT order_batches_status_is_known CHECK ((status = ANY (ARRAY['completed'::text, 'partial'::text, 'failed'::text])))
);

CREATE TABLE public.orders (
    id uuid NOT NULL,
    seq bigint DEFAULT nextval('public.order_arrivals'::regclass) NOT NULL,
    user_id uuid NOT NULL,
    account_id bigint NOT NULL,
    market_id uuid NOT NULL,
    outcome smallint NOT NULL,
    "position" public.order_position NOT NULL,
    side public.order_side NOT NULL,
    type public.order_type NOT NULL,
    price_bps public.price_bps NOT NULL,
    size_lots bigint NOT NULL,
    amount_micros bigint,
    post_only boolean DEFAULT false NOT NULL,
    self_trade_prevention text DEFAULT 'cancel_taker'::text NOT NULL,
    client_order_id text,
    request_hash bytea,
    expires_at timestamp with time zone,
    book_side public.book_side NOT NULL,
    book_price_bps public.price_bps NOT NULL,
    status public.order_status NOT NULL,
    is_open boolean NOT NULL,
    filled_lots bigint DEFAULT 0 NOT NULL,
    remaining_lots bigint DEFAULT 0 NOT NULL,
    placed_status public.order_status NOT NULL,
    placed_filled_lots bigint DEFAULT 0 NOT NULL,
    placed_cost_micros bigint DEFAULT 0 NOT NULL,
    fee_micros bigint DEFAULT 0 NOT NULL,
    strategy_id uuid,
    strategy_run_id uuid,
    error text,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    placed_size_lots bigint,
    CONSTRAINT orders_fill_no_more_than_their_size CHECK (((filled_lots + remaining_lots) <= size_lots)),
    CONSTRAINT orders_rest_only_while_open CHECK ((is_open = (remaining_lots > 0)))
)
WITH (fillfactor='80');

CREATE TABLE public.outbox (
    id bigint NOT NULL,
    topic text NOT NULL,
    market_id uuid,
    payload jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    published_at timestamp with time zone
);

ALTER TABLE public.outbox ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.outcomes (
    market_id uuid NOT NULL,
    outcome smallint NOT NULL,
    label text NOT NULL,
    label_bn text,
    last_price_bps public.price_bps,
    volume_micros bigint DEFAULT 0 NOT NULL,
    trade_count bigint DEFAULT 0 NOT NULL,
    probability_bps integer,
    CONSTRAINT outcomes_are_numbered_from_zero CHECK (((outcome >= 0) AND (outcome <= 49))),
    CONSTRAINT outcomes_probability_is_a_share CHECK (((probability_bps >= 0) AND (probability_bps <= 10000)))
)
WITH (fillfactor='50');

CREATE TABLE public.platform_daily_stats (
    day date NOT NULL,
    volume_micros bigint DEFAULT 0 NOT NULL,
    fees_micros bigint DEFAULT 0 NOT NULL,
    rebates_micros bigint DEFAULT 0 NOT NULL,
    trade_count bigint DEFAULT 0 NOT NULL,
    active_users integer DEFAULT 0 NOT NULL,
    new_users integer DEFAULT 0 NOT NULL,
    new_markets integer DEFAULT 0 NOT NULL,
    is_final boolean DEFAULT false NOT NULL,
    updated_at timestamp with time zone NOT NULL
);

CREATE TABLE public.positions (
    market_id uuid NOT NULL,
    user_id uuid NOT NULL,
    outcome smallint NOT NULL,
    "position" public.order_position NOT NULL,
    held_lots bigint DEFAULT 0 NOT NULL,
    locked_lots bigint DEFAULT 0 NOT NULL,
    cost_micros bigint DEFAULT 0 NOT NULL,
    realised_micros bigint DEFAULT 0 NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT positions_lock_no_more_than_is_held CHECK (((locked_lots >= 0) AND (locked_lots <= held_lots)))
)
WITH (fillfactor='60');

CREATE TABLE public.price_bars (
    market_id uuid NOT NULL,
    outcome smallint NOT NULL,
    interval_s integer NOT NULL,
    bucket timestamp with time zone NOT NULL,
    open_bps integer NOT NULL,
    high_bps integer NOT NULL,
    low_bps integer NOT NULL,
    close_bps integer NOT NULL,
    volume_micros bigint NOT NULL,
    volume_lots bigint NOT NULL,
    trade_count integer NOT NULL
)
WITH (fillfactor='70');

CREATE TABLE public.price_feeds (
    source text NOT NULL,
    symbol text NOT NULL,
    observed_at timestamp with time zone NOT NULL,
    value numeric(38,18) NOT NULL,
    received_at timestamp with time zone NOT NULL,
    CONSTRAINT price_feeds_value_is_positive CHECK ((value > (0)::numeric))
);

CREATE TABLE public.price_points (
    market_id uuid NOT NULL,
    outcome smallint NOT NULL,
    slot timestamp with time zone NOT NULL,
    mid_bps integer NOT NULL,
    last_price_bps integer,
    best_bid_bps integer,
    best_ask_bps integer,
    spread_bps integer,
    bid_depth_lots bigint NOT NULL,
    ask_depth_lots bigint NOT NULL,
    liquidity_micros bigint NOT NULL,
    volume_micros bigint NOT NULL
);

CREATE TABLE public.profit_marks (
    user_id uuid NOT NULL,
    day date NOT NULL,
    realised_micros bigint NOT NULL
);

CREATE TABLE public.schema_migrations (
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE public.sessions (
    token_hash bytea NOT NULL,
    user_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    CONSTRAINT sessions_end_after_they_start CHECK ((expires_at > created_at)),
    CONSTRAINT sessions_hash_is_sha256 CHECK ((length(token_hash) = 32))
);

CREATE TABLE public.settlements (
    market_id uuid NOT NULL,
    user_id uuid NOT NULL,
    amount_micros bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT settlements_are_not_negative CHECK ((amount_micros >= 0))
);

CREATE TABLE public.share_operations (
    id uuid NOT NULL,
    seq bigint DEFAULT nextval('public.fill_ids'::regclass) NOT NULL,
    market_id uuid NOT NULL,
    user_id uuid NOT NULL,
    kind text NOT NULL,
    outcome smallint,
    size_lots bigint NOT NULL,
    amount_micros bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT share_operations_change_something CHECK ((size_lots > 0)),
    CONSTRAINT share_operations_kind_is_known CHECK ((kind = ANY (ARRAY['split'::text, 'merge'::text, 'convert'::text, 'complete'::text, 'redeem'::text])))
);

CREATE TABLE public.tick_changes (
    id bigint NOT NULL,
    market_id uuid NOT NULL,
    from_bps integer NOT NULL,
    to_bps integer NOT NULL,
    reason text NOT NULL,
    volatility_bps integer NOT NULL,
    announced_at timestamp with time zone NOT NULL,
    effective_at timestamp with time zone NOT NULL,
    status text DEFAULT 'announced'::text NOT NULL,
    decided_at timestamp with time zone,
    CONSTRAINT tick_changes_are_decided_at_once CHECK (((status = 'announced'::text) = (decided_at IS NULL))),
    CONSTRAINT tick_changes_change_something CHECK ((from_bps <> to_bps)),
    CONSTRAINT tick_changes_reason_is_known CHECK ((reason = ANY (ARRAY['quiet'::text, 'volatile'::text, 'emergency'::text]))),
    CONSTRAINT tick_changes_status_is_known CHECK ((status = ANY (ARRAY['announced'::text, 'applied'::text, 'dropped'::text])))
);

ALTER TABLE public.tick_changes ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.tick_changes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE SEQUENCE public.transfer_ids
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE public.transfer_keys (
    kind text NOT NULL,
    reference text NOT NULL,
    transfer_id bigint NOT NULL
);

CREATE TABLE public.transfers (
    id bigint DEFAULT nextval('public.transfer_ids'::regclass) NOT NULL,
    debit_account bigint NOT NULL,
    credit_account bigint NOT NULL,
    amount_micros bigint NOT NULL,
    kind text NOT NULL,
    reference text NOT NULL,
    market_id uuid,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT transfers_move_something CHECK ((amount_micros > 0))
);

CREATE TABLE public.unsigned_transactions (
    message_hash bytea NOT NULL,
    user_id uuid NOT NULL,
    purpose text NOT NULL,
    market_id uuid NOT NULL,
    last_valid_block_height bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    submitted_at timestamp with time zone,
    signature text,
    CONSTRAINT unsigned_transactions_hash_is_sha256 CHECK ((length(message_hash) = 32))
);

CREATE TABLE public.user_daily_stats (
    user_id uuid NOT NULL,
    day date NOT NULL,
    volume_micros bigint NOT NULL,
    trade_count integer NOT NULL
);

CREATE TABLE public.users (
    id uuid NOT NULL,
    address text NOT NULL,
    chain text NOT NULL,
    display_name text,
    language text DEFAULT 'en'::text NOT NULL,
    role text DEFAULT 'user'::text NOT NULL,
    closed_only boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone NOT NULL,
    email text,
    email_pending text,
    email_sent_at timestamp with time zone[] DEFAULT '{}'::timestamp with time zone[] NOT NULL,
    CONSTRAINT users_chain_is_known CHECK ((chain = ANY (ARRAY['evm'::text, 'solana'::text]))),
    CONSTRAINT users_display_name_is_short CHECK (((length(display_name) >= 1) AND (length(display_name) <= 100))),
    CONSTRAINT users_email_is_short CHECK (((length(email) >= 3) AND (length(email) <= 254))),
    CONSTRAINT users_language_is_known CHECK ((language = ANY (ARRAY['en'::text, 'bn'::text]))),
    CONSTRAINT users_pending_email_is_short CHECK (((length(email_pending) >= 3) AND (length(email_pending) <= 254))),
    CONSTRAINT users_remember_three_mails CHECK ((cardinality(email_sent_at) <= 3)),
    CONSTRAINT users_role_is_known CHECK ((role = ANY (ARRAY['user'::text, 'admin'::text, 'super_admin'::text])))
);

CREATE TABLE public.venue_credentials (
    user_id uuid NOT NULL,
    venue text NOT NULL,
    key_id text NOT NULL,
    nonce bytea NOT NULL,
    ciphertext bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT venue_credentials_are_bounded CHECK (((length(ciphertext) >= 17) AND (length(ciphertext) <= 4096))),
    CONSTRAINT venue_credentials_nonce_is_96_bits CHECK ((length(nonce) = 12)),
    CONSTRAINT venue_credentials_venue_is_known CHECK ((venue = 'polymarket'::text))
);

CREATE TABLE public.vote_tallies (
    market_id uuid NOT NULL,
    kind text NOT NULL,
    fence bigint DEFAULT 0 NOT NULL,
    leased_until timestamp with time zone,
    told_yes numeric(40,0),
    told_no numeric(40,0),
    failures integer DEFAULT 0 NOT NULL,
    next_attempt_at timestamp with time zone,
    told_at timestamp with time zone
);

CREATE TABLE public.votes (
    id uuid NOT NULL,
    market_id uuid NOT NULL,
    user_id uuid NOT NULL,
    wallet text NOT NULL,
    kind text NOT NULL,
    vote boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    attempts integer DEFAULT 1 NOT NULL,
    CONSTRAINT votes_kind_is_known CHECK ((kind = ANY (ARRAY['proposal'::text, 'dispute'::text])))
);

CREATE TABLE public.workflow_runs (
    id uuid NOT NULL,
    name text NOT NULL,
    slot timestamp with time zone NOT NULL,
    part integer NOT NULL,
    message_id text NOT NULL,
    group_run_id uuid,
    attempt integer NOT NULL,
    status text NOT NULL,
    counts jsonb DEFAULT '{}'::jsonb NOT NULL,
    error text,
    next_cursor jsonb,
    lease_until timestamp with time zone NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT workflow_runs_finish_when_they_stop CHECK (((status = 'running'::text) = (finished_at IS NULL))),
    CONSTRAINT workflow_runs_part_is_counted CHECK (((part >= 0) AND (part <= 10000))),
    CONSTRAINT workflow_runs_status_is_known CHECK ((status = ANY (ARRAY['running'::text, 'completed'::text, 'partial'::text, 'failed'::text])))
);

CREATE TABLE public.ws_tickets (
    ticket_hash bytea NOT NULL,
    user_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    consumed_at timestamp with time zone,
    CONSTRAINT ws_tickets_end_after_they_start CHECK ((expires_at > created_at)),
    CONSTRAINT ws_tickets_hash_is_sha256 CHECK ((length(ticket_hash) = 32))
);

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_are_one_for_each_owner UNIQUE NULLS NOT DISTINCT (kind, user_id, market_id);

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.aggregation_results
    ADD CONSTRAINT aggregation_results_have_ids PRIMARY KEY (id);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_hash_is_used_once UNIQUE (key_hash);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.audit_log
    ADD CONSTRAINT audit_log_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.auth_challenges
    ADD CONSTRAINT auth_challenges_pkey PRIMARY KEY (nonce);

ALTER TABLE ONLY public.bookmarks
    ADD CONSTRAINT bookmarks_pkey PRIMARY KEY (user_id, market_id);

ALTER TABLE ONLY public.chain_addresses
    ADD CONSTRAINT chain_addresses_are_one_account_each UNIQUE (address);

ALTER TABLE ONLY public.chain_addresses
    ADD CONSTRAINT chain_addresses_are_one_market_each UNIQUE (market_id);

ALTER TABLE ONLY public.chain_addresses
    ADD CONSTRAINT chain_addresses_have_ids PRIMARY KEY (market);

ALTER TABLE ONLY public.chain_config
    ADD CONSTRAINT chain_config_is_one_row PRIMARY KEY (is_only);

ALTER TABLE ONLY public.chain_cursors
    ADD CONSTRAINT chain_cursors_are_one_each PRIMARY KEY (programme);

ALTER TABLE ONLY public.chain_events
    ADD CONSTRAINT chain_events_are_kept_once PRIMARY KEY (signature, ordinal);

ALTER TABLE ONLY public.chain_incomplete
    ADD CONSTRAINT chain_incomplete_have_ids PRIMARY KEY (signature);

ALTER TABLE ONLY public.chain_markets
    ADD CONSTRAINT chain_markets_are_one_market_each UNIQUE (market_id);

ALTER TABLE ONLY public.chain_markets
    ADD CONSTRAINT chain_markets_have_ids PRIMARY KEY (market);

ALTER TABLE ONLY public.chain_positions
    ADD CONSTRAINT chain_positions_have_ids PRIMARY KEY (market, wallet);

ALTER TABLE ONLY public.chain_transactions
    ADD CONSTRAINT chain_transactions_have_ids PRIMARY KEY (id);

ALTER TABLE ONLY public.chain_transactions
    ADD CONSTRAINT chain_transactions_have_one_signature UNIQUE (signature);

ALTER TABLE ONLY public.chain_votes
    ADD CONSTRAINT chain_votes_are_cast_once PRIMARY KEY (market, wallet, kind);

ALTER TABLE ONLY public.comment_likes
    ADD CONSTRAINT comment_likes_pkey PRIMARY KEY (comment_id, user_id);

ALTER TABLE ONLY public.comments
    ADD CONSTRAINT comments_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.daily_reports
    ADD CONSTRAINT daily_reports_pkey PRIMARY KEY (day);

ALTER TABLE ONLY public.dead_letters
    ADD CONSTRAINT dead_letters_have_one_row_per_item UNIQUE (workflow, item);

ALTER TABLE ONLY public.dead_letters
    ADD CONSTRAINT dead_letters_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.deposits
    ADD CONSTRAINT deposits_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.discrepancies
    ADD CONSTRAINT discrepancies_have_ids PRIMARY KEY (id);

ALTER TABLE ONLY public.dispute_weights
    ADD CONSTRAINT dispute_weights_are_one_each PRIMARY KEY (market_id, wallet);

ALTER TABLE ONLY public.escalations
    ADD CONSTRAINT escalations_are_opened_once_per_subject UNIQUE (kind, subject);

ALTER TABLE ONLY public.escalations
    ADD CONSTRAINT escalations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.exchange_rates
    ADD CONSTRAINT exchange_rates_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.follows
    ADD CONSTRAINT follows_pkey PRIMARY KEY (user_id, market_id);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_are_used_once PRIMARY KEY (actor_id, route, key);

ALTER TABLE ONLY public.ipfs_anchors
    ADD CONSTRAINT ipfs_anchors_are_kept_once UNIQUE (market_id, snapshot_date, cid);

ALTER TABLE ONLY public.ipfs_anchors
    ADD CONSTRAINT ipfs_anchors_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.leaderboard_entries
    ADD CONSTRAINT leaderboard_entries_pkey PRIMARY KEY (period, user_id);

ALTER TABLE ONLY public.login_attempts
    ADD CONSTRAINT login_attempts_pkey PRIMARY KEY (bucket, window_start);

ALTER TABLE ONLY public.market_audience
    ADD CONSTRAINT market_audience_pkey PRIMARY KEY (market_id);

ALTER TABLE ONLY public.market_clarifications
    ADD CONSTRAINT market_clarifications_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.market_counters
    ADD CONSTRAINT market_counters_pkey PRIMARY KEY (market_id);

ALTER TABLE ONLY public.market_daily_stats
    ADD CONSTRAINT market_daily_stats_pkey PRIMARY KEY (market_id, outcome, day);

ALTER TABLE ONLY public.market_disputes
    ADD CONSTRAINT market_disputes_are_one_a_market UNIQUE (market_id);

ALTER TABLE ONLY public.market_disputes
    ADD CONSTRAINT market_disputes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.market_ledgers
    ADD CONSTRAINT market_ledgers_pkey PRIMARY KEY (market_id);

ALTER TABLE ONLY public.market_listings
    ADD CONSTRAINT market_listings_pkey PRIMARY KEY (market_id);

ALTER TABLE ONLY public.market_state_changes
    ADD CONSTRAINT market_state_changes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.markets
    ADD CONSTRAINT markets_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.markets
    ADD CONSTRAINT markets_slug_is_unique UNIQUE (slug);

ALTER TABLE ONLY public.news_feeds
    ADD CONSTRAINT news_feeds_pkey PRIMARY KEY (url);

ALTER TABLE ONLY public.news_items
    ADD CONSTRAINT news_items_are_kept_once UNIQUE (source, guid);

ALTER TABLE ONLY public.news_items
    ADD CONSTRAINT news_items_have_one_address UNIQUE (url);

ALTER TABLE ONLY public.news_items
    ADD CONSTRAINT news_items_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT notifications_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.ops_alerts
    ADD CONSTRAINT ops_alerts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.order_batches
    ADD CONSTRAINT order_batches_key_is_used_once UNIQUE (user_id, batch_key);

ALTER TABLE ONLY public.order_batches
    ADD CONSTRAINT order_batches_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.outcomes
    ADD CONSTRAINT outcomes_pkey PRIMARY KEY (market_id, outcome);

ALTER TABLE ONLY public.platform_daily_stats
    ADD CONSTRAINT platform_daily_stats_pkey PRIMARY KEY (day);

ALTER TABLE ONLY public.positions
    ADD CONSTRAINT positions_pkey PRIMARY KEY (market_id, user_id, outcome, "position");

ALTER TABLE ONLY public.price_bars
    ADD CONSTRAINT price_bars_pkey PRIMARY KEY (market_id, outcome, interval_s, bucket);

ALTER TABLE ONLY public.price_feeds
    ADD CONSTRAINT price_feeds_pkey PRIMARY KEY (symbol, source, observed_at);

ALTER TABLE ONLY public.price_points
    ADD CONSTRAINT price_points_pkey PRIMARY KEY (market_id, outcome, slot);

ALTER TABLE ONLY public.profit_marks
    ADD CONSTRAINT profit_marks_pkey PRIMARY KEY (user_id, day);

ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (token_hash);

ALTER TABLE ONLY public.settlements
    ADD CONSTRAINT settlements_pay_each_holder_once PRIMARY KEY (market_id, user_id);

ALTER TABLE ONLY public.share_operations
    ADD CONSTRAINT share_operations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.tick_changes
    ADD CONSTRAINT tick_changes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.transfer_keys
    ADD CONSTRAINT transfers_have_one_reference_of_a_kind PRIMARY KEY (kind, reference);

ALTER TABLE ONLY public.unsigned_transactions
    ADD CONSTRAINT unsigned_transactions_have_ids PRIMARY KEY (message_hash);

ALTER TABLE ONLY public.user_daily_stats
    ADD CONSTRAINT user_daily_stats_pkey PRIMARY KEY (user_id, day);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_have_one_row_per_wallet UNIQUE (chain, address);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.venue_credentials
    ADD CONSTRAINT venue_credentials_pkey PRIMARY KEY (user_id, venue);

ALTER TABLE ONLY public.vote_tallies
    ADD CONSTRAINT vote_tallies_are_one_each PRIMARY KEY (market_id, kind);

ALTER TABLE ONLY public.votes
    ADD CONSTRAINT votes_are_cast_once UNIQUE (market_id, wallet, kind);

ALTER TABLE ONLY public.votes
    ADD CONSTRAINT votes_have_ids PRIMARY KEY (id);

ALTER TABLE ONLY public.withdrawals
    ADD CONSTRAINT withdrawals_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.workflow_runs
    ADD CONSTRAINT workflow_runs_complete_once_per_message UNIQUE (name, message_id);

ALTER TABLE ONLY public.workflow_runs
    ADD CONSTRAINT workflow_runs_complete_once_per_slot UNIQUE (name, slot, part);

ALTER TABLE ONLY public.workflow_runs
    ADD CONSTRAINT workflow_runs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.ws_tickets
    ADD CONSTRAINT ws_tickets_pkey PRIMARY KEY (ticket_hash);

CREATE INDEX accounts_by_market ON public.accounts USING btree (market_id) WHERE (market_id IS NOT NULL);

CREATE INDEX accounts_by_user ON public.accounts USING btree (user_id) WHERE (user_id IS NOT NULL);

CREATE INDEX aggregation_results_of_market ON public.aggregation_results USING btree (market_id, id DESC);

CREATE INDEX api_keys_by_user ON public.api_keys USING btree (user_id, created_at DESC, id DESC);

CREATE INDEX api_keys_over ON public.api_keys USING btree (LEAST(revoked_at, expires_at));

CREATE INDEX audit_log_by_actor ON public.audit_log USING btree (actor_id, created_at DESC);

CREATE INDEX audit_log_by_resource ON public.audit_log USING btree (resource, resource_id, created_at DESC);

CREATE INDEX auth_challenges_by_expiry ON public.auth_challenges USING btree (expires_at);

CREATE INDEX chain_events_in_order ON public.chain_events USING btree (block_time, slot, tx_index, ordinal);

CREATE INDEX chain_events_of_market ON public.chain_events USING btree (market, block_time, slot, tx_index, ordinal) WHERE (market IS NOT NULL);

CREATE INDEX chain_events_of_market_and_type ON public.chain_events USING btree (market, event_type, block_time, slot, tx_index, ordinal) WHERE (event_type <> ALL (ARRAY['SharesBought'::text, 'SharesSold'::text]));

CREATE INDEX chain_events_of_positions ON public.chain_events USING btree (market) WHERE (event_type = 'PositionObserved'::text);

CREATE INDEX chain_events_of_type ON public.chain_events USING btree (event_type, block_time, slot, tx_index, ordinal);

CREATE INDEX chain_events_of_wallet ON public.chain_events USING btree (wallet, block_time, slot, tx_index, ordinal) WHERE (wallet IS NOT NULL);

CREATE INDEX chain_events_that_move ON public.chain_events USING btree (market) WHERE (event_type <> ALL (ARRAY['SharesBought'::text, 'SharesSold'::text, 'WinningsClaimed'::text, 'ProposalVoteSubmitted'::text, 'DisputeVoteSubmitted'::text, 'LiquidityWithdrawn'::text, 'Unknown'::text]));

CREATE INDEX chain_events_without_market ON public.chain_events USING btree (((data ->> 'market'::text))) WHERE ((event_type = 'WinningsClaimed'::text) AND (market IS NULL));

CREATE INDEX chain_incomplete_due ON public.chain_incomplete USING btree (next_attempt_at);

CREATE INDEX chain_markets_live ON public.chain_markets USING btree (market) WHERE ((state <> ALL (ARRAY['FINALIZED'::text, 'CANCELLED'::text])) AND (address IS NOT NULL));

CREATE INDEX chain_positions_of_wallet ON public.chain_positions USING btree (wallet, market);

CREATE INDEX chain_positions_with_a_base ON public.chain_positions USING btree (market) WHERE (base_order IS NOT NULL);

CREATE INDEX chain_transactions_due ON public.chain_transactions USING btree (next_attempt_at) WHERE (status = ANY (ARRAY['built'::text, 'sent'::text, 'confirmed'::text]));

CREATE UNIQUE INDEX chain_transactions_live_once ON public.chain_transactions USING btree (purpose, market_id) NULLS NOT DISTINCT WHERE (status = ANY (ARRAY['built'::text, 'sent'::text, 'confirmed'::text]));

CREATE INDEX chain_transactions_of_market ON public.chain_transactions USING btree (market_id, purpose, updated_at);

CREATE INDEX chain_votes_of_wallet ON public.chain_votes USING btree (wallet, voted_at, market, kind);

CREATE INDEX comments_by_author ON public.comments USING btree (market_id, user_id);

CREATE INDEX comments_by_market ON public.comments USING btree (market_id, id);

CREATE INDEX comments_by_thread ON public.comments USING btree (thread_id, id) WHERE (thread_id IS NOT NULL);

CREATE INDEX comments_by_time ON public.comments USING btree (created_at, market_id);

CREATE INDEX comments_threads ON public.comments USING btree (market_id, id DESC) WHERE (thread_id IS NULL);

CREATE INDEX dead_letters_due ON public.dead_letters USING btree (next_attempt_at) WHERE (status = 'pending'::text);

CREATE INDEX dead_letters_open ON public.dead_letters USING btree (workflow) WHERE (status = ANY (ARRAY['pending'::text, 'manual_review'::text]));

CREATE INDEX deposits_by_status ON public.deposits USING btree (status, seq);

CREATE INDEX deposits_by_user ON public.deposits USING btree (user_id, seq DESC);

CREATE INDEX deposits_pending_by_expiry ON public.deposits USING btree (expires_at) WHERE (status = 'pending'::text);

CREATE UNIQUE INDEX deposits_reference_is_used_once ON public.deposits USING btree (method, reference_key) WHERE (status = ANY (ARRAY['pending'::text, 'verified'::text]));

CREATE INDEX discrepancies_of_subject ON public.discrepancies USING btree (subject, field, created_at);

CREATE INDEX escalations_by_user ON public.escalations USING btree (user_id, id DESC) WHERE (user_id IS NOT NULL);

CREATE INDEX escalations_open ON public.escalations USING btree (created_at) WHERE (status = 'open'::text);

CREATE INDEX exchange_rates_by_time ON public.exchange_rates USING btree (base, quote, observed_at DESC, id DESC);

CREATE INDEX fills_by_age ON public.fills USING brin (created_at);

CREATE INDEX fills_by_maker_order ON public.fills USING btree (maker_order_id);

CREATE INDEX fills_by_market ON public.fills USING btree (market_id, id DESC);

CREATE INDEX fills_by_taker_order ON public.fills USING btree (taker_order_id);

CREATE INDEX fills_by_time ON public.fills USING brin (created_at) WITH (autosummarize='on');

CREATE INDEX follows_by_market ON public.follows USING btree (market_id, user_id);

CREATE INDEX idempotency_keys_by_time ON public.idempotency_keys USING brin (created_at);

CREATE INDEX ipfs_anchors_by_age ON public.ipfs_anchors USING btree (created_at);

CREATE INDEX ipfs_anchors_by_cid ON public.ipfs_anchors USING btree (cid);

CREATE INDEX ipfs_anchors_by_market ON public.ipfs_anchors USING btree (market_id, id DESC) WHERE (part = 0);

CREATE UNIQUE INDEX leaderboard_by_profit ON public.leaderboard_entries USING btree (period, profit_rank);

CREATE UNIQUE INDEX leaderboard_by_volume ON public.leaderboard_entries USING btree (period, volume_rank);

CREATE UNIQUE INDEX leaderboard_by_win_rate ON public.leaderboard_entries USING btree (period, win_rate_rank);

CREATE INDEX market_clarifications_by_market ON public.market_clarifications USING btree (market_id, id);

CREATE INDEX market_daily_stats_by_day ON public.market_daily_stats USING btree (day, volume_micros DESC);

CREATE INDEX market_disputes_by_user ON public.market_disputes USING btree (user_id, created_at);

CREATE INDEX market_listings_by_close ON public.market_listings USING btree (((- closes_us)) DESC, market_id DESC);

CREATE INDEX market_listings_by_creation ON public.market_listings USING btree (created_us DESC, market_id DESC);

CREATE INDEX market_listings_by_liquidity ON public.market_listings USING btree (liquidity_micros DESC, market_id DESC);

CREATE INDEX market_listings_by_volume ON public.market_listings USING btree (volume_micros DESC, market_id DESC);

CREATE INDEX market_state_changes_by_market ON public.market_state_changes USING btree (market_id, id);

CREATE INDEX markets_by_category ON public.markets USING btree (category, created_at DESC);

CREATE INDEX markets_by_creation ON public.markets USING btree (created_at DESC, id);

CREATE INDEX markets_by_state ON public.markets USING btree (state, closes_at);

CREATE INDEX markets_by_tag ON public.markets USING gin (tags);

CREATE INDEX markets_by_venue ON public.markets USING btree (venue, created_at DESC);

CREATE INDEX markets_by_words ON public.markets USING gin (search_tokens);

CREATE INDEX markets_due ON public.markets USING btree (due_at, id) WHERE (due_at IS NOT NULL);

CREATE INDEX markets_not_begun ON public.markets USING btree (venue, updated_at) WHERE (state = ANY (ARRAY['PROPOSED'::text, 'APPROVED'::text]));

CREATE INDEX markets_settled_by_time ON public.markets USING btree (settled_at) WHERE (settled_at IS NOT NULL);

CREATE INDEX markets_unsettled ON public.markets USING btree (finalized_at) WHERE ((state = 'FINALIZED'::text) AND (venue = 'native'::text) AND (settled_at IS NULL));

CREATE INDEX news_items_by_time ON public.news_items USING btree (published_at DESC, id DESC);

CREATE INDEX notifications_by_age ON public.notifications USING brin (created_at);

CREATE INDEX notifications_by_user ON public.notifications USING btree (user_id, id DESC);

CREATE UNIQUE INDEX notifications_of_a_market_are_sent_once ON public.notifications USING btree (market_id, user_id, type) WHERE (type = ANY (ARRAY['market_closing_soon'::text, 'market_resolved'::text]));

CREATE INDEX ops_alerts_acknowledged ON public.ops_alerts USING btree (next_attempt_at) WHERE ((acknowledged_at IS NOT NULL) AND (acknowledgement_sent_at IS NULL) AND ('pagerduty'::text = ANY (channels)));

CREATE INDEX ops_alerts_by_fingerprint ON public.ops_alerts USING btree (fingerprint, first_seen_at DESC);

CREATE INDEX ops_alerts_open ON public.ops_alerts USING btree (id) WHERE (acknowledged_at IS NULL);

CREATE INDEX ops_alerts_unsent ON public.ops_alerts USING btree (next_attempt_at) WHERE ((sent_at IS NULL) AND (severity = ANY (ARRAY['HIGH'::text, 'CRITICAL'::text])));

CREATE INDEX order_batches_by_time ON public.order_batches USING brin (created_at);

CREATE INDEX orders_asks ON public.orders USING btree (market_id, outcome, book_price_bps, seq) WHERE (is_open AND ((book_side)::text = 'ask'::text));

CREATE INDEX orders_bids ON public.orders USING btree (market_id, outcome, book_price_bps DESC, seq) WHERE (is_open AND ((book_side)::text = 'bid'::text));

CREATE INDEX orders_by_age ON public.orders USING brin (created_at);

CREATE INDEX orders_by_expiry ON public.orders USING btree (expires_at) WHERE (is_open AND (expires_at IS NOT NULL));

CREATE INDEX orders_by_user ON public.orders USING btree (user_id, seq DESC);

CREATE UNIQUE INDEX orders_client_order_id_is_used_once ON public.orders USING btree (user_id, client_order_id) WHERE (client_order_id IS NOT NULL);

CREATE INDEX orders_open_by_user ON public.orders USING btree (user_id, market_id, seq) WHERE is_open;

CREATE INDEX outbox_unpublished ON public.outbox USING btree (id) WHERE (published_at IS NULL);

CREATE UNIQUE INDEX outcomes_labels_differ ON public.outcomes USING btree (market_id, lower(label));

CREATE INDEX positions_by_user ON public.positions USING btree (user_id, market_id);

CREATE INDEX price_feeds_by_time ON public.price_feeds USING btree (observed_at);

CREATE INDEX profit_marks_by_day ON public.profit_marks USING btree (day);

CREATE INDEX sessions_by_expiry ON public.sessions USING btree (expires_at);

CREATE INDEX sessions_by_user ON public.sessions USING btree (user_id) WHERE (revoked_at IS NULL);

CREATE INDEX settlements_by_user ON public.settlements USING btree (user_id, created_at);

CREATE INDEX share_operations_by_user ON public.share_operations USING btree (user_id, market_id, seq);

CREATE INDEX tick_changes_by_market ON public.tick_changes USING btree (market_id, announced_at DESC);

CREATE INDEX tick_changes_due ON public.tick_changes USING btree (effective_at) WHERE (status = 'announced'::text);

CREATE UNIQUE INDEX tick_changes_wait_one_a_market ON public.tick_changes USING btree (market_id) WHERE (status = 'announced'::text);

CREATE INDEX transfers_by_time ON public.transfers USING brin (created_at) WITH (autosummarize='on');

CREATE INDEX transfers_into_people ON public.transfers USING btree (credit_account, id) WHERE (credit_account > 0);

CREATE INDEX transfers_out_of_people ON public.transfers USING btree (debit_account, id) WHERE (debit_account > 0);

CREATE INDEX unsigned_transactions_by_age ON public.unsigned_transactions USING btree (created_at);

CREATE INDEX user_daily_stats_by_day ON public.user_daily_stats USING btree (day);

CREATE INDEX users_newest_first ON public.users USING btree (created_at DESC, id DESC);

CREATE UNIQUE INDEX users_own_their_email_alone ON public.users USING btree (lower(email));

CREATE INDEX users_super_admins ON public.users USING btree (id) WHERE (role = 'super_admin'::text);

CREATE INDEX votes_by_time ON public.votes USING btree (market_id, kind, created_at);

CREATE INDEX votes_of_user ON public.votes USING btree (user_id, created_at DESC);

CREATE INDEX withdrawals_by_status ON public.withdrawals USING btree (status, seq);

CREATE INDEX withdrawals_by_user ON public.withdrawals USING btree (user_id, seq DESC);

CREATE INDEX workflow_runs_by_group ON public.workflow_runs USING btree (group_run_id) WHERE (group_run_id IS NOT NULL);

CREATE INDEX workflow_runs_by_name ON public.workflow_runs USING btree (name, started_at DESC, id DESC);

CREATE INDEX workflow_runs_by_start ON public.workflow_runs USING btree (started_at DESC);

CREATE INDEX workflow_runs_failed ON public.workflow_runs USING btree (started_at) WHERE (status = 'failed'::text);

CREATE INDEX ws_tickets_by_expiry ON public.ws_tickets USING btree (expires_at);

CREATE TRIGGER audit_log_is_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.audit_log FOR EACH STATEMENT EXECUTE FUNCTION public.keep_audit_log();

CREATE TRIGGER markets_are_listed AFTER INSERT OR UPDATE OF created_at, closes_at ON public.markets FOR EACH ROW EXECUTE FUNCTION public.list_market();

CREATE TRIGGER markets_keep_search_text BEFORE INSERT OR UPDATE OF question, question_bn, slug, category, tags ON public.markets FOR EACH ROW EXECUTE FUNCTION public.keep_search_text();

CREATE TRIGGER markets_open_their_accounts AFTER INSERT ON public.markets FOR EACH ROW EXECUTE FUNCTION public.open_market_accounts();

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_market_id_fkey FOREIGN KEY (market_id) REFERENCES public.markets(id);

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.aggregation_results
    ADD CONSTRAINT aggregation_results_market_id_fkey FOREIGN KEY (market_id) REFERENCES public.markets(id);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.bookmarks
    ADD CONSTRAINT bookmarks_market_id_fkey FOREIGN KEY (market_id) REFERENCES public.markets(id);

ALTER TABLE ONLY public.bookmarks
    ADD CONSTRAINT bookmarks_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.chain_transactions
    ADD CONSTRAINT chain_transactions_market_id_fkey FOREIGN KEY (market_id) REFERENCES public.markets(id);

ALTER TABLE ONLY public.comment_likes
    ADD CONSTRAINT comment_likes_comment_id_fkey FOREIGN KEY (comment_id) REFERENCES public.comments(id);

ALTER TABLE ONLY public.comment_likes
    ADD CONSTRAINT comment_likes_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.comments
    ADD CONSTRAINT comments_deleted_by_fkey FOREIGN KEY (deleted_by) REFERENCES public.users(id);

ALTER TABLE ONLY public.comments
    ADD CONSTRAINT comments_market_id_fkey FOREIGN KEY (market_id) REFERENCES public.markets(id);

ALTER TABLE ONLY public.comments
    ADD CONSTRAINT comments_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES public.comments(id);

ALTER TABLE ONLY public.comments
    ADD CONSTRAINT comments_thread_id_fkey FOREIGN KEY (thread_id) REFERENCES public.comments(id);

ALTER TABLE ONLY public.comments
    ADD CONSTRAINT comments_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.deposits
    ADD CONSTRAINT deposits_decided_by_fkey FOREIGN KEY (decided_by) REFERENCES public.users(id);

ALTER TABLE ONLY public.deposits
    ADD CONSTRAINT deposits_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.dispute_weights
    ADD CONSTRAINT dispute_weights_market_id_fkey FOREIGN KEY (market_id) REFERENCES public.markets(id);

ALTER TABLE ONLY public.escalations
    ADD CONSTRAINT escalations_resolved_by_fkey FOREIGN KEY (resolved_by) REFERENCES public.users(id);

ALTER TABLE ONLY public.escalations
    ADD CONSTRAINT escalations_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.exchange_rates
    ADD CONSTRAINT exchange_rates_set_by_fkey FOREIGN KEY (set_by) REFERENCES public.users(id);

ALTER TABLE ONLY public.follows
    ADD CONSTRAINT follows_market_id_fkey FOREIGN KEY (market_id) REFERENCES public.markets(id);

ALTER TABLE ONLY public.follows
    ADD CONSTRAINT follows_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.ipfs_anchors
    ADD CONSTRAINT ipfs_anchors_market_id_fkey FOREIGN KEY (market_id) REFERENCES public.markets(id);

ALTER TABLE ONLY public.leaderboard_entries
    ADD CONSTRAINT leaderboard_entries_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.market_audience
    ADD CONSTRAINT market_audience_market_id_fkey FOREIGN KEY (market_id) REFERENCES public.markets(id);

ALTER TABLE ONLY public.market_clarifications
    ADD CONSTRAINT market_clarifications_author_fkey FOREIGN KEY (author) REFERENCES public.users(id);

ALTER TABLE ONLY public.market_clarifications
    ADD CONSTRAINT market_clarifications_market_id_fkey FOREIGN KEY (market_id) REFERENCES public.markets(id);

ALTER TABLE ONLY public.market_counters
    ADD CONSTRAINT market_counters_market_id_fkey FOREIGN KEY (market_id) REFERENCES public.markets(id);

ALTER TABLE ONLY public.market_daily_stats
    ADD CONSTRAINT market_daily_stats_market_id_fkey FOREIGN KEY (market_id) REFERENCES public.markets(id);

ALTER TABLE ONLY public.market_disputes
    ADD CONSTRAINT market_disputes_decided_by_fkey FOREIGN KEY (decided_by) REFERENCES public.users(id);

ALTER TABLE ONLY public.market_disputes
    ADD CONSTRAINT market_disputes_market_id_fkey FOREIGN KEY (market_id) REFERENCES public.markets(id);

ALTER TABLE ONLY public.market_disputes
    ADD CONSTRAINT market_disputes_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.market_ledgers
    ADD CONSTRAINT market_ledgers_bonds_account_fkey FOREIGN KEY (bonds_account) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.market_ledgers
    ADD CONSTRAINT market_ledgers_escrow_account_fkey FOREIGN KEY (escrow_account) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.market_ledgers
    ADD CONSTRAINT market_ledgers_fees_account_fkey FOREIGN KEY (fees_account) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.market_ledgers
    ADD CONSTRAINT market_ledgers_market_id_fkey FOREIGN KEY (market_id) REFERENCES public.markets(id);

ALTER TABLE ONLY public.market_ledgers
    ADD CONSTRAINT market_ledgers_orders_account_fkey FOREIGN KEY (orders_account) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.market_listings
    ADD CONSTRAINT market_listings_name_a_market FOREIGN KEY (market_id) REFERENCES public.markets(id);

ALTER TABLE ONLY public.market_state_changes
    ADD CONSTRAINT market_state_changes_actor_fkey FOREIGN KEY (actor) REFERENCES public.users(id);

ALTER TABLE ONLY public.market_state_changes
    ADD CONSTRAINT market_state_changes_market_id_fkey FOREIGN KEY (market_id) REFERENCES public.markets(id);

ALTER TABLE ONLY public.markets
    ADD CONSTRAINT markets_creator_fkey FOREIGN KEY (creator) REFERENCES public.users(id);

ALTER TABLE ONLY public.markets
    ADD CONSTRAINT markets_proposed_by_fkey FOREIGN KEY (proposed_by) REFERENCES public.users(id);

ALTER TABLE ONLY public.ops_alerts
    ADD CONSTRAINT ops_alerts_acknowledged_by_fkey FOREIGN KEY (acknowledged_by) REFERENCES public.users(id);

ALTER TABLE ONLY public.outcomes
    ADD CONSTRAINT outcomes_market_id_fkey FOREIGN KEY (market_id) REFERENCES public.markets(id);

ALTER TABLE ONLY public.positions
    ADD CONSTRAINT positions_name_an_outcome FOREIGN KEY (market_id, outcome) REFERENCES public.outcomes(market_id, outcome);

ALTER TABLE ONLY public.positions
    ADD CONSTRAINT positions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.profit_marks
    ADD CONSTRAINT profit_marks_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.settlements
    ADD CONSTRAINT settlements_market_id_fkey FOREIGN KEY (market_id) REFERENCES public.markets(id);

ALTER TABLE ONLY public.settlements
    ADD CONSTRAINT settlements_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.tick_changes
    ADD CONSTRAINT tick_changes_market_id_fkey FOREIGN KEY (market_id) REFERENCES public.markets(id);

ALTER TABLE ONLY public.unsigned_transactions
    ADD CONSTRAINT unsigned_transactions_market_id_fkey FOREIGN KEY (market_id) REFERENCES public.markets(id);

ALTER TABLE ONLY public.unsigned_transactions
    ADD CONSTRAINT unsigned_transactions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.user_daily_stats
    ADD CONSTRAINT user_daily_stats_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.venue_credentials
    ADD CONSTRAINT venue_credentials_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.vote_tallies
    ADD CONSTRAINT vote_tallies_market_id_fkey FOREIGN KEY (market_id) REFERENCES public.markets(id);

ALTER TABLE ONLY public.votes
    ADD CONSTRAINT votes_market_id_fkey FOREIGN KEY (market_id) REFERENCES public.markets(id);

ALTER TABLE ONLY public.votes
    ADD CONSTRAINT votes_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.withdrawals
    ADD CONSTRAINT withdrawals_decided_by_fkey FOREIGN KEY (decided_by) REFERENCES public.users(id);

ALTER TABLE ONLY public.withdrawals
    ADD CONSTRAINT withdrawals_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.ws_tickets
    ADD CONSTRAINT ws_tickets_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

ALTER TABLE public.accounts ENABLE ROW LEVEL SECURITY;

CREATE POLICY accounts_are_open_to_staff ON public.accounts TO presage_admin, presage_worker USING (true) WITH CHECK (true);

CREATE POLICY accounts_are_seen_by_their_owner ON public.accounts FOR SELECT TO presage_api USING ((user_id = ( SELECT public.actor_id() AS actor_id)));

ALTER TABLE public.api_keys ENABLE ROW LEVEL SECURITY;

CREATE POLICY api_keys_are_seen_by_admins ON public.api_keys FOR SELECT TO presage_admin USING (true);

CREATE POLICY api_keys_are_seen_by_their_owner ON public.api_keys FOR SELECT TO presage_api USING ((user_id = ( SELECT public.actor_id() AS actor_id)));

CREATE POLICY api_keys_are_swept_by_workers ON public.api_keys TO presage_worker USING (true);

ALTER TABLE public.audit_log ENABLE ROW LEVEL SECURITY;

CREATE POLICY audit_log_is_open_to_staff ON public.audit_log TO presage_admin, presage_worker USING (true) WITH CHECK (true);

CREATE POLICY audit_log_shows_ones_own ON public.audit_log TO presage_api USING ((actor_id = ( SELECT public.actor_id() AS actor_id))) WITH CHECK ((actor_id = ( SELECT public.actor_id() AS actor_id)));

ALTER TABLE public.auth_challenges ENABLE ROW LEVEL SECURITY;

CREATE POLICY auth_challenges_are_swept_by_workers ON public.auth_challenges TO presage_worker USING (true);

ALTER TABLE public.bookmarks ENABLE ROW LEVEL SECURITY;

CREATE POLICY bookmarks_are_open_to_staff ON public.bookmarks TO presage_admin, presage_worker USING (true) WITH CHECK (true);

CREATE POLICY bookmarks_are_seen_by_their_owner ON public.bookmarks FOR SELECT TO presage_api USING ((user_id = ( SELECT public.actor_id() AS actor_id)));

ALTER TABLE public.comment_likes ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.comments ENABLE ROW LEVEL SECURITY;

CREATE POLICY comments_are_open_to_workflows ON public.comments TO presage_worker USING (true);

ALTER TABLE public.deposits ENABLE ROW LEVEL SECURITY;

CREATE POLICY deposits_are_open_to_staff ON public.deposits TO presage_admin, presage_worker USING (true) WITH CHECK (true);

CREATE POLICY deposits_are_seen_by_their_owner ON public.deposits FOR SELECT TO presage_api USING ((user_id = ( SELECT public.actor_id() AS actor_id)));

ALTER TABLE public.escalations ENABLE ROW LEVEL SECURITY;

CREATE POLICY escalations_are_open_to_staff ON public.escalations TO presage_admin, presage_worker USING (true) WITH CHECK (true);

CREATE POLICY escalations_are_seen_by_their_opener ON public.escalations FOR SELECT TO presage_api USING ((user_id = ( SELECT public.actor_id() AS actor_id)));

ALTER TABLE public.fills ENABLE ROW LEVEL SECURITY;

CREATE POLICY fills_are_open_to_staff ON public.fills TO presage_admin, presage_worker USING (true) WITH CHECK (true);

CREATE POLICY fills_are_seen_by_both_sides ON public.fills FOR SELECT TO presage_api USING (((taker_id = ( SELECT public.actor_id() AS actor_id)) OR (maker_id = ( SELECT public.actor_id() AS actor_id))));

ALTER TABLE public.follows ENABLE ROW LEVEL SECURITY;

CREATE POLICY follows_are_open_to_staff ON public.follows TO presage_admin, presage_worker USING (true) WITH CHECK (true);

CREATE POLICY follows_are_seen_by_their_owner ON public.follows FOR SELECT TO presage_api USING ((user_id = ( SELECT public.actor_id() AS actor_id)));

ALTER TABLE public.idempotency_keys ENABLE ROW LEVEL SECURITY;

CREATE POLICY idempotency_keys_are_swept_by_workers ON public.idempotency_keys TO presage_worker USING (true);

ALTER TABLE public.leaderboard_entries ENABLE ROW LEVEL SECURITY;

CREATE POLICY leaderboard_entries_are_open_to_staff ON public.leaderboard_entries TO presage_admin, presage_worker USING (true) WITH CHECK (true);

ALTER TABLE public.login_attempts ENABLE ROW LEVEL SECURITY;

CREATE POLICY login_attempts_are_swept_by_workers ON public.login_attempts TO presage_worker USING (true);

ALTER TABLE public.market_disputes ENABLE ROW LEVEL SECURITY;

CREATE POLICY market_disputes_are_open_to_staff ON public.market_disputes TO presage_admin, presage_worker USING (true) WITH CHECK (true);

CREATE POLICY market_disputes_are_seen_by_who_raised_them ON public.market_disputes FOR SELECT TO presage_api USING ((user_id = ( SELECT public.actor_id() AS actor_id)));

ALTER TABLE public.notifications ENABLE ROW LEVEL SECURITY;

CREATE POLICY notifications_are_open_to_staff ON public.notifications TO presage_admin, presage_worker USING (true) WITH CHECK (true);

CREATE POLICY notifications_are_seen_by_their_reader ON public.notifications TO presage_api USING ((user_id = ( SELECT public.actor_id() AS actor_id))) WITH CHECK ((user_id = ( SELECT public.actor_id() AS actor_id)));

ALTER TABLE public.order_batches ENABLE ROW LEVEL SECURITY;

CREATE POLICY order_batches_are_open_to_staff ON public.order_batches TO presage_admin, presage_worker USING (true) WITH CHECK (true);

CREATE POLICY order_batches_are_seen_by_their_owner ON public.order_batches FOR SELECT TO presage_api USING ((user_id = ( SELECT public.actor_id() AS actor_id)));

ALTER TABLE public.orders ENABLE ROW LEVEL SECURITY;

CREATE POLICY orders_are_open_to_staff ON public.orders TO presage_admin, presage_worker USING (true) WITH CHECK (true);

CREATE POLICY orders_are_seen_by_their_owner ON public.orders FOR SELECT TO presage_api USING ((user_id = ( SELECT public.actor_id() AS actor_id)));

ALTER TABLE public.outbox ENABLE ROW LEVEL SECURITY;

CREATE POLICY outbox_is_counted_by_admins ON public.outbox FOR SELECT TO presage_admin USING (true);

CREATE POLICY outbox_is_swept_by_workers ON public.outbox TO presage_worker USING (true) WITH CHECK (true);

ALTER TABLE public.positions ENABLE ROW LEVEL SECURITY;

CREATE POLICY positions_are_open_to_staff ON public.positions TO presage_admin, presage_worker USING (true) WITH CHECK (true);

CREATE POLICY positions_are_seen_by_their_holder ON public.positions FOR SELECT TO presage_api USING ((user_id = ( SELECT public.actor_id() AS actor_id)));

ALTER TABLE public.profit_marks ENABLE ROW LEVEL SECURITY;

CREATE POLICY profit_marks_are_open_to_staff ON public.profit_marks TO presage_admin, presage_worker USING (true) WITH CHECK (true);

ALTER TABLE public.sessions ENABLE ROW LEVEL SECURITY;

CREATE POLICY sessions_are_open_to_staff ON public.sessions TO presage_admin, presage_worker USING (true) WITH CHECK (true);

ALTER TABLE public.settlements ENABLE ROW LEVEL SECURITY;

CREATE POLICY settlements_are_open_to_staff ON public.settlements TO presage_admin, presage_worker USING (true) WITH CHECK (true);

CREATE POLICY settlements_are_seen_by_the_paid ON public.settlements FOR SELECT TO presage_api USING ((user_id = ( SELECT public.actor_id() AS actor_id)));

ALTER TABLE public.share_operations ENABLE ROW LEVEL SECURITY;

CREATE POLICY share_operations_are_open_to_staff ON public.share_operations TO presage_admin, presage_worker USING (true) WITH CHECK (true);

CREATE POLICY share_operations_are_seen_by_their_owner ON public.share_operations FOR SELECT TO presage_api USING ((user_id = ( SELECT public.actor_id() AS actor_id)));

ALTER TABLE public.transfer_keys ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.transfers ENABLE ROW LEVEL SECURITY;

CREATE POLICY transfers_are_open_to_staff ON public.transfers TO presage_admin, presage_worker USING (true) WITH CHECK (true);

CREATE POLICY transfers_are_seen_by_both_sides ON public.transfers FOR SELECT TO presage_api USING (((debit_account = ( SELECT a.id
   FROM public.accounts a
  WHERE (a.user_id = ( SELECT public.actor_id() AS actor_id)))) OR (credit_account = ( SELECT a.id
   FROM public.accounts a
  WHERE (a.user_id = ( SELECT public.actor_id() AS actor_id))))));

ALTER TABLE public.unsigned_transactions ENABLE ROW LEVEL SECURITY;

CREATE POLICY unsigned_transactions_are_open_to_workers ON public.unsigned_transactions TO presage_worker USING (true);

CREATE POLICY unsigned_transactions_are_their_signers ON public.unsigned_transactions TO presage_api USING ((user_id = ( SELECT public.actor_id() AS actor_id))) WITH CHECK ((user_id = ( SELECT public.actor_id() AS actor_id)));

ALTER TABLE public.user_daily_stats ENABLE ROW LEVEL SECURITY;

CREATE POLICY user_daily_stats_are_open_to_staff ON public.user_daily_stats TO presage_admin, presage_worker USING (true) WITH CHECK (true);

ALTER TABLE public.users ENABLE ROW LEVEL SECURITY;

CREATE POLICY users_are_open_to_staff ON public.users TO presage_admin, presage_worker USING (true) WITH CHECK (true);

CREATE POLICY users_see_themselves ON public.users TO presage_api USING ((id = ( SELECT public.actor_id() AS actor_id))) WITH CHECK ((id = ( SELECT public.actor_id() AS actor_id)));

ALTER TABLE public.venue_credentials ENABLE ROW LEVEL SECURITY;

CREATE POLICY venue_credentials_are_open_to_workers ON public.venue_credentials TO presage_worker USING (true) WITH CHECK (true);

CREATE POLICY venue_credentials_are_seen_by_their_owner ON public.venue_credentials FOR SELECT TO presage_api USING ((user_id = ( SELECT public.actor_id() AS actor_id)));

ALTER TABLE public.votes ENABLE ROW LEVEL SECURITY;

CREATE POLICY votes_are_open_to_staff ON public.votes TO presage_admin, presage_worker USING (true) WITH CHECK (true);

CREATE POLICY votes_are_seen_by_their_owner ON public.votes FOR SELECT TO presage_api USING ((user_id = ( SELECT public.actor_id() AS actor_id)));

ALTER TABLE public.withdrawals ENABLE ROW LEVEL SECURITY;

CREATE POLICY withdrawals_are_open_to_staff ON public.withdrawals TO presage_admin, presage_worker USING (true) WITH CHECK (true);

CREATE POLICY withdrawals_are_seen_by_their_owner ON public.withdrawals FOR SELECT TO presage_api USING ((user_id = ( SELECT public.actor_id() AS actor_id)));

ALTER TABLE public.ws_tickets ENABLE ROW LEVEL SECURITY;

CREATE POLICY ws_tickets_are_swept_by_workers ON public.ws_tickets TO presage_worker USING (true);

GRANT ALL ON SCHEMA public TO presage_owner;
GRANT USAGE ON SCHEMA public TO presage_api;
GRANT USAGE ON SCHEMA public TO presage_admin;
GRANT USAGE ON SCHEMA public TO presage_worker;

REVOKE ALL ON FUNCTION public.account_of(p_kind text, p_user_id uuid, p_market_id uuid) FROM PUBLIC;

GRANT SELECT ON TABLE public.ops_alerts TO presage_admin;
GRANT SELECT,DELETE ON TABLE public.ops_alerts TO presage_worker;

GRANT UPDATE(channels) ON TABLE public.ops_alerts TO presage_worker;

GRANT UPDATE(attempts) ON TABLE public.ops_alerts TO presage_worker;

GRANT UPDATE(next_attempt_at) ON TABLE public.ops_alerts TO presage_worker;

GRANT UPDATE(sent_at) ON TABLE public.ops_alerts TO presage_worker;

GRANT UPDATE(acknowledgement_sent_at) ON TABLE public.ops_alerts TO presage_worker;

REVOKE ALL ON FUNCTION public.acknowledge_alert(p_alert_id bigint, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.acknowledge_alert(p_alert_id bigint, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_admin;

REVOKE ALL ON FUNCTION public.actor_id() FROM PUBLIC;
GRANT ALL ON FUNCTION public.actor_id() TO presage_api;
GRANT ALL ON FUNCTION public.actor_id() TO presage_admin;
GRANT ALL ON FUNCTION public.actor_id() TO presage_worker;

REVOKE ALL ON FUNCTION public.add_shares(p_market_id uuid, p_user_id uuid, p_outcome smallint, p_position text, p_lots bigint, p_cost_micros bigint, p_realised_micros bigint, p_now timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.amend_order(p_order_id uuid, p_size_lots bigint, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.amend_order(p_order_id uuid, p_size_lots bigint, p_now timestamp with time zone) TO presage_api;

REVOKE ALL ON FUNCTION public.announce_tick_changes(p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.announce_tick_changes(p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.answer_escalation(p_subject text, p_resolution text, p_now timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.apply_tick_changes(p_limit integer, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.apply_tick_changes(p_limit integer, p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.batch_drafts(p_orders jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.batch_refusal(p_place integer, p_code text, p_message text, p_field text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.batch_results(p_orders public.order_draft[], p_order_ids uuid[], p_refusals jsonb, p_now timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.begin_workflow_run(p_run_id uuid, p_name text, p_slot timestamp with time zone, p_part integer, p_message_id text, p_group_run_id uuid, p_attempt integer, p_now timestamp with time zone, p_lease_s integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.begin_workflow_run(p_run_id uuid, p_name text, p_slot timestamp with time zone, p_part integer, p_message_id text, p_group_run_id uuid, p_attempt integer, p_now timestamp with time zone, p_lease_s integer) TO presage_worker;

REVOKE ALL ON FUNCTION public.book_summary(p_market_id uuid, p_outcome smallint) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.cancel_order(p_order_id uuid, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.cancel_order(p_order_id uuid, p_now timestamp with time zone) TO presage_api;

REVOKE ALL ON FUNCTION public.cancel_orders(p_market_id uuid, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.cancel_orders(p_market_id uuid, p_now timestamp with time zone) TO presage_api;

REVOKE ALL ON FUNCTION public.cash_account(p_user_id uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.cast_vote(p_market_id uuid, p_kind text, p_vote boolean, p_vote_id uuid, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.cast_vote(p_market_id uuid, p_kind text, p_vote boolean, p_vote_id uuid, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_api;

REVOKE ALL ON FUNCTION public.chain_config_facts(p_slot bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.chain_config_facts(p_slot bigint) TO presage_worker;

REVOKE ALL ON FUNCTION public.chain_facts(p_event_type text, p_data jsonb, p_order bigint[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.chain_market_facts(p_markets text[], p_slot bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.chain_markets_at(p_markets text[], p_slot bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.chain_markets_at(p_markets text[], p_slot bigint) TO presage_worker;

REVOKE ALL ON FUNCTION public.chain_payout(p_outcome boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.chain_shares_traded(p_market text, p_after bigint[], p_since timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.chain_window_s() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.change_shares(p_market_id uuid, p_kind text, p_outcome smallint, p_size_lots bigint, p_key text, p_request_hash bytea, p_operation_id uuid, p_now timestamp with time zone, p_request_id text, p_ip text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.change_shares(p_market_id uuid, p_kind text, p_outcome smallint, p_size_lots bigint, p_key text, p_request_hash bytea, p_operation_id uuid, p_now timestamp with time zone, p_request_id text, p_ip text) TO presage_api;

REVOKE ALL ON FUNCTION public.clarify_market(p_market_id uuid, p_body text, p_body_bn text, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.clarify_market(p_market_id uuid, p_body text, p_body_bn text, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_admin;

REVOKE ALL ON FUNCTION public.conclude_dispute(p_market_id uuid, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.conclude_dispute(p_market_id uuid, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.confirm_email(p_email_hash bytea, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.confirm_email(p_email_hash bytea, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_api;

REVOKE ALL ON FUNCTION public.consume_ws_ticket(p_ticket_hash bytea, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.consume_ws_ticket(p_ticket_hash bytea, p_now timestamp with time zone) TO presage_api;
GRANT ALL ON FUNCTION public.consume_ws_ticket(p_ticket_hash bytea, p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.count_login_attempt(p_bucket text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.count_login_attempt(p_bucket text, p_now timestamp with time zone) TO presage_api;

REVOKE ALL ON FUNCTION public.create_api_key(p_id uuid, p_name text, p_prefix text, p_key_hash bytea, p_scopes text[], p_ip_allow_list text[], p_expires_at timestamp with time zone, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.create_api_key(p_id uuid, p_name text, p_prefix text, p_key_hash bytea, p_scopes text[], p_ip_allow_list text[], p_expires_at timestamp with time zone, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_api;

REVOKE ALL ON FUNCTION public.create_challenge(p_nonce text, p_address text, p_chain text, p_message text, p_now timestamp with time zone, p_expires_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.create_challenge(p_nonce text, p_address text, p_chain text, p_message text, p_now timestamp with time zone, p_expires_at timestamp with time zone) TO presage_api;

REVOKE ALL ON FUNCTION public.create_comment(p_market_id uuid, p_parent_id bigint, p_content text, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.create_comment(p_market_id uuid, p_parent_id bigint, p_content text, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_api;

GRANT SELECT ON TABLE public.deposits TO presage_api;
GRANT SELECT ON TABLE public.deposits TO presage_admin;
GRANT SELECT ON TABLE public.deposits TO presage_worker;

REVOKE ALL ON FUNCTION public.create_deposit(p_deposit_id uuid, p_method text, p_currency text, p_collateral text, p_amount_micros bigint, p_sender_reference text, p_sender_number text, p_key text, p_request_hash bytea, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.create_deposit(p_deposit_id uuid, p_method text, p_currency text, p_collateral text, p_amount_micros bigint, p_sender_reference text, p_sender_number text, p_key text, p_request_hash bytea, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.escalations TO presage_worker;
GRANT SELECT ON TABLE public.escalations TO presage_admin;

GRANT SELECT(id) ON TABLE public.escalations TO presage_api;

GRANT SELECT(reason) ON TABLE public.escalations TO presage_api;

GRANT SELECT(status) ON TABLE public.escalations TO presage_api;

GRANT SELECT(created_at) ON TABLE public.escalations TO presage_api;

GRANT SELECT(resolved_at) ON TABLE public.escalations TO presage_api;

GRANT SELECT(user_id) ON TABLE public.escalations TO presage_api;

GRANT SELECT(title) ON TABLE public.escalations TO presage_api;

GRANT SELECT(resolution) ON TABLE public.escalations TO presage_api;

REVOKE ALL ON FUNCTION public.create_escalation(p_escalation_id uuid, p_kind text, p_market_id uuid, p_title text, p_reason text, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.create_escalation(p_escalation_id uuid, p_kind text, p_market_id uuid, p_title text, p_reason text, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_admin;

REVOKE ALL ON FUNCTION public.create_outcomes(p_market_id uuid, p_outcomes jsonb, p_exhaustive boolean, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.create_outcomes(p_market_id uuid, p_outcomes jsonb, p_exhaustive boolean, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_admin;

REVOKE ALL ON FUNCTION public.create_ticket(p_ticket_id uuid, p_title text, p_message text, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.create_ticket(p_ticket_id uuid, p_title text, p_message text, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_api;

GRANT SELECT ON TABLE public.withdrawals TO presage_api;
GRANT SELECT ON TABLE public.withdrawals TO presage_admin;
GRANT SELECT ON TABLE public.withdrawals TO presage_worker;

REVOKE ALL ON FUNCTION public.create_withdrawal(p_withdrawal_id uuid, p_method text, p_collateral text, p_amount_micros bigint, p_destination text, p_key text, p_request_hash bytea, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.create_withdrawal(p_withdrawal_id uuid, p_method text, p_collateral text, p_amount_micros bigint, p_destination text, p_key text, p_request_hash bytea, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_api;

REVOKE ALL ON FUNCTION public.create_ws_ticket(p_ticket_hash bytea, p_expires_at timestamp with time zone, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.create_ws_ticket(p_ticket_hash bytea, p_expires_at timestamp with time zone, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_api;

REVOKE ALL ON FUNCTION public.decide_chain_dispute(p_market_id uuid, p_payout_bps integer[], p_upheld boolean, p_reason text, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.dead_letters TO presage_worker;
GRANT SELECT,UPDATE ON TABLE public.dead_letters TO presage_admin;

REVOKE ALL ON FUNCTION public.decide_dead_letter(p_letter_id bigint, p_reason text, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.decide_dead_letter(p_letter_id bigint, p_reason text, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_admin;

REVOKE ALL ON FUNCTION public.decide_deposit(p_deposit_id uuid, p_is_verified boolean, p_reason text, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.decide_deposit(p_deposit_id uuid, p_is_verified boolean, p_reason text, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_admin;

REVOKE ALL ON FUNCTION public.decide_dispute(p_market_id uuid, p_payout_bps integer[], p_upheld boolean, p_reason text, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.decide_dispute(p_market_id uuid, p_payout_bps integer[], p_upheld boolean, p_reason text, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_admin;
GRANT ALL ON FUNCTION public.decide_dispute(p_market_id uuid, p_payout_bps integer[], p_upheld boolean, p_reason text, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.decide_withdrawal(p_withdrawal_id uuid, p_is_completed boolean, p_external_reference text, p_reason text, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.decide_withdrawal(p_withdrawal_id uuid, p_is_completed boolean, p_external_reference text, p_reason text, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_admin;

REVOKE ALL ON FUNCTION public.delete_comment(p_comment_id bigint, p_request_id text, p_ip text, p_now timestamp with time zone, p_as_admin boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION public.delete_comment(p_comment_id bigint, p_request_id text, p_ip text, p_now timestamp with time zone, p_as_admin boolean) TO presage_api;
GRANT ALL ON FUNCTION public.delete_comment(p_comment_id bigint, p_request_id text, p_ip text, p_now timestamp with time zone, p_as_admin boolean) TO presage_admin;

REVOKE ALL ON FUNCTION public.dispute_market(p_market_id uuid, p_reason text, p_key text, p_request_hash bytea, p_dispute_id uuid, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.dispute_market(p_market_id uuid, p_reason text, p_key text, p_request_hash bytea, p_dispute_id uuid, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_api;

REVOKE ALL ON FUNCTION public.effective_now(p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.effective_now(p_now timestamp with time zone) TO presage_api;
GRANT ALL ON FUNCTION public.effective_now(p_now timestamp with time zone) TO presage_admin;
GRANT ALL ON FUNCTION public.effective_now(p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.escalate_overdue(p_limit integer, p_severities text[], p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.escalate_overdue(p_limit integer, p_severities text[], p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.expire_deposit(p_deposit_id uuid, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.expire_deposits(p_limit integer, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.expire_deposits(p_limit integer, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.expire_orders(p_limit integer, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.expire_orders(p_limit integer, p_now timestamp with time zone) TO presage_admin;
GRANT ALL ON FUNCTION public.expire_orders(p_limit integer, p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.fifo_positions(p_market_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.fifo_positions(p_market_id uuid) TO presage_api;

REVOKE ALL ON FUNCTION public.find_api_key(p_key_hash bytea, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.find_api_key(p_key_hash bytea, p_now timestamp with time zone) TO presage_api;
GRANT ALL ON FUNCTION public.find_api_key(p_key_hash bytea, p_now timestamp with time zone) TO presage_admin;

REVOKE ALL ON FUNCTION public.find_outcome(p_market text, p_outcome text, p_position text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.find_outcome(p_market text, p_outcome text, p_position text) TO presage_api;
GRANT ALL ON FUNCTION public.find_outcome(p_market text, p_outcome text, p_position text) TO presage_admin;
GRANT ALL ON FUNCTION public.find_outcome(p_market text, p_outcome text, p_position text) TO presage_worker;

REVOKE ALL ON FUNCTION public.find_session(p_token_hash bytea, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.find_session(p_token_hash bytea, p_now timestamp with time zone) TO presage_api;
GRANT ALL ON FUNCTION public.find_session(p_token_hash bytea, p_now timestamp with time zone) TO presage_admin;
GRANT ALL ON FUNCTION public.find_session(p_token_hash bytea, p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.find_wallet(p_chain text, p_address text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.find_wallet(p_chain text, p_address text) TO presage_api;

REVOKE ALL ON FUNCTION public.follow_chain_markets(p_moved text[], p_held text[], p_request_id text, p_now timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.fresh_rate(p_base text, p_quote text, p_now timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.halt_closed_market(p_market_id uuid, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.halt_closed_market(p_market_id uuid, p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.index_events(p_others text[], p_other_ordinals integer[], p_sums public.chain_trade_sums, p_times timestamp with time zone[], p_markets text[], p_market_ids uuid[], p_addresses text[], p_request_id text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.index_events(p_others text[], p_other_ordinals integer[], p_sums public.chain_trade_sums, p_times timestamp with time zone[], p_markets text[], p_market_ids uuid[], p_addresses text[], p_request_id text, p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.keep_audit_log() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.keep_dead_letters(p_workflow text, p_letters jsonb, p_keeps_retries boolean, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.keep_dead_letters(p_workflow text, p_letters jsonb, p_keeps_retries boolean, p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.keep_search_text() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.keep_submission(p_message_hash bytea, p_signature text, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.keep_submission(p_message_hash bytea, p_signature text, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_api;

REVOKE ALL ON FUNCTION public.link_venue(p_venue text, p_key_id text, p_nonce bytea, p_ciphertext bytea, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.link_venue(p_venue text, p_key_id text, p_nonce bytea, p_ciphertext bytea, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_api;

REVOKE ALL ON FUNCTION public.list_discussions(p_market_id uuid, p_thread bigint, p_mark bigint, p_limit integer, p_replies integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.list_discussions(p_market_id uuid, p_thread bigint, p_mark bigint, p_limit integer, p_replies integer) TO presage_api;
GRANT ALL ON FUNCTION public.list_discussions(p_market_id uuid, p_thread bigint, p_mark bigint, p_limit integer, p_replies integer) TO presage_admin;

REVOKE ALL ON FUNCTION public.list_leaderboard(p_period text, p_metric text, p_after integer, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.list_leaderboard(p_period text, p_metric text, p_after integer, p_limit integer) TO presage_api;
GRANT ALL ON FUNCTION public.list_leaderboard(p_period text, p_metric text, p_after integer, p_limit integer) TO presage_admin;
GRANT ALL ON FUNCTION public.list_leaderboard(p_period text, p_metric text, p_after integer, p_limit integer) TO presage_worker;

REVOKE ALL ON FUNCTION public.list_market() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.lock_audience(p_market_id uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.lock_indexer() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.market_book(p_market_id uuid, p_outcome smallint, p_depth integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.market_book(p_market_id uuid, p_outcome smallint, p_depth integer) TO presage_api;
GRANT ALL ON FUNCTION public.market_book(p_market_id uuid, p_outcome smallint, p_depth integer) TO presage_admin;
GRANT ALL ON FUNCTION public.market_book(p_market_id uuid, p_outcome smallint, p_depth integer) TO presage_worker;

REVOKE ALL ON FUNCTION public.market_holders(p_market_id uuid, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.market_holders(p_market_id uuid, p_limit integer) TO presage_api;
GRANT ALL ON FUNCTION public.market_holders(p_market_id uuid, p_limit integer) TO presage_admin;
GRANT ALL ON FUNCTION public.market_holders(p_market_id uuid, p_limit integer) TO presage_worker;

REVOKE ALL ON FUNCTION public.market_moves() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.market_quotes(p_market_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.market_quotes(p_market_id uuid) TO presage_api;
GRANT ALL ON FUNCTION public.market_quotes(p_market_id uuid) TO presage_admin;
GRANT ALL ON FUNCTION public.market_quotes(p_market_id uuid) TO presage_worker;

REVOKE ALL ON FUNCTION public.market_stats(p_market_id uuid, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.market_stats(p_market_id uuid, p_now timestamp with time zone) TO presage_api;
GRANT ALL ON FUNCTION public.market_stats(p_market_id uuid, p_now timestamp with time zone) TO presage_admin;
GRANT ALL ON FUNCTION public.market_stats(p_market_id uuid, p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.market_tally(p_market_id uuid, p_kind text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.market_tally(p_market_id uuid, p_kind text) TO presage_api;
GRANT ALL ON FUNCTION public.market_tally(p_market_id uuid, p_kind text) TO presage_admin;
GRANT ALL ON FUNCTION public.market_tally(p_market_id uuid, p_kind text) TO presage_worker;

REVOKE ALL ON FUNCTION public.market_trades(p_market_id uuid, p_outcome smallint, p_before_id bigint, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.market_trades(p_market_id uuid, p_outcome smallint, p_before_id bigint, p_limit integer) TO presage_api;
GRANT ALL ON FUNCTION public.market_trades(p_market_id uuid, p_outcome smallint, p_before_id bigint, p_limit integer) TO presage_admin;
GRANT ALL ON FUNCTION public.market_trades(p_market_id uuid, p_outcome smallint, p_before_id bigint, p_limit integer) TO presage_worker;

REVOKE ALL ON FUNCTION public.match_order(p_order public.order_draft, p_market public.market_terms, p_actor uuid, p_met uuid[], p_left bigint[], p_ahead_bps integer, p_now timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.misfit_of_order(p_position text, p_side text, p_type text, p_price_bps integer, p_size_lots bigint, p_amount_micros bigint, p_post_only boolean, p_self_trade_prevention text, p_client_order_id text, p_expires_at timestamp with time zone, p_tick_size_bps integer, p_min_size_lots bigint, p_fee_bps integer, p_now timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.move_market(p_market_id uuid, p_to text, p_reason text, p_payout_bps integer[], p_evidence jsonb, p_fee_bps integer, p_maker_rebate_bps integer, p_request_id text, p_ip text, p_now timestamp with time zone, p_as_admin boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION public.move_market(p_market_id uuid, p_to text, p_reason text, p_payout_bps integer[], p_evidence jsonb, p_fee_bps integer, p_maker_rebate_bps integer, p_request_id text, p_ip text, p_now timestamp with time zone, p_as_admin boolean) TO presage_api;
GRANT ALL ON FUNCTION public.move_market(p_market_id uuid, p_to text, p_reason text, p_payout_bps integer[], p_evidence jsonb, p_fee_bps integer, p_maker_rebate_bps integer, p_request_id text, p_ip text, p_now timestamp with time zone, p_as_admin boolean) TO presage_admin;
GRANT ALL ON FUNCTION public.move_market(p_market_id uuid, p_to text, p_reason text, p_payout_bps integer[], p_evidence jsonb, p_fee_bps integer, p_maker_rebate_bps integer, p_request_id text, p_ip text, p_now timestamp with time zone, p_as_admin boolean) TO presage_worker;

REVOKE ALL ON FUNCTION public.normalise_search(p_text text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.normalise_search(p_text text) TO presage_api;
GRANT ALL ON FUNCTION public.normalise_search(p_text text) TO presage_admin;
GRANT ALL ON FUNCTION public.normalise_search(p_text text) TO presage_worker;

REVOKE ALL ON FUNCTION public.notify_closing_markets(p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.notify_closing_markets(p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.open_market_accounts() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.payout_fits(p_market_id uuid, p_payout_bps integer[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.place_order(p_market_id uuid, p_outcome smallint, p_position text, p_side text, p_type text, p_price_bps integer, p_size_lots bigint, p_amount_micros bigint, p_post_only boolean, p_self_trade_prevention text, p_client_order_id text, p_request_hash bytea, p_order_id uuid, p_now timestamp with time zone, p_expires_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.place_order(p_market_id uuid, p_outcome smallint, p_position text, p_side text, p_type text, p_price_bps integer, p_size_lots bigint, p_amount_micros bigint, p_post_only boolean, p_self_trade_prevention text, p_client_order_id text, p_request_hash bytea, p_order_id uuid, p_now timestamp with time zone, p_expires_at timestamp with time zone) TO presage_api;

REVOKE ALL ON FUNCTION public.place_orders(p_mode text, p_orders jsonb, p_batch_key text, p_request_hash bytea, p_batch_id uuid, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.place_orders(p_mode text, p_orders jsonb, p_batch_key text, p_request_hash bytea, p_batch_id uuid, p_now timestamp with time zone) TO presage_api;

REVOKE ALL ON FUNCTION public.post_transfer(p_debit_kind text, p_debit_user uuid, p_credit_kind text, p_credit_user uuid, p_market_id uuid, p_amount_micros bigint, p_kind text, p_reference text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.post_transfer(p_debit_kind text, p_debit_user uuid, p_credit_kind text, p_credit_user uuid, p_market_id uuid, p_amount_micros bigint, p_kind text, p_reference text, p_now timestamp with time zone) TO presage_admin;
GRANT ALL ON FUNCTION public.post_transfer(p_debit_kind text, p_debit_user uuid, p_credit_kind text, p_credit_user uuid, p_market_id uuid, p_amount_micros bigint, p_kind text, p_reference text, p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.presage_audit() FROM PUBLIC;
GRANT ALL ON FUNCTION public.presage_audit() TO presage_admin;
GRANT ALL ON FUNCTION public.presage_audit() TO presage_worker;

REVOKE ALL ON FUNCTION public.project_chain_config() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.project_chain_markets(p_markets text[]) FROM PUBLIC;

GRANT SELECT ON TABLE public.chain_events TO presage_api;
GRANT SELECT ON TABLE public.chain_events TO presage_admin;
GRANT SELECT,INSERT ON TABLE public.chain_events TO presage_worker;

REVOKE ALL ON FUNCTION public.project_events(p_events public.chain_events[], p_traded text[], p_request_id text, p_now timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.project_observed_positions(p_rows public.chain_events[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.project_trades(p_sums public.chain_trade_sums) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.propose_market(p_id uuid, p_slug text, p_question text, p_question_bn text, p_description text, p_rules text, p_category text, p_tags text[], p_resolution_source text, p_image_url text, p_tick_size_bps integer, p_min_size_lots bigint, p_opens_at timestamp with time zone, p_closes_at timestamp with time zone, p_resolution_rule jsonb, p_dispute_window_s integer, p_venue text, p_chain_market_id text, p_chain_address text, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.propose_market(p_id uuid, p_slug text, p_question text, p_question_bn text, p_description text, p_rules text, p_category text, p_tags text[], p_resolution_source text, p_image_url text, p_tick_size_bps integer, p_min_size_lots bigint, p_opens_at timestamp with time zone, p_closes_at timestamp with time zone, p_resolution_rule jsonb, p_dispute_window_s integer, p_venue text, p_chain_market_id text, p_chain_address text, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_api;

REVOKE ALL ON FUNCTION public.put_venue_credentials(p_user_id uuid, p_venue text, p_key_id text, p_nonce bytea, p_ciphertext bytea, p_now timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.raise_alert(p_type text, p_severity text, p_fingerprint text, p_data jsonb, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.raise_alert(p_type text, p_severity text, p_fingerprint text, p_data jsonb, p_now timestamp with time zone) TO presage_admin;
GRANT ALL ON FUNCTION public.raise_alert(p_type text, p_severity text, p_fingerprint text, p_data jsonb, p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.readable_user(p_wallet text, p_as_admin boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.record_move(p_market_id uuid, p_action text, p_from text, p_to text, p_reason text, p_changes jsonb, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.record_tally(p_market_id uuid, p_kind text, p_fence bigint, p_yes numeric, p_no numeric, p_votes bigint, p_is_sent boolean, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.record_tally(p_market_id uuid, p_kind text, p_fence bigint, p_yes numeric, p_no numeric, p_votes bigint, p_is_sent boolean, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.record_trades(p_market_id uuid, p_outcome smallint, p_first_bps integer, p_last_bps integer, p_volume_micros bigint, p_volume_lots bigint, p_trades integer, p_new_traders integer, p_now timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.record_wallet_change(p_actor_id uuid, p_action text, p_resource text, p_resource_id uuid, p_user_id uuid, p_changes jsonb, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.refresh_leaderboard(p_day date, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.refresh_leaderboard(p_day date, p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.reindex_markets(p_after text, p_limit integer, p_rows integer, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.reindex_markets(p_after text, p_limit integer, p_rows integer, p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.relay_outbox(p_limit integer, p_large_micros bigint, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.relay_outbox(p_limit integer, p_large_micros bigint, p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.release_market_orders(p_market_id uuid, p_limit integer, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.release_market_orders(p_market_id uuid, p_limit integer, p_now timestamp with time zone) TO presage_admin;
GRANT ALL ON FUNCTION public.release_market_orders(p_market_id uuid, p_limit integer, p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.release_orders(p_order_ids uuid[], p_status text, p_now timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.replayed_batch(p_order_ids uuid[], p_refusals jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.replayed_order(p_order_id uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.resolve_escalation(p_escalation_id bigint, p_resolution text, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.resolve_escalation(p_escalation_id bigint, p_resolution text, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_admin;

REVOKE ALL ON FUNCTION public.revoke_api_key(p_id uuid, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.revoke_api_key(p_id uuid, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_api;

REVOKE ALL ON FUNCTION public.revoke_sessions(p_ip text, p_request_id text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.revoke_sessions(p_ip text, p_request_id text, p_now timestamp with time zone) TO presage_api;

REVOKE ALL ON FUNCTION public.roll_up_day(p_day date, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.roll_up_day(p_day date, p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.search_query(p_text text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.search_query(p_text text) TO presage_api;
GRANT ALL ON FUNCTION public.search_query(p_text text) TO presage_admin;
GRANT ALL ON FUNCTION public.search_query(p_text text) TO presage_worker;

REVOKE ALL ON FUNCTION public.set_tick_range(p_market_id uuid, p_min_bps integer, p_max_bps integer, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.set_tick_range(p_market_id uuid, p_min_bps integer, p_max_bps integer, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_admin;

REVOKE ALL ON FUNCTION public.set_trading_status(p_market_id uuid, p_status text, p_reason text, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.set_trading_status(p_market_id uuid, p_status text, p_reason text, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_admin;

REVOKE ALL ON FUNCTION public.settle_market(p_market_id uuid, p_limit integer, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.settle_market(p_market_id uuid, p_limit integer, p_now timestamp with time zone) TO presage_admin;
GRANT ALL ON FUNCTION public.settle_market(p_market_id uuid, p_limit integer, p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.sign_in(p_nonce text, p_address text, p_message text, p_user_id uuid, p_token_hash bytea, p_is_bootstrap_admin boolean, p_ip text, p_request_id text, p_now timestamp with time zone, p_expires_at timestamp with time zone, p_key_id text, p_credential_nonce bytea, p_ciphertext bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION public.sign_in(p_nonce text, p_address text, p_message text, p_user_id uuid, p_token_hash bytea, p_is_bootstrap_admin boolean, p_ip text, p_request_id text, p_now timestamp with time zone, p_expires_at timestamp with time zone, p_key_id text, p_credential_nonce bytea, p_ciphertext bytea) TO presage_api;

REVOKE ALL ON FUNCTION public.snapshot_prices(p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.snapshot_prices(p_now timestamp with time zone) TO presage_admin;
GRANT ALL ON FUNCTION public.snapshot_prices(p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.store_rate(p_base text, p_quote text, p_rate_micros bigint, p_source text, p_observed_at timestamp with time zone, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.store_rate(p_base text, p_quote text, p_rate_micros bigint, p_source text, p_observed_at timestamp with time zone, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_admin;
GRANT ALL ON FUNCTION public.store_rate(p_base text, p_quote text, p_rate_micros bigint, p_source text, p_observed_at timestamp with time zone, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.sweep_fees(p_limit integer, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.sweep_fees(p_limit integer, p_now timestamp with time zone) TO presage_admin;
GRANT ALL ON FUNCTION public.sweep_fees(p_limit integer, p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.take_back_trades(p_markets text[], p_times timestamp with time zone[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.tidy_closed_markets(p_except uuid[], p_markets integer, p_orders integer, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.tidy_closed_markets(p_except uuid[], p_markets integer, p_orders integer, p_now timestamp with time zone) TO presage_worker;

REVOKE ALL ON FUNCTION public.toggle_bookmark(p_market_id uuid, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.toggle_bookmark(p_market_id uuid, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_api;

REVOKE ALL ON FUNCTION public.toggle_follow(p_market_id uuid, p_on_trade boolean, p_on_resolve boolean, p_on_close boolean, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.toggle_follow(p_market_id uuid, p_on_trade boolean, p_on_resolve boolean, p_on_close boolean, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_api;

REVOKE ALL ON FUNCTION public.toggle_like(p_comment_id bigint, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.toggle_like(p_comment_id bigint, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_api;

REVOKE ALL ON FUNCTION public.unlink_venue(p_venue text, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.unlink_venue(p_venue text, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_api;

REVOKE ALL ON FUNCTION public.update_profile(p_changes jsonb, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.update_profile(p_changes jsonb, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_api;

REVOKE ALL ON FUNCTION public.update_user(p_user_id uuid, p_role text, p_closed_only boolean, p_reason text, p_request_id text, p_ip text, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.update_user(p_user_id uuid, p_role text, p_closed_only boolean, p_reason text, p_request_id text, p_ip text, p_now timestamp with time zone) TO presage_admin;

REVOKE ALL ON FUNCTION public.used_key(p_actor_id uuid, p_route text, p_key text, p_request_hash bytea) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.user_positions(p_wallet text, p_as_admin boolean, p_market_id uuid, p_outcome bigint, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.user_positions(p_wallet text, p_as_admin boolean, p_market_id uuid, p_outcome bigint, p_limit integer) TO presage_api;
GRANT ALL ON FUNCTION public.user_positions(p_wallet text, p_as_admin boolean, p_market_id uuid, p_outcome bigint, p_limit integer) TO presage_admin;
GRANT ALL ON FUNCTION public.user_positions(p_wallet text, p_as_admin boolean, p_market_id uuid, p_outcome bigint, p_limit integer) TO presage_worker;

REVOKE ALL ON FUNCTION public.user_profile(p_wallet text, p_as_admin boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION public.user_profile(p_wallet text, p_as_admin boolean) TO presage_api;
GRANT ALL ON FUNCTION public.user_profile(p_wallet text, p_as_admin boolean) TO presage_admin;
GRANT ALL ON FUNCTION public.user_profile(p_wallet text, p_as_admin boolean) TO presage_worker;

REVOKE ALL ON FUNCTION public.user_trades(p_wallet text, p_as_admin boolean, p_before_seq bigint, p_before_fill bigint, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.user_trades(p_wallet text, p_as_admin boolean, p_before_seq bigint, p_before_fill bigint, p_limit integer) TO presage_api;
GRANT ALL ON FUNCTION public.user_trades(p_wallet text, p_as_admin boolean, p_before_seq bigint, p_before_fill bigint, p_limit integer) TO presage_admin;
GRANT ALL ON FUNCTION public.user_trades(p_wallet text, p_as_admin boolean, p_before_seq bigint, p_before_fill bigint, p_limit integer) TO presage_worker;

REVOKE ALL ON FUNCTION public.user_votes(p_wallet text, p_as_admin boolean, p_before timestamp with time zone, p_before_id uuid, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.user_votes(p_wallet text, p_as_admin boolean, p_before timestamp with time zone, p_before_id uuid, p_limit integer) TO presage_api;
GRANT ALL ON FUNCTION public.user_votes(p_wallet text, p_as_admin boolean, p_before timestamp with time zone, p_before_id uuid, p_limit integer) TO presage_admin;
GRANT ALL ON FUNCTION public.user_votes(p_wallet text, p_as_admin boolean, p_before timestamp with time zone, p_before_id uuid, p_limit integer) TO presage_worker;

REVOKE ALL ON FUNCTION public.void_payout(p_market_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.void_payout(p_market_id uuid) TO presage_api;
GRANT ALL ON FUNCTION public.void_payout(p_market_id uuid) TO presage_admin;
GRANT ALL ON FUNCTION public.void_payout(p_market_id uuid) TO presage_worker;

REVOKE ALL ON FUNCTION public.vote_outcome(p_kind text, p_yes numeric, p_no numeric, p_votes bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.vote_outcome(p_kind text, p_yes numeric, p_no numeric, p_votes bigint) TO presage_api;
GRANT ALL ON FUNCTION public.vote_outcome(p_kind text, p_yes numeric, p_no numeric, p_votes bigint) TO presage_admin;
GRANT ALL ON FUNCTION public.vote_outcome(p_kind text, p_yes numeric, p_no numeric, p_votes bigint) TO presage_worker;

REVOKE ALL ON FUNCTION public.wallet_is_known(p_wallet text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.wallet_is_known(p_wallet text) TO presage_api;
GRANT ALL ON FUNCTION public.wallet_is_known(p_wallet text) TO presage_admin;
GRANT ALL ON FUNCTION public.wallet_is_known(p_wallet text) TO presage_worker;

REVOKE ALL ON FUNCTION public.wallet_of(p_user_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.wallet_of(p_user_id uuid) TO presage_api;
GRANT ALL ON FUNCTION public.wallet_of(p_user_id uuid) TO presage_admin;
GRANT ALL ON FUNCTION public.wallet_of(p_user_id uuid) TO presage_worker;

REVOKE ALL ON FUNCTION public.wallet_shares_traded(p_market text, p_wallet text, p_after bigint[], p_since timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.why_not_trading(p_venue text, p_state text, p_trading_status text, p_opens_at timestamp with time zone, p_closes_at timestamp with time zone, p_post_only boolean, p_now timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.winning_payout(p_market_id uuid, p_outcome text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.winning_payout(p_market_id uuid, p_outcome text) TO presage_api;
GRANT ALL ON FUNCTION public.winning_payout(p_market_id uuid, p_outcome text) TO presage_admin;
GRANT ALL ON FUNCTION public.winning_payout(p_market_id uuid, p_outcome text) TO presage_worker;

REVOKE ALL ON FUNCTION public.write_fills(p_fills public.fill_draft[], p_market_id uuid, p_outcome smallint, p_order_id uuid, p_taker_id uuid, p_side text, p_position text, p_fee_bps integer, p_maker_rebate_bps integer, p_now timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.write_orders(p_orders public.order_draft[], p_taker_id uuid, p_now timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.write_trades(p_orders public.order_draft[], p_taker_id uuid, p_now timestamp with time zone) FROM PUBLIC;

GRANT SELECT ON TABLE public.accounts TO presage_api;
GRANT SELECT ON TABLE public.accounts TO presage_admin;
GRANT SELECT ON TABLE public.accounts TO presage_worker;

GRANT SELECT ON TABLE public.aggregation_results TO presage_api;
GRANT SELECT ON TABLE public.aggregation_results TO presage_admin;
GRANT SELECT,INSERT ON TABLE public.aggregation_results TO presage_worker;

GRANT SELECT,DELETE ON TABLE public.api_keys TO presage_worker;

GRANT SELECT(id) ON TABLE public.api_keys TO presage_api;
GRANT SELECT(id) ON TABLE public.api_keys TO presage_admin;

GRANT SELECT(user_id) ON TABLE public.api_keys TO presage_api;
GRANT SELECT(user_id) ON TABLE public.api_keys TO presage_admin;

GRANT SELECT(name) ON TABLE public.api_keys TO presage_api;
GRANT SELECT(name) ON TABLE public.api_keys TO presage_admin;

GRANT SELECT(prefix) ON TABLE public.api_keys TO presage_api;
GRANT SELECT(prefix) ON TABLE public.api_keys TO presage_admin;

GRANT SELECT(scopes) ON TABLE public.api_keys TO presage_api;
GRANT SELECT(scopes) ON TABLE public.api_keys TO presage_admin;

GRANT SELECT(ip_allow_list) ON TABLE public.api_keys TO presage_api;
GRANT SELECT(ip_allow_list) ON TABLE public.api_keys TO presage_admin;

GRANT SELECT(created_at) ON TABLE public.api_keys TO presage_api;
GRANT SELECT(created_at) ON TABLE public.api_keys TO presage_admin;

GRANT SELECT(expires_at) ON TABLE public.api_keys TO presage_api;
GRANT SELECT(expires_at) ON TABLE public.api_keys TO presage_admin;

GRANT SELECT(last_used_at) ON TABLE public.api_keys TO presage_api;
GRANT SELECT(last_used_at) ON TABLE public.api_keys TO presage_admin;

GRANT SELECT(revoked_at) ON TABLE public.api_keys TO presage_api;
GRANT SELECT(revoked_at) ON TABLE public.api_keys TO presage_admin;

GRANT SELECT,INSERT ON TABLE public.audit_log TO presage_api;
GRANT SELECT,INSERT ON TABLE public.audit_log TO presage_admin;
GRANT SELECT,INSERT ON TABLE public.audit_log TO presage_worker;

GRANT SELECT,DELETE ON TABLE public.auth_challenges TO presage_worker;

GRANT SELECT ON TABLE public.bookmarks TO presage_api;
GRANT SELECT ON TABLE public.bookmarks TO presage_admin;
GRANT SELECT ON TABLE public.bookmarks TO presage_worker;

GRANT SELECT ON TABLE public.chain_addresses TO presage_api;
GRANT SELECT ON TABLE public.chain_addresses TO presage_admin;
GRANT SELECT ON TABLE public.chain_addresses TO presage_worker;

GRANT SELECT ON TABLE public.chain_config TO presage_api;
GRANT SELECT ON TABLE public.chain_config TO presage_admin;
GRANT SELECT ON TABLE public.chain_config TO presage_worker;

GRANT SELECT ON TABLE public.chain_cursors TO presage_admin;
GRANT SELECT,INSERT,UPDATE ON TABLE public.chain_cursors TO presage_worker;
GRANT SELECT ON TABLE public.chain_cursors TO presage_api;

GRANT SELECT ON TABLE public.chain_markets TO presage_api;
GRANT SELECT ON TABLE public.chain_markets TO presage_admin;
GRANT SELECT ON TABLE public.chain_markets TO presage_worker;

GRANT SELECT ON TABLE public.chain_positions TO presage_api;
GRANT SELECT ON TABLE public.chain_positions TO presage_admin;
GRANT SELECT ON TABLE public.chain_positions TO presage_worker;

GRANT SELECT ON TABLE public.chain_holdings TO presage_api;
GRANT SELECT ON TABLE public.chain_holdings TO presage_admin;
GRANT SELECT ON TABLE public.chain_holdings TO presage_worker;

GRANT SELECT ON TABLE public.chain_incomplete TO presage_admin;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.chain_incomplete TO presage_worker;

GRANT SELECT ON TABLE public.chain_trades TO presage_api;
GRANT SELECT ON TABLE public.chain_trades TO presage_admin;
GRANT SELECT ON TABLE public.chain_trades TO presage_worker;

GRANT SELECT ON TABLE public.chain_transactions TO presage_admin;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.chain_transactions TO presage_worker;

GRANT SELECT ON TABLE public.chain_votes TO presage_api;
GRANT SELECT ON TABLE public.chain_votes TO presage_admin;
GRANT SELECT ON TABLE public.chain_votes TO presage_worker;

GRANT SELECT ON TABLE public.comments TO presage_worker;

GRANT SELECT ON TABLE public.daily_reports TO presage_admin;
GRANT SELECT,INSERT,UPDATE ON TABLE public.daily_reports TO presage_worker;

GRANT SELECT ON TABLE public.discrepancies TO presage_admin;
GRANT SELECT,INSERT,DELETE ON TABLE public.discrepancies TO presage_worker;

GRANT SELECT ON TABLE public.dispute_weights TO presage_api;
GRANT SELECT ON TABLE public.dispute_weights TO presage_admin;
GRANT SELECT ON TABLE public.dispute_weights TO presage_worker;

GRANT SELECT ON TABLE public.exchange_rates TO presage_admin;
GRANT SELECT ON TABLE public.exchange_rates TO presage_worker;

GRANT SELECT(id) ON TABLE public.exchange_rates TO presage_api;

GRANT SELECT(base) ON TABLE public.exchange_rates TO presage_api;

GRANT SELECT(quote) ON TABLE public.exchange_rates TO presage_api;

GRANT SELECT(rate_micros) ON TABLE public.exchange_rates TO presage_api;

GRANT SELECT(source) ON TABLE public.exchange_rates TO presage_api;

GRANT SELECT(observed_at) ON TABLE public.exchange_rates TO presage_api;

GRANT SELECT ON TABLE public.fills TO presage_api;
GRANT SELECT ON TABLE public.fills TO presage_admin;
GRANT SELECT ON TABLE public.fills TO presage_worker;

GRANT SELECT ON TABLE public.follows TO presage_api;
GRANT SELECT ON TABLE public.follows TO presage_admin;
GRANT SELECT ON TABLE public.follows TO presage_worker;

GRANT SELECT,DELETE ON TABLE public.idempotency_keys TO presage_worker;

GRANT SELECT ON TABLE public.ipfs_anchors TO presage_api;
GRANT SELECT ON TABLE public.ipfs_anchors TO presage_admin;
GRANT SELECT,INSERT,DELETE ON TABLE public.ipfs_anchors TO presage_worker;

GRANT UPDATE(pinned_at) ON TABLE public.ipfs_anchors TO presage_worker;

GRANT SELECT ON TABLE public.leaderboard_entries TO presage_admin;
GRANT SELECT ON TABLE public.leaderboard_entries TO presage_worker;

GRANT SELECT,DELETE ON TABLE public.login_attempts TO presage_worker;

GRANT SELECT ON TABLE public.market_audience TO presage_api;
GRANT SELECT ON TABLE public.market_audience TO presage_admin;
GRANT SELECT ON TABLE public.market_audience TO presage_worker;

GRANT SELECT ON TABLE public.market_clarifications TO presage_api;
GRANT SELECT,INSERT ON TABLE public.market_clarifications TO presage_admin;
GRANT SELECT,INSERT ON TABLE public.market_clarifications TO presage_worker;

GRANT SELECT ON TABLE public.market_counters TO presage_api;
GRANT SELECT ON TABLE public.market_counters TO presage_admin;
GRANT SELECT ON TABLE public.market_counters TO presage_worker;

GRANT SELECT ON TABLE public.market_daily_stats TO presage_api;
GRANT SELECT ON TABLE public.market_daily_stats TO presage_admin;
GRANT SELECT ON TABLE public.market_daily_stats TO presage_worker;

GRANT SELECT ON TABLE public.market_disputes TO presage_api;
GRANT SELECT ON TABLE public.market_disputes TO presage_admin;
GRANT SELECT ON TABLE public.market_disputes TO presage_worker;

GRANT SELECT ON TABLE public.market_ledgers TO presage_admin;
GRANT SELECT ON TABLE public.market_ledgers TO presage_worker;

GRANT SELECT ON TABLE public.market_listings TO presage_api;
GRANT SELECT ON TABLE public.market_listings TO presage_admin;
GRANT SELECT ON TABLE public.market_listings TO presage_worker;

GRANT SELECT ON TABLE public.market_state_changes TO presage_api;
GRANT SELECT,INSERT ON TABLE public.market_state_changes TO presage_admin;
GRANT SELECT,INSERT ON TABLE public.market_state_changes TO presage_worker;

GRANT SELECT ON TABLE public.markets TO presage_api;
GRANT SELECT,INSERT,UPDATE ON TABLE public.markets TO presage_admin;
GRANT SELECT,INSERT,UPDATE ON TABLE public.markets TO presage_worker;

GRANT SELECT,INSERT,UPDATE ON TABLE public.news_feeds TO presage_worker;

GRANT SELECT ON TABLE public.news_items TO presage_api;
GRANT SELECT ON TABLE public.news_items TO presage_admin;
GRANT SELECT,INSERT,DELETE ON TABLE public.news_items TO presage_worker;

GRANT SELECT ON TABLE public.notifications TO presage_api;
GRANT SELECT ON TABLE public.notifications TO presage_admin;
GRANT SELECT,INSERT,DELETE ON TABLE public.notifications TO presage_worker;

GRANT UPDATE(read_at) ON TABLE public.notifications TO presage_api;

GRANT SELECT ON TABLE public.order_batches TO presage_api;
GRANT SELECT ON TABLE public.order_batches TO presage_admin;
GRANT SELECT,DELETE ON TABLE public.order_batches TO presage_worker;

GRANT SELECT ON TABLE public.orders TO presage_api;
GRANT SELECT ON TABLE public.orders TO presage_admin;
GRANT SELECT ON TABLE public.orders TO presage_worker;

GRANT SELECT,DELETE ON TABLE public.outbox TO presage_worker;

GRANT SELECT(id) ON TABLE public.outbox TO presage_admin;

GRANT SELECT(published_at) ON TABLE public.outbox TO presage_admin;
GRANT UPDATE(published_at) ON TABLE public.outbox TO presage_worker;

GRANT SELECT ON TABLE public.outcomes TO presage_api;
GRANT SELECT,INSERT,UPDATE ON TABLE public.outcomes TO presage_admin;
GRANT SELECT,INSERT,UPDATE ON TABLE public.outcomes TO presage_worker;

GRANT SELECT ON TABLE public.platform_daily_stats TO presage_api;
GRANT SELECT ON TABLE public.platform_daily_stats TO presage_admin;
GRANT SELECT ON TABLE public.platform_daily_stats TO presage_worker;

GRANT SELECT ON TABLE public.positions TO presage_api;
GRANT SELECT ON TABLE public.positions TO presage_admin;
GRANT SELECT ON TABLE public.positions TO presage_worker;

GRANT SELECT ON TABLE public.price_bars TO presage_api;
GRANT SELECT ON TABLE public.price_bars TO presage_admin;
GRANT SELECT ON TABLE public.price_bars TO presage_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.price_feeds TO presage_worker;
GRANT SELECT ON TABLE public.price_feeds TO presage_admin;

GRANT SELECT ON TABLE public.price_points TO presage_api;
GRANT SELECT ON TABLE public.price_points TO presage_admin;
GRANT SELECT ON TABLE public.price_points TO presage_worker;

GRANT SELECT ON TABLE public.profit_marks TO presage_admin;
GRANT SELECT ON TABLE public.profit_marks TO presage_worker;

GRANT SELECT,DELETE ON TABLE public.sessions TO presage_worker;
GRANT SELECT ON TABLE public.sessions TO presage_admin;

GRANT UPDATE(revoked_at) ON TABLE public.sessions TO presage_admin;

GRANT SELECT ON TABLE public.settlements TO presage_api;
GRANT SELECT ON TABLE public.settlements TO presage_admin;
GRANT SELECT ON TABLE public.settlements TO presage_worker;

GRANT SELECT ON TABLE public.share_operations TO presage_api;
GRANT SELECT ON TABLE public.share_operations TO presage_admin;
GRANT SELECT ON TABLE public.share_operations TO presage_worker;

GRANT SELECT ON TABLE public.tick_changes TO presage_api;
GRANT SELECT ON TABLE public.tick_changes TO presage_admin;
GRANT SELECT ON TABLE public.tick_changes TO presage_worker;

GRANT SELECT ON TABLE public.transfers TO presage_api;
GRANT SELECT ON TABLE public.transfers TO presage_admin;
GRANT SELECT ON TABLE public.transfers TO presage_worker;

GRANT SELECT,INSERT ON TABLE public.unsigned_transactions TO presage_api;
GRANT SELECT,DELETE ON TABLE public.unsigned_transactions TO presage_worker;

GRANT SELECT ON TABLE public.user_daily_stats TO presage_admin;
GRANT SELECT ON TABLE public.user_daily_stats TO presage_worker;

GRANT SELECT ON TABLE public.users TO presage_api;
GRANT SELECT ON TABLE public.users TO presage_admin;
GRANT SELECT ON TABLE public.users TO presage_worker;

GRANT UPDATE(display_name) ON TABLE public.users TO presage_api;
GRANT UPDATE(display_name) ON TABLE public.users TO presage_admin;

GRANT UPDATE(language) ON TABLE public.users TO presage_api;
GRANT UPDATE(language) ON TABLE public.users TO presage_admin;

GRANT UPDATE(role) ON TABLE public.users TO presage_admin;

GRANT UPDATE(closed_only) ON TABLE public.users TO presage_admin;

GRANT SELECT ON TABLE public.venue_credentials TO presage_api;
GRANT SELECT ON TABLE public.venue_credentials TO presage_worker;

GRANT UPDATE(key_id) ON TABLE public.venue_credentials TO presage_worker;

GRANT UPDATE(nonce) ON TABLE public.venue_credentials TO presage_worker;

GRANT UPDATE(ciphertext) ON TABLE public.venue_credentials TO presage_worker;

GRANT SELECT ON TABLE public.vote_tallies TO presage_admin;
GRANT SELECT,INSERT,UPDATE ON TABLE public.vote_tallies TO presage_worker;

GRANT SELECT ON TABLE public.votes TO presage_api;
GRANT SELECT ON TABLE public.votes TO presage_admin;
GRANT SELECT ON TABLE public.votes TO presage_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.workflow_runs TO presage_worker;
GRANT SELECT ON TABLE public.workflow_runs TO presage_admin;

GRANT SELECT,DELETE ON TABLE public.ws_tickets TO presage_worker;
