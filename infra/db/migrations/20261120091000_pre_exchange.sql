-- The exchange: markets, the ledger, orders, fills, positions and what is kept of them at write
-- time (spec: exchange). Prices are 1/10,000 of a payout, sizes 1/100 share, money 1/1,000,000.

-- Domains, not CHECKs, where a row is written on every order: a table's CHECKs are parsed anew by
-- each statement (15 % of an order when there were twenty), a domain's once a connection.
create domain price_bps as integer
    constraint prices_lie_inside_the_payout check (value between 1 and 9999);
create domain order_position as text
    constraint positions_are_yes_or_no check (value in ('YES', 'NO'));
create domain order_side as text
    constraint sides_are_buy_or_sell check (value in ('BUY', 'SELL'));
create domain order_type as text
    constraint order_types_are_known check (value in ('GTC', 'GTD', 'FOK', 'FAK'));
create domain order_status as text
    constraint order_statuses_are_known check (value in (
        'pending', 'open', 'partial', 'filled', 'cancelled', 'expired', 'rejected'));
create domain book_side as text
    constraint book_sides_are_bid_or_ask check (value in ('bid', 'ask'));
create domain account_kind as text
    constraint account_kinds_are_known check (value in (
        'user:cash', 'market:orders', 'market:escrow', 'market:bonds', 'market:fees',
        'platform:fees', 'external'));
create domain fill_kind as text
    constraint fill_kinds_are_known check (value in ('TRANSFER', 'MINT', 'MERGE'));

create table markets (
    id                   uuid primary key,
    slug                 text        not null,
    question             text        not null,
    question_bn          text,
    description          text,
    rules                text,
    category             text,
    tags                 text[]      not null default '{}',
    resolution_source    text,
    image_url            text,
    venue                text        not null default 'native',
    condition_id         text,
    chain_address        text,
    chain_market_id      text,
    market_type          text        not null default 'binary',
    state                text        not null default 'PROPOSED',
    trading_status       text        not null default 'open',
    tick_size_bps        integer     not null default 100,
    min_size_lots        bigint      not null default 100,
    fee_bps              integer     not null default 0,
    maker_rebate_bps     integer     not null default 0,
    opens_at             timestamptz,
    closes_at            timestamptz not null,
    resolution_rule      jsonb,
    dispute_window_s     integer     not null default 172800,
    proposed_payout_bps  integer[],
    proposed_at          timestamptz,
    proposed_by          uuid references users (id),
    resolution_evidence  jsonb,
    final_payout_bps     integer[],
    finalized_at         timestamptz,
    settled_at           timestamptz,
    claims_enabled       boolean     not null default false,
    claims_available_at  timestamptz,
    last_state_change_tx text,
    creator              uuid references users (id),
    created_at           timestamptz not null,
    updated_at           timestamptz not null,
    -- Filled by a trigger: the normalised words of question, question_bn, slug, category and tags.
    search_text          text        not null default '',
    -- array_to_tsvector and no parser: parsers differ by locale on Bengali vowel signs.
    search_tokens        tsvector generated always as (
        array_to_tsvector(array_remove(string_to_array(search_text, ' '), ''))
    ) stored,
    constraint markets_slug_is_unique unique (slug),
    constraint markets_venue_is_known check (venue in ('native', 'solana', 'polymarket')),
    constraint markets_type_is_known check (market_type in ('binary', 'multi_outcome')),
    constraint markets_state_is_known check (state in (
        'PROPOSED', 'APPROVED', 'ACTIVE', 'RESOLVING', 'DISPUTED', 'FINALIZED', 'CANCELLED')),
    constraint markets_trading_status_is_known check (
        trading_status in ('open', 'post_only', 'cancel_only', 'halted')),
    -- A tick that divides the payout keeps the mirror of a price on the grid.
    constraint markets_tick_divides_the_payout check (
        tick_size_bps between 1 and 5000 and 10000 % tick_size_bps = 0),
    constraint markets_min_size_is_positive check (min_size_lots between 1 and 100000000000),
    constraint markets_fee_is_a_share check (fee_bps between 0 and 10000),
    constraint markets_rebate_is_a_share check (maker_rebate_bps between 0 and 10000),
    constraint markets_close_after_they_open check (opens_at is null or closes_at > opens_at),
    constraint markets_dispute_window_is_not_negative check (dispute_window_s >= 0),
    constraint markets_are_final_with_a_payout check (
        state <> 'FINALIZED' or final_payout_bps is not null),
    constraint markets_question_is_not_empty check (length(question) between 1 and 1000),
    constraint markets_slug_is_short check (length(slug) between 1 and 200)
)
with (fillfactor = 80);
create index markets_by_state on markets (state, closes_at);
create index markets_by_creation on markets (created_at desc, id);
create index markets_by_category on markets (category, created_at desc);
create index markets_by_words on markets using gin (search_tokens);
create index markets_unsettled on markets (finalized_at) where state = 'FINALIZED' and settled_at is null;

