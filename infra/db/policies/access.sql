-- People see their own keys, without the hash, which is a credential. Tickets are nobody's: definer
-- functions write and take them.
alter table public.api_keys enable row level security;
alter table public.ws_tickets enable row level security;

revoke all on public.api_keys, public.ws_tickets from presage_api, presage_admin, presage_worker;
grant select (id, user_id, name, prefix, scopes, ip_allow_list, created_at, expires_at,
    last_used_at, revoked_at) on public.api_keys to presage_api, presage_admin;
grant select, delete on public.api_keys, public.ws_tickets to presage_worker;

drop policy if exists api_keys_are_seen_by_their_owner on public.api_keys;
create policy api_keys_are_seen_by_their_owner on public.api_keys for select to presage_api
    using (user_id = (select public.actor_id()));
drop policy if exists api_keys_are_seen_by_admins on public.api_keys;
create policy api_keys_are_seen_by_admins on public.api_keys for select to presage_admin
    using (true);
drop policy if exists api_keys_are_swept_by_workers on public.api_keys;
create policy api_keys_are_swept_by_workers on public.api_keys to presage_worker
    using (true);
drop policy if exists ws_tickets_are_swept_by_workers on public.ws_tickets;
create policy ws_tickets_are_swept_by_workers on public.ws_tickets to presage_worker
    using (true);
