-- Money that comes from outside and goes there: what people announce, what admins confirm, and the
-- rates at which another currency than the collateral is taken and paid.

-- Rates as they were observed: append only, the latest rules. One of `base` is worth rate_micros
-- millionths of `quote`.
create table exchange_rates (
    id          bigint generated always as identity primary key,
    base        text        not null,
    quote       text        not null,
    rate_micros bigint      not null,
    source      text        not null,
    observed_at timestamptz not null,
    set_by      uuid references users (id),
    constraint exchange_rates_convert_something check (base <> quote),
    constraint exchange_rates_lie_within_reason check (rate_micros between 1 and 1000000000000),
    constraint exchange_rates_name_a_source check (length(source) between 1 and 100)
);
create index exchange_rates_by_time on exchange_rates (base, quote, observed_at desc, id desc);

-- What a person says was sent. amount_micros is in `currency`; credited_micros is what verification
-- credits, in the collateral currency, by the rate frozen here; what is left below a millionth stays
-- outside. reference_key is the sender's reference without case and punctuation.
create sequence wallet_numbers;
create table deposits (
    id               uuid primary key,
    seq              bigint      not null default nextval('wallet_numbers'),
    user_id          uuid        not null references users (id),
    method           text        not null,
    currency         text        not null,
    amount_micros    bigint      not null,
    rate_micros      bigint,
    credited_micros  bigint      not null,
    sender_reference text        not null,
    reference_key    text        not null,
    sender_number    text,
    status           text        not null default 'pending',
    reason           text,
    created_at       timestamptz not null,
    expires_at       timestamptz not null,
    decided_at       timestamptz,
    decided_by       uuid references users (id),
    constraint deposits_method_is_known
        check (method in ('bkash', 'nagad', 'rocket', 'bank', 'usdt')),
    constraint deposits_status_is_known
        check (status in ('pending', 'verified', 'rejected', 'expired')),
    constraint deposits_credit_what_the_frozen_rate_says check (
        credited_micros > 0 and credited_micros = case when rate_micros is null then amount_micros
            else div(amount_micros::numeric * rate_micros, 1000000) end),
    constraint deposits_convert_usdt_only check ((method = 'usdt') = (rate_micros is not null)),
    constraint deposits_by_phone_name_the_phone check (
        (method in ('bkash', 'nagad', 'rocket')) = (sender_number is not null)
        and sender_number ~ '^01[3-9][0-9]{8}$'),
    constraint deposits_reference_says_something check (length(reference_key) between 1 and 100),
    constraint deposits_are_decided_at_once check ((status = 'pending') = (decided_at is null)),
    constraint deposits_end_after_they_start check (expires_at > created_at)
);
-- A rejected or expired announcement frees its reference.
create unique index deposits_reference_is_used_once
    on deposits (method, reference_key) where status in ('pending', 'verified');
-- No index on seq alone: the planner would walk everybody's rows for one person's few.
create index deposits_by_user on deposits (user_id, seq desc);
create index deposits_by_status on deposits (status, seq);
create index deposits_pending_by_expiry on deposits (expires_at) where status = 'pending';

-- amount_micros left the person's cash, in the collateral currency; payout_micros is what is to be
-- paid in `currency`, by the rate frozen here, rounded down.
create table withdrawals (
    id                 uuid primary key,
    seq                bigint      not null default nextval('wallet_numbers'),
    user_id            uuid        not null references users (id),
    method             text        not null,
    currency           text        not null,
    amount_micros      bigint      not null,
    rate_micros        bigint,
    payout_micros      bigint      not null,
    destination        text        not null,
    status             text        not null default 'pending',
    external_reference text,
    reason             text,
    created_at         timestamptz not null,
    decided_at         timestamptz,
    decided_by         uuid references users (id),
    constraint withdrawals_method_is_known
        check (method in ('bkash', 'nagad', 'rocket', 'bank', 'usdt')),
    constraint withdrawals_status_is_known check (status in ('pending', 'completed', 'rejected')),
    constraint withdrawals_pay_what_the_frozen_rate_says check (
        amount_micros > 0 and payout_micros > 0
        and payout_micros = case when rate_micros is null then amount_micros
            else div(amount_micros::numeric * 1000000, rate_micros) end),
    constraint withdrawals_convert_usdt_only check ((method = 'usdt') = (rate_micros is not null)),
    constraint withdrawals_have_a_destination check (length(destination) between 1 and 100),
    constraint withdrawals_are_decided_at_once check ((status = 'pending') = (decided_at is null)),
    constraint withdrawals_say_how_they_were_paid
        check ((status = 'completed') = (external_reference is not null))
);
create index withdrawals_by_user on withdrawals (user_id, seq desc);
create index withdrawals_by_status on withdrawals (status, seq);