-- A binary market has one row, outcome 0: its one book is denominated in YES.
create table outcomes (
    market_id          uuid     not null references markets (id),
    outcome            smallint not null,
    label              text     not null,
    label_bn           text,
    last_price_bps     price_bps,
    previous_price_bps integer,
    change_24h_bps     integer,
    volume_micros      bigint   not null default 0,
    trade_count        bigint   not null default 0,
    primary key (market_id, outcome),
    constraint outcomes_are_numbered_from_zero check (outcome between 0 and 49)
)
with (fillfactor = 50);

create table market_state_changes (
    id         bigint generated always as identity primary key,
    market_id  uuid        not null references markets (id),
    from_state text,
    to_state   text        not null,
    actor      uuid references users (id),
    reason     text,
    created_at timestamptz not null
);
create index market_state_changes_by_market on market_state_changes (market_id, id);

create table market_clarifications (
    id         bigint generated always as identity primary key,
    market_id  uuid        not null references markets (id),
    body       text        not null,
    body_bn    text,
    author     uuid references users (id),
    created_at timestamptz not null,
    constraint market_clarifications_say_something check (length(body) between 1 and 10000)
);
create index market_clarifications_by_market on market_clarifications (market_id, id);

-- Ids above zero are people's cash, ids below zero the house's accounts: the indexes of the ledger
-- can leave the house out, and locking by id takes the house first everywhere.
create sequence account_ids;
create table accounts (
    id             bigint primary key,
    kind           account_kind not null,
    user_id        uuid references users (id),
    market_id      uuid references markets (id),
    balance_micros bigint not null default 0,
    constraint accounts_are_one_for_each_owner unique nulls not distinct (kind, user_id, market_id),
    constraint accounts_of_people_are_above_zero check ((id > 0) = (user_id is not null)),
    constraint accounts_never_go_below_zero check (balance_micros >= 0 or kind = 'external')
)
with (fillfactor = 50);
create index accounts_by_user on accounts (user_id) where user_id is not null;
create index accounts_by_market on accounts (market_id) where market_id is not null;
insert into accounts (id, kind)
values (-nextval('account_ids'), 'external'), (-nextval('account_ids'), 'platform:fees');

-- A market's account numbers, never changed: the match reads them with the market's lock.
create table market_ledgers (
    market_id      uuid primary key references markets (id),
    orders_account bigint not null references accounts (id),
    escrow_account bigint not null references accounts (id),
    bonds_account  bigint not null references accounts (id),
    fees_account   bigint not null references accounts (id)
);

