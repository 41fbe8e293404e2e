-- Why: the board of every period by a constant number of statements. It stands for the time before
-- p_day began (UTC): profit is what was realised between two marks, which the runs of two days set; volume is that of whole days; a market is won or lost by what it realised in all,
-- once it is settled. Running it again on a day changes nothing. Ties are broken by the other
-- figures, then by who joined first, then by id. Answers how many entries there are.
create or replace function public.refresh_leaderboard(p_day date, p_now timestamptz)
returns integer
language plpgsql volatile security definer set search_path = ''
as $$
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
revoke execute on function public.refresh_leaderboard(date, timestamptz) from public;
grant execute on function public.refresh_leaderboard(date, timestamptz) to presage_worker;
