-- Statistics, ticks to come and news are public; reports are for admins. What a person traded and
-- earned is seen by nobody but workflows: the board shows names, through a definer function.
revoke all on public.market_daily_stats, public.platform_daily_stats, public.user_daily_stats,
    public.tick_changes, public.profit_marks, public.leaderboard_entries, public.daily_reports,
    public.news_items, public.news_feeds
    from presage_api, presage_admin, presage_worker;
grant select on public.market_daily_stats, public.platform_daily_stats, public.tick_changes,
    public.news_items to presage_api, presage_admin, presage_worker;
grant select on public.daily_reports, public.user_daily_stats, public.profit_marks,
    public.leaderboard_entries to presage_admin, presage_worker;
grant insert, update on public.daily_reports, public.news_feeds to presage_worker;
grant insert, delete on public.news_items to presage_worker;
grant select on public.news_feeds to presage_worker;

alter table public.user_daily_stats enable row level security;
drop policy if exists user_daily_stats_are_open_to_staff on public.user_daily_stats;
create policy user_daily_stats_are_open_to_staff on public.user_daily_stats
    to presage_admin, presage_worker using (true) with check (true);
alter table public.profit_marks enable row level security;
drop policy if exists profit_marks_are_open_to_staff on public.profit_marks;
create policy profit_marks_are_open_to_staff on public.profit_marks
    to presage_admin, presage_worker using (true) with check (true);
alter table public.leaderboard_entries enable row level security;
drop policy if exists leaderboard_entries_are_open_to_staff on public.leaderboard_entries;
create policy leaderboard_entries_are_open_to_staff on public.leaderboard_entries
    to presage_admin, presage_worker using (true) with check (true);
