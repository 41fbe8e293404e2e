-- People see their own row and may edit how they are shown. Sessions, challenges and counted
-- attempts are nobody's: definer functions read and write them. The log takes one's own entries.
alter table public.users enable row level security;
alter table public.sessions enable row level security;
alter table public.auth_challenges enable row level security;
alter table public.login_attempts enable row level security;
alter table public.audit_log enable row level security;

revoke all on public.users, public.sessions, public.auth_challenges, public.login_attempts,
    public.audit_log from presage_api, presage_admin, presage_worker;
grant select on public.users to presage_api, presage_admin, presage_worker;
grant update (display_name, language) on public.users to presage_api;
grant update (display_name, language, role, closed_only) on public.users to presage_admin;
grant select, delete on public.sessions, public.auth_challenges, public.login_attempts
    to presage_worker;
grant select on public.sessions to presage_admin;
grant update (revoked_at) on public.sessions to presage_admin;
grant select, insert on public.audit_log to presage_api, presage_admin, presage_worker;

drop policy if exists users_see_themselves on public.users;
create policy users_see_themselves on public.users to presage_api
    using (id = (select public.actor_id())) with check (id = (select public.actor_id()));
drop policy if exists users_are_open_to_staff on public.users;
create policy users_are_open_to_staff on public.users to presage_admin, presage_worker
    using (true) with check (true);

drop policy if exists sessions_are_open_to_staff on public.sessions;
create policy sessions_are_open_to_staff on public.sessions to presage_admin, presage_worker
    using (true) with check (true);
drop policy if exists auth_challenges_are_swept_by_workers on public.auth_challenges;
create policy auth_challenges_are_swept_by_workers on public.auth_challenges to presage_worker
    using (true);
drop policy if exists login_attempts_are_swept_by_workers on public.login_attempts;
create policy login_attempts_are_swept_by_workers on public.login_attempts to presage_worker
    using (true);

drop policy if exists audit_log_shows_ones_own on public.audit_log;
create policy audit_log_shows_ones_own on public.audit_log to presage_api
    using (actor_id = (select public.actor_id()))
    with check (actor_id = (select public.actor_id()));
drop policy if exists audit_log_is_open_to_staff on public.audit_log;
create policy audit_log_is_open_to_staff on public.audit_log to presage_admin, presage_worker
    using (true) with check (true);