-- Append only; the debited account is the one money leaves. No key and no foreign key here: the
-- table is to be partitioned by month, so what must be unique stands in transfer_keys, and only
-- definer functions write, which have just locked both accounts.
create sequence transfer_ids;
create table transfers (
    id             bigint      not null default nextval('transfer_ids'),
    debit_account  bigint      not null,
    credit_account bigint      not null,
    amount_micros  bigint      not null,
    kind           text        not null,
    reference      text        not null,
    market_id      uuid,
    created_at     timestamptz not null,
    constraint transfers_move_something check (amount_micros > 0)
);
create index transfers_out_of_people on transfers (debit_account, id) where debit_account > 0;
create index transfers_into_people on transfers (credit_account, id) where credit_account > 0;

create table transfer_keys (
    kind        text   not null,
    reference   text   not null,
    transfer_id bigint not null,
    constraint transfers_have_one_reference_of_a_kind primary key (kind, reference)
);

-- Every order keeps what its owner gave; book_side and book_price_bps are the same in YES terms.
-- placed_* and fee_micros are what the owner was first answered and never change again; a maker
-- trades at its own limit, so later fills cost (filled - placed_filled) x price. remaining_lots is
-- what rests in the book: zero once the order is final. No foreign keys: they cost an order 13 %,
-- nobody deletes users or markets, and place_order has read both.
create sequence order_arrivals;
create table orders (
    id                    uuid primary key,
    seq                   bigint      not null default nextval('order_arrivals'),
    user_id               uuid        not null,
    account_id            bigint      not null,
    market_id             uuid        not null,
    outcome               smallint    not null,
    position              order_position not null,
    side                  order_side  not null,
    type                  order_type  not null,
    price_bps             price_bps   not null,
    size_lots             bigint      not null,
    amount_micros         bigint,
    post_only             boolean     not null default false,
    self_trade_prevention text        not null default 'cancel_taker',
    client_order_id       text,
    request_hash          bytea,
    expires_at            timestamptz,
    book_side             book_side   not null,
    book_price_bps        price_bps   not null,
    status                order_status not null,
    is_open               boolean     not null,
    filled_lots           bigint      not null default 0,
    remaining_lots        bigint      not null default 0,
    placed_status         order_status not null,
    placed_filled_lots    bigint      not null default 0,
    placed_cost_micros    bigint      not null default 0,
    fee_micros            bigint      not null default 0,
    strategy_id           uuid,
    strategy_run_id       uuid,
    error                 text,
    created_at            timestamptz not null,
    updated_at            timestamptz not null,
    constraint orders_rest_only_while_open check (is_open = (remaining_lots > 0)),
    constraint orders_fill_no_more_than_their_size check (filled_lots + remaining_lots <= size_lots)
)
with (fillfactor = 80);
create unique index orders_client_order_id_is_used_once
    on orders (user_id, client_order_id) where client_order_id is not null;
-- is_open and not remaining_lots > 0: a predicate's columns take part in every update's indexes.
create index orders_asks on orders (market_id, outcome, book_price_bps, seq)
    where is_open and book_side = 'ask';
create index orders_bids on orders (market_id, outcome, book_price_bps desc, seq)
    where is_open and book_side = 'bid';
create index orders_open_by_user on orders (user_id, market_id, seq) where is_open;
create index orders_by_user on orders (user_id, seq desc);

-- One row a trade between a taker and a resting order, at the maker's price in YES terms; the fee
-- schedule is frozen here. Append only, to be partitioned by month: no key, no foreign key.
create sequence fill_ids;
create table fills (
    id               bigint      not null default nextval('fill_ids'),
    market_id        uuid        not null,
    outcome          smallint    not null,
    taker_order_id   uuid        not null,
    maker_order_id   uuid        not null,
    taker_id         uuid        not null,
    maker_id         uuid        not null,
    kind             fill_kind   not null,
    taker_side       order_side  not null,
    taker_position   order_position not null,
    price_bps        price_bps   not null,
    size_lots        bigint      not null,
    fee_bps          integer     not null,
    maker_rebate_bps integer     not null,
    rebate_micros    bigint      not null,
    created_at       timestamptz not null,
    constraint fills_trade_something check (size_lots > 0)
);
create index fills_by_market on fills (market_id, id desc);
create index fills_by_taker_order on fills (taker_order_id);
create index fills_by_maker_order on fills (maker_order_id);

