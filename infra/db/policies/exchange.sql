-- What is public is readable by everybody; what a person owns is seen through policies; nothing of
-- the exchange's money is written but by definer functions, so no role is granted a write on it.
revoke all on public.markets, public.outcomes, public.market_state_changes,
    public.market_clarifications, public.market_ledgers, public.market_counters, public.price_bars,
    public.price_points, public.accounts, public.transfers, public.transfer_keys, public.orders,
    public.fills, public.positions, public.outbox, public.settlements
    from presage_api, presage_admin, presage_worker;

grant select on public.markets, public.outcomes, public.market_state_changes,
    public.market_clarifications, public.market_counters, public.price_bars, public.price_points
    to presage_api, presage_admin, presage_worker;
grant insert, update on public.markets, public.outcomes to presage_admin, presage_worker;
grant insert on public.market_state_changes, public.market_clarifications
    to presage_admin, presage_worker;

grant select on public.accounts, public.transfers, public.orders, public.fills, public.positions,
    public.settlements to presage_api, presage_admin, presage_worker;
grant select on public.market_ledgers to presage_admin, presage_worker;
grant select, delete on public.outbox to presage_worker;
grant select (id, published_at) on public.outbox to presage_admin;
grant update (published_at) on public.outbox to presage_worker;

alter table public.accounts enable row level security;
drop policy if exists accounts_are_seen_by_their_owner on public.accounts;
create policy accounts_are_seen_by_their_owner on public.accounts for select to presage_api
    using (user_id = (select public.actor_id()));
drop policy if exists accounts_are_open_to_staff on public.accounts;
create policy accounts_are_open_to_staff on public.accounts to presage_admin, presage_worker
    using (true) with check (true);

alter table public.transfers enable row level security;
drop policy if exists transfers_are_seen_by_both_sides on public.transfers;
create policy transfers_are_seen_by_both_sides on public.transfers for select to presage_api
    using (
        debit_account = (select a.id from public.accounts as a
                         where a.user_id = (select public.actor_id()))
        or credit_account = (select a.id from public.accounts as a
                             where a.user_id = (select public.actor_id()))
    );
drop policy if exists transfers_are_open_to_staff on public.transfers;
create policy transfers_are_open_to_staff on public.transfers to presage_admin, presage_worker
    using (true) with check (true);

alter table public.transfer_keys enable row level security;

alter table public.orders enable row level security;
drop policy if exists orders_are_seen_by_their_owner on public.orders;
create policy orders_are_seen_by_their_owner on public.orders for select to presage_api
    using (user_id = (select public.actor_id()));
drop policy if exists orders_are_open_to_staff on public.orders;
create policy orders_are_open_to_staff on public.orders to presage_admin, presage_worker
    using (true) with check (true);

alter table public.fills enable row level security;
drop policy if exists fills_are_seen_by_both_sides on public.fills;
create policy fills_are_seen_by_both_sides on public.fills for select to presage_api
    using (taker_id = (select public.actor_id()) or maker_id = (select public.actor_id()));
drop policy if exists fills_are_open_to_staff on public.fills;
create policy fills_are_open_to_staff on public.fills to presage_admin, presage_worker
    using (true) with check (true);

alter table public.positions enable row level security;
drop policy if exists positions_are_seen_by_their_holder on public.positions;
create policy positions_are_seen_by_their_holder on public.positions for select to presage_api
    using (user_id = (select public.actor_id()));
drop policy if exists positions_are_open_to_staff on public.positions;
create policy positions_are_open_to_staff on public.positions to presage_admin, presage_worker
    using (true) with check (true);

alter table public.settlements enable row level security;
drop policy if exists settlements_are_seen_by_the_paid on public.settlements;
create policy settlements_are_seen_by_the_paid on public.settlements for select to presage_api
    using (user_id = (select public.actor_id()));
drop policy if exists settlements_are_open_to_staff on public.settlements;
create policy settlements_are_open_to_staff on public.settlements to presage_admin, presage_worker
    using (true) with check (true);

alter table public.outbox enable row level security;
drop policy if exists outbox_is_swept_by_workers on public.outbox;
create policy outbox_is_swept_by_workers on public.outbox to presage_worker
    using (true) with check (true);
drop policy if exists outbox_is_counted_by_admins on public.outbox;
create policy outbox_is_counted_by_admins on public.outbox for select to presage_admin
    using (true);

revoke all on public.order_batches from presage_api, presage_admin, presage_worker;
grant select on public.order_batches to presage_api, presage_admin, presage_worker;
grant delete on public.order_batches to presage_worker;
alter table public.order_batches enable row level security;
drop policy if exists order_batches_are_seen_by_their_owner on public.order_batches;
create policy order_batches_are_seen_by_their_owner on public.order_batches
    for select to presage_api
    using (user_id = (select public.actor_id()));
drop policy if exists order_batches_are_open_to_staff on public.order_batches;
create policy order_batches_are_open_to_staff on public.order_batches
    to presage_admin, presage_worker
    using (true) with check (true);

revoke all on public.idempotency_keys, public.share_operations
    from presage_api, presage_admin, presage_worker;
grant select on public.share_operations to presage_api, presage_admin, presage_worker;
grant select, delete on public.idempotency_keys to presage_worker;
alter table public.idempotency_keys enable row level security;
drop policy if exists idempotency_keys_are_swept_by_workers on public.idempotency_keys;
create policy idempotency_keys_are_swept_by_workers on public.idempotency_keys to presage_worker
    using (true);
alter table public.share_operations enable row level security;
drop policy if exists share_operations_are_seen_by_their_owner on public.share_operations;
create policy share_operations_are_seen_by_their_owner on public.share_operations
    for select to presage_api
    using (user_id = (select public.actor_id()));
drop policy if exists share_operations_are_open_to_staff on public.share_operations;
create policy share_operations_are_open_to_staff on public.share_operations
    to presage_admin, presage_worker
    using (true) with check (true);

-- That a market is disputed, and why, is public; market_disputes shows its people to staff only.
revoke all on public.market_disputes from presage_api, presage_admin, presage_worker;
grant select on public.market_disputes to presage_api, presage_admin, presage_worker;
alter table public.market_disputes enable row level security;
drop policy if exists market_disputes_are_seen_by_who_raised_them on public.market_disputes;
create policy market_disputes_are_seen_by_who_raised_them on public.market_disputes
    for select to presage_api
    using (user_id = (select public.actor_id()));
drop policy if exists market_disputes_are_open_to_staff on public.market_disputes;
create policy market_disputes_are_open_to_staff on public.market_disputes
    to presage_admin, presage_worker
    using (true) with check (true);
