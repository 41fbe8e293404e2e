-- Markets of many outcomes, and shares that are made and unmade without a counterparty.

-- Exactly one of an exhaustive market's outcomes happens (one of them is OTHER): only there a NO of
-- one is a YES of all others, and a complete set of YES is worth 1.00.
alter table public.markets add column is_exhaustive boolean not null default false;
alter table public.markets add constraint markets_of_two_sides_are_not_exhaustive
    check (not is_exhaustive or market_type = 'multi_outcome');

-- What was expected when the outcome was made; prices come from its book.
alter table public.outcomes add column probability_bps integer
    constraint outcomes_probability_is_a_share check (probability_bps between 0 and 10000);
create unique index outcomes_labels_differ on public.outcomes (market_id, lower(label));

-- Keys of requests that move money and are not orders or transfers: written with the effect, and a
-- repeat answers the result kept here.
create table idempotency_keys (
    actor_id     uuid        not null,
    route        text        not null,
    key          text        not null,
    request_hash bytea       not null,
    result       jsonb       not null,
    created_at   timestamptz not null,
    constraint idempotency_keys_are_used_once primary key (actor_id, route, key),
    constraint idempotency_keys_are_short check (length(key) between 1 and 128)
);

-- Splits, merges and conversions: append only. amount_micros is what the holder's cash gained.
create table share_operations (
    id            uuid primary key,
    seq           bigint      not null default nextval('fill_ids'),  -- one sequence with fills
    market_id     uuid        not null,
    user_id       uuid        not null,
    kind          text        not null,
    outcome       smallint,
    size_lots     bigint      not null,
    amount_micros bigint      not null,
    created_at    timestamptz not null,
    constraint share_operations_kind_is_known
        check (kind in ('split', 'merge', 'convert', 'complete', 'redeem')),
    constraint share_operations_change_something check (size_lots > 0)
);
create index share_operations_by_user on share_operations (user_id, market_id, seq);
