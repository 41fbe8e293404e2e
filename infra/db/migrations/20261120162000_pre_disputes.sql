-- Disputes of a proposed outcome: one a market, with a bond in market:bonds until it is decided.
create table market_disputes (
    id          uuid primary key,
    market_id   uuid        not null references markets (id),
    user_id     uuid        not null references users (id),
    reason      text        not null,
    bond_micros bigint      not null,
    created_at  timestamptz not null,
    is_upheld   boolean,
    decided_by  uuid references users (id),
    decided_at  timestamptz,
    constraint market_disputes_are_one_a_market unique (market_id),
    constraint market_disputes_have_a_bond check (bond_micros > 0),
    constraint market_disputes_give_a_reason check (length(reason) between 1 and 5000),
    constraint market_disputes_are_decided_at_once check (
        (is_upheld is null) = (decided_at is null))
);
create index market_disputes_by_user on market_disputes (user_id, created_at);
