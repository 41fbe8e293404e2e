-- People's secrets at other venues, encrypted: definer functions write them, their owner's requests
-- and workers read them (the trading desk, the rotation of keys), admins have no business with them.
alter table public.venue_credentials enable row level security;
revoke all on public.venue_credentials from presage_api, presage_admin, presage_worker;
grant select on public.venue_credentials to presage_api, presage_worker;
grant update (key_id, nonce, ciphertext) on public.venue_credentials to presage_worker;

drop policy if exists venue_credentials_are_seen_by_their_owner on public.venue_credentials;
create policy venue_credentials_are_seen_by_their_owner on public.venue_credentials
    for select to presage_api
    using (user_id = (select public.actor_id()));
drop policy if exists venue_credentials_are_open_to_workers on public.venue_credentials;
create policy venue_credentials_are_open_to_workers on public.venue_credentials to presage_worker
    using (true) with check (true);
