-- Why: a tick follows the market's realised volatility, by one statement for all markets. Volatility
-- is the root of the summed squares of hourly moves over the 24 whole hours before p_now, in shares
-- of the payout and not of the price, since YES and NO are one book and must say the same; an hour
-- without trades moves nothing; of several outcomes the wildest counts. Below 200 bps the next finer
-- tick of the grid is announced, above 1,000 the next coarser, within the market's own range, with
-- 24 hours' notice; nothing is said of a market that did not trade, closes before the change, or
-- has one waiting.
--
-- Emergency: when it is at least 200 bps and twice that of the 24 hours before, the tick widens at
-- once, in place of a change that waits; once in 24 hours a market, so that a day's jump is answered
-- once and a repeated run answers nothing twice.
--
-- No market is locked or changed here: apply_tick_changes does that. Answers how many were announced.
create or replace function public.announce_tick_changes(p_now timestamptz)
returns table (announced integer, emergencies integer)
language plpgsql volatile security definer set search_path = ''
as $$
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
revoke execute on function public.announce_tick_changes(timestamptz) from public;
grant execute on function public.announce_tick_changes(timestamptz) to presage_worker;
