-- People see and change what they follow and bookmark, and read what they were told; counts are
-- public. Toggles and notifications are written by definer functions and workflows.
revoke all on public.bookmarks, public.follows, public.market_audience, public.notifications
    from presage_api, presage_admin, presage_worker;
grant select on public.bookmarks, public.follows, public.notifications, public.market_audience
    to presage_api, presage_admin, presage_worker;
grant update (read_at) on public.notifications to presage_api;
grant insert, delete on public.notifications to presage_worker;

alter table public.bookmarks enable row level security;
drop policy if exists bookmarks_are_seen_by_their_owner on public.bookmarks;
create policy bookmarks_are_seen_by_their_owner on public.bookmarks for select to presage_api
    using (user_id = (select public.actor_id()));
drop policy if exists bookmarks_are_open_to_staff on public.bookmarks;
create policy bookmarks_are_open_to_staff on public.bookmarks to presage_admin, presage_worker
    using (true) with check (true);

alter table public.follows enable row level security;
drop policy if exists follows_are_seen_by_their_owner on public.follows;
create policy follows_are_seen_by_their_owner on public.follows for select to presage_api
    using (user_id = (select public.actor_id()));
drop policy if exists follows_are_open_to_staff on public.follows;
create policy follows_are_open_to_staff on public.follows to presage_admin, presage_worker
    using (true) with check (true);

alter table public.notifications enable row level security;
drop policy if exists notifications_are_seen_by_their_reader on public.notifications;
create policy notifications_are_seen_by_their_reader on public.notifications to presage_api
    using (user_id = (select public.actor_id())) with check (user_id = (select public.actor_id()));
drop policy if exists notifications_are_open_to_staff on public.notifications;
create policy notifications_are_open_to_staff on public.notifications
    to presage_admin, presage_worker using (true) with check (true);
