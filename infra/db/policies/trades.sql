-- What somebody was given to sign is that person's, and of no use to another.
revoke all on public.unsigned_transactions from presage_api, presage_admin, presage_worker;
grant select, insert on public.unsigned_transactions to presage_api;
grant select, delete on public.unsigned_transactions to presage_worker;

alter table public.unsigned_transactions enable row level security;
drop policy if exists unsigned_transactions_are_their_signers on public.unsigned_transactions;
create policy unsigned_transactions_are_their_signers on public.unsigned_transactions
    to presage_api using (user_id = (select public.actor_id()))
    with check (user_id = (select public.actor_id()));
drop policy if exists unsigned_transactions_are_open_to_workers on public.unsigned_transactions;
create policy unsigned_transactions_are_open_to_workers on public.unsigned_transactions
    to presage_worker using (true);
