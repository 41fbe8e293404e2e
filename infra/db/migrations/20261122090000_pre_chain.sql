-- The Solana half (spec: solana): indexed events and what they add up to, votes, and transactions.
-- Amounts and shares on chain are u64 in units of 1/1,000,000,000, which a bigint cannot hold. A
-- market's id on chain is 32 bytes in hex; wallets, addresses and signatures are base58.

-- Every event as it was indexed; the rest of this file's chain_ tables can be rebuilt from it.
-- tx_index is the transaction's place in its block: (slot, tx_index, ordinal) is the chain's order.
create table chain_events (
    id          bigint generated always as identity,
    signature   text not null,
    ordinal     integer not null,
    slot        bigint not null,
    tx_index    integer not null,
    block_time  timestamptz not null,
    event_type  text not null,
    market      text,
    wallet      text,
    data        jsonb not null,
    received_at timestamptz not null,
    constraint chain_events_have_ids primary key (id),
    constraint chain_events_are_kept_once unique (signature, ordinal),
    constraint chain_events_have_a_place check (slot >= 0 and tx_index >= 0 and ordinal >= 0)
);

-- A market as its events tell it. state_order is that of the event which set the state:
-- array[slot, tx_index, ordinal].
create table chain_markets (
    market             text not null,
    market_id          uuid not null,
    creator            text,
    state              text not null,
    state_order        bigint[] not null,
    b_parameter        numeric(20),
    initial_liquidity  numeric(20),
    shares_yes         numeric(20),
    shares_no          numeric(20),
    price_yes          numeric(20),
    volume             numeric(40) not null default 0,
    trades             integer not null default 0,
    likes              bigint,
    dislikes           bigint,
    resolver           text,
    proposed_outcome   boolean,
    final_outcome      boolean,
    evidence_hash      text,
    dispute_initiator  text,
    was_disputed       boolean not null default false,
    created_at         timestamptz,
    approved_at        timestamptz,
    activated_at       timestamptz,
    resolved_at        timestamptz,
    disputed_at        timestamptz,
    finalized_at       timestamptz,
    cancelled_at       timestamptz,
    constraint chain_markets_have_ids primary key (market),
    constraint chain_markets_are_one_market_each unique (market_id)
);

create table chain_trades (
    signature  text not null,
    ordinal    integer not null,
    slot       bigint not null,
    tx_index   integer not null,
    market     text not null,
    wallet     text not null,
    side       text not null,
    outcome    boolean not null,
    shares     numeric(20) not null,
    amount     numeric(20) not null,
    price_yes  numeric(20) not null,
    traded_at  timestamptz not null,
    constraint chain_trades_have_ids primary key (signature, ordinal),
    constraint chain_trades_side_is_known check (side in ('buy', 'sell'))
);
create index chain_trades_of_wallet on chain_trades (wallet, traded_at desc);
create index chain_trades_of_market on chain_trades (market, traded_at desc);

-- Sums of a wallet's trades and claims; a sum may be negative while an older trade is missing.
create table chain_positions (
    market     text not null,
    wallet     text not null,
    shares_yes numeric(40) not null default 0,
    shares_no  numeric(40) not null default 0,
    paid       numeric(40) not null default 0,
    received   numeric(40) not null default 0,
    trades     integer not null default 0,
    claimed    numeric(40) not null default 0,
    has_claimed boolean not null default false,
    constraint chain_positions_have_ids primary key (market, wallet)
);
create index chain_positions_of_wallet on chain_positions (wallet);

create table chain_votes (
    market   text not null,
    wallet   text not null,
    kind     text not null,
    vote     boolean not null,
    voted_at timestamptz not null,
    constraint chain_votes_are_cast_once primary key (market, wallet, kind),
    constraint chain_votes_kind_is_known check (kind in ('proposal', 'dispute'))
);

-- Votes cast here. The row is the truth; a vote on chain of the same wallet counts in its place.
create table votes (
    id         uuid not null,
    market_id  uuid not null references markets (id),
    user_id    uuid not null references users (id),
    wallet     text not null,
    kind       text not null,
    vote       boolean not null,
    created_at timestamptz not null,
    constraint votes_have_ids primary key (id),
    constraint votes_are_cast_once unique (market_id, wallet, kind),
    constraint votes_kind_is_known check (kind in ('proposal', 'dispute'))
);
create index votes_of_user on votes (user_id, created_at desc);

-- What a wallet's vote on a dispute weighs: |YES - NO| at the dispute's start.
create table dispute_weights (
    market_id uuid not null references markets (id),
    wallet    text not null,
    weight    numeric(40) not null,
    constraint dispute_weights_are_one_each primary key (market_id, wallet),
    constraint dispute_weights_are_not_negative check (weight >= 0)
);

-- Who tallies a market, and what was told last. fence grows with every lease: a holder whose lease
-- was taken over cannot write any more.
create table vote_tallies (
    market_id       uuid not null references markets (id),
    kind            text not null,
    fence           bigint not null default 0,
    leased_until    timestamptz,
    told_yes        numeric(40),
    told_no         numeric(40),
    failures        integer not null default 0,
    next_attempt_at timestamptz,
    constraint vote_tallies_are_one_each primary key (market_id, kind)
);

create table aggregation_results (
    id             bigint generated always as identity,
    market_id      uuid not null references markets (id),
    kind           text not null,
    yes            numeric(40) not null,
    no             numeric(40) not null,
    percentage_bps integer not null,
    passed         boolean not null,
    purpose        text,
    signature      text,
    created_at     timestamptz not null,
    constraint aggregation_results_have_ids primary key (id),
    constraint aggregation_results_share_is_one check (percentage_bps between 0 and 10000)
);
create index aggregation_results_of_market on aggregation_results (market_id, id desc);

-- What we have signed. A row is committed before its bytes leave; the same bytes are sent again
-- until the chain has them or can no longer take them.
create table chain_transactions (
    id                      uuid not null,
    purpose                 text not null,
    market_id               uuid references markets (id),
    signature               text not null,
    raw                     bytea not null,
    last_valid_block_height bigint not null,
    status                  text not null,
    attempts                integer not null default 0,
    error                   text,
    next_attempt_at         timestamptz not null,
    created_at              timestamptz not null,
    updated_at              timestamptz not null,
    constraint chain_transactions_have_ids primary key (id),
    constraint chain_transactions_have_one_signature unique (signature),
    constraint chain_transactions_status_is_known check (
        status in ('built', 'sent', 'confirmed', 'finalized', 'expired', 'failed'))
);
create unique index chain_transactions_live_once on chain_transactions (purpose, market_id)
    nulls not distinct where status in ('built', 'sent', 'confirmed');
create index chain_transactions_due on chain_transactions (next_attempt_at)
    where status in ('built', 'sent', 'confirmed');

-- How far back-fill has come, by programme.
create table chain_cursors (
    programme  text not null,
    slot       bigint not null,
    signature  text not null,
    updated_at timestamptz not null,
    constraint chain_cursors_are_one_each primary key (programme)
);

-- Where what we told differed from the chain's account; the chain's value was taken.
create table discrepancies (
    id          bigint generated always as identity,
    market_id   uuid,
    subject     text not null,
    field       text not null,
    ours        text,
    theirs      text,
    slot        bigint not null,
    created_at  timestamptz not null,
    constraint discrepancies_have_ids primary key (id)
);