-- A row appears with a holder's first share and stays: counting rows counts holders ever.
-- held_lots includes what open sells lock. cost_micros is what the held shares cost, by average:
-- a sale takes floor(cost x sold / held) out, so the dust stays with the shares that remain and
-- leaves with the last one. realised_micros is proceeds less that cost, less fees, plus rebates.
create table positions (
    market_id       uuid        not null,
    user_id         uuid        not null references users (id),
    outcome         smallint    not null,
    position        order_position not null,
    held_lots       bigint      not null default 0,
    locked_lots     bigint      not null default 0,
    cost_micros     bigint      not null default 0,
    realised_micros bigint      not null default 0,
    updated_at      timestamptz not null,
    primary key (market_id, user_id, outcome, position),
    constraint positions_name_an_outcome foreign key (market_id, outcome)
        references outcomes (market_id, outcome),
    constraint positions_lock_no_more_than_is_held check (locked_lots between 0 and held_lots)
)
with (fillfactor = 60);
create index positions_by_user on positions (user_id, market_id);

-- No index but the key, so that a trade updates the row in place.
create table market_counters (
    market_id      uuid primary key references markets (id),
    volume_micros  bigint not null default 0,
    trade_count    bigint not null default 0,
    unique_traders bigint not null default 0,
    last_trade_at  timestamptz
)
with (fillfactor = 50);

-- OHLCV in YES terms, 300 s and 3,600 s, kept by the match itself: history never reads raw trades.
create table price_bars (
    market_id     uuid        not null,
    outcome       smallint    not null,
    interval_s    integer     not null,
    bucket        timestamptz not null,
    open_bps      integer     not null,
    high_bps      integer     not null,
    low_bps       integer     not null,
    close_bps     integer     not null,
    volume_micros bigint      not null,
    volume_lots   bigint      not null,
    trade_count   integer     not null,
    primary key (market_id, outcome, interval_s, bucket)
)
with (fillfactor = 70);

-- One point for every active outcome and five-minute slot, in YES terms.
create table price_points (
    market_id        uuid        not null,
    outcome          smallint    not null,
    slot             timestamptz not null,
    mid_bps          integer     not null,
    last_price_bps   integer,
    best_bid_bps     integer,
    best_ask_bps     integer,
    spread_bps       integer,
    bid_depth_lots   bigint      not null,
    ask_depth_lots   bigint      not null,
    liquidity_micros bigint      not null,
    volume_micros    bigint      not null,
    primary key (market_id, outcome, slot)
);

create table outbox (
    id           bigint generated always as identity primary key,
    topic        text        not null,
    market_id    uuid,
    payload      jsonb       not null,
    created_at   timestamptz not null,
    published_at timestamptz
);
create index outbox_unpublished on outbox (id) where published_at is null;

-- Who was paid by a market's settlement: once for each, whatever is retried.
create table settlements (
    market_id     uuid        not null references markets (id),
    user_id       uuid        not null references users (id),
    amount_micros bigint      not null,
    created_at    timestamptz not null,
    constraint settlements_pay_each_holder_once primary key (market_id, user_id),
    constraint settlements_are_not_negative check (amount_micros >= 0)
);
create index settlements_by_user on settlements (user_id, created_at);

-- One trade of a sweep on its way into the tables: what the match knows of a maker and its fill.
create type fill_draft as (
    fill_id         bigint,
    maker_order_id  uuid,
    maker_id        uuid,
    maker_account   bigint,
    maker_side      text,
    maker_position  text,
    maker_price_bps integer,
    maker_left_lots bigint,
    price_bps       integer,
    size_lots       bigint,
    kind            text,
    rebate_micros   bigint
);

create type transfer_draft as (
    debit_account  bigint,
    credit_account bigint,
    amount_micros  bigint,
    kind           text
);
