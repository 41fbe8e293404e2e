-- name: first_open_day
-- The oldest day (UTC) that may still change: after the last final one, or the platform's first.
select coalesce(
    (select max(s.day) + 1 from public.platform_daily_stats as s where s.is_final),
    (select (min(u.created_at) at time zone 'UTC')::date from public.users as u),
    %(today)s::date
) as day;

-- name: roll_up_day
-- Count a day's statistics anew unless they are final.
select public.roll_up_day(%(day)s, %(now)s) as is_final;

-- name: refresh_leaderboard
-- Rank everybody by what happened before a day began, once a day.
select public.refresh_leaderboard(%(day)s, %(now)s) as count;

-- name: list_leaderboard
-- One page of the board of a period, by one metric.
select rank, name, profit_micros, volume_micros, won_markets, lost_markets, win_rate_bps,
       refreshed_at
from public.list_leaderboard(%(period)s, %(metric)s, %(after)s, %(limit)s);

-- name: report_facts
-- What the report of a day says, from the statistics and from what was recorded that day.
select s.day, s.volume_micros, s.fees_micros, s.rebates_micros, s.trade_count, s.active_users,
       s.new_users, s.new_markets, s.is_final,
       (select count(*) from public.users as u where u.created_at < d.until)::integer
           as total_users,
       (select count(*) from public.markets as m where m.state = 'ACTIVE')::integer
           as active_markets,
       (select count(*) from public.markets as m
        where m.finalized_at >= d.since and m.finalized_at < d.until)::integer as finalized_markets,
       (select count(*) from public.markets as m
        where m.settled_at >= d.since and m.settled_at < d.until)::integer as settled_markets,
       (select coalesce(sum(x.credited_micros), 0) from public.deposits as x
        where x.status = 'verified' and x.decided_at >= d.since and x.decided_at < d.until)::bigint
           as deposits_micros,
       (select coalesce(sum(x.amount_micros), 0) from public.withdrawals as x
        where x.status = 'completed' and x.decided_at >= d.since and x.decided_at < d.until)::bigint
           as withdrawals_micros,
       (select count(*) from public.workflow_runs as r
        where r.status = 'failed' and r.started_at >= d.since and r.started_at < d.until)::integer
           as failed_runs,
       (select count(*) from public.dead_letters as l
        where l.status in ('pending', 'manual_review'))::integer as dead_letters,
       (select count(*) from public.escalations as e where e.status = 'open')::integer
           as open_escalations
from public.platform_daily_stats as s
cross join lateral (
    select s.day::timestamp at time zone 'UTC' as since,
           (s.day + 1)::timestamp at time zone 'UTC' as until
) as d
where s.day = %(day)s;

-- name: report_markets
-- The markets of a day by volume.
select m.id as market_id, m.slug, m.question, sum(s.volume_micros)::bigint as volume_micros,
       sum(s.trade_count)::integer as trade_count
from public.market_daily_stats as s
join public.markets as m on m.id = s.market_id
where s.day = %(day)s
group by m.id
order by volume_micros desc, m.id
limit %(limit)s;

-- name: keep_report
-- Keep a day's report; the first one stands.
insert into public.daily_reports (day, facts, markdown, created_at)
values (%(day)s, %(facts)s::jsonb, %(markdown)s, %(now)s)
on conflict (day) do nothing;

-- name: report_to_tell
-- A day's report as it stands, and who has it already.
select markdown, channels from public.daily_reports where day = %(day)s;

-- name: note_report_channel
-- One channel has taken a day's report: it is not told again.
update public.daily_reports set channels = array_append(channels, %(channel)s::text)
where day = %(day)s and not %(channel)s::text = any (channels);

-- name: list_reports
-- One page of reports, newest first.
select r.day as date, r.created_at
from public.daily_reports as r
where %(before)s::date is null or r.day < %(before)s::date
order by r.day desc
limit %(limit)s;

-- name: get_report
-- One day's report.
select r.day, r.facts, r.markdown
from public.daily_reports as r
where r.day = %(day)s;
