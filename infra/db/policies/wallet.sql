-- People see their own deposits and withdrawals, staff all of them; definer functions alone write.
-- A rate is public, who set it is not.
revoke all on public.deposits, public.withdrawals, public.exchange_rates
    from presage_api, presage_admin, presage_worker;
grant select on public.deposits, public.withdrawals to presage_api, presage_admin, presage_worker;
grant select (id, base, quote, rate_micros, source, observed_at) on public.exchange_rates
    to presage_api;
grant select on public.exchange_rates to presage_admin, presage_worker;

alter table public.deposits enable row level security;
drop policy if exists deposits_are_seen_by_their_owner on public.deposits;
create policy deposits_are_seen_by_their_owner on public.deposits for select to presage_api
    using (user_id = (select public.actor_id()));
drop policy if exists deposits_are_open_to_staff on public.deposits;
create policy deposits_are_open_to_staff on public.deposits to presage_admin, presage_worker
    using (true) with check (true);

alter table public.withdrawals enable row level security;
drop policy if exists withdrawals_are_seen_by_their_owner on public.withdrawals;
create policy withdrawals_are_seen_by_their_owner on public.withdrawals for select to presage_api
    using (user_id = (select public.actor_id()));
drop policy if exists withdrawals_are_open_to_staff on public.withdrawals;
create policy withdrawals_are_open_to_staff on public.withdrawals to presage_admin, presage_worker
    using (true) with check (true);
