-- Workflows write what they did; admins read it and answer escalations (by a definer function). No
-- user may see any of it but the tickets that they opened themselves.
revoke all on public.workflow_runs, public.dead_letters, public.escalations, public.price_feeds
    from presage_api, presage_admin, presage_worker;
grant select, insert, update, delete
    on public.workflow_runs, public.dead_letters, public.escalations, public.price_feeds
    to presage_worker;
grant select on public.workflow_runs, public.dead_letters, public.escalations, public.price_feeds
    to presage_admin;
grant update on public.dead_letters to presage_admin;
grant select (id, user_id, title, reason, status, created_at, resolution, resolved_at)
    on public.escalations to presage_api;

alter table public.escalations enable row level security;
drop policy if exists escalations_are_seen_by_their_opener on public.escalations;
create policy escalations_are_seen_by_their_opener on public.escalations for select to presage_api
    using (user_id = (select public.actor_id()));
drop policy if exists escalations_are_open_to_staff on public.escalations;
create policy escalations_are_open_to_staff on public.escalations to presage_admin, presage_worker
    using (true) with check (true);
