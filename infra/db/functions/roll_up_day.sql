-- Why: a day's statistics by a constant number of statements, from the bars and fills of that day
-- and nothing else, so that running it again gives the same figures. Once the day is over by a
-- minute (longer than any trade takes to commit) its row is final and nothing changes it any more.
-- Answers whether the day is final.
create or replace function public.roll_up_day(p_day date, p_now timestamptz) returns boolean
language plpgsql volatile security definer set search_path = ''
as $$
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
revoke execute on function public.roll_up_day(date, timestamptz) from public;
grant execute on function public.roll_up_day(date, timestamptz) to presage_worker;
