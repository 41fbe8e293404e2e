-- Bet slips: up to twenty orders in one call, matched by the same code as single ones.

-- What the match knows of a market and of its caller's place in it.
create type market_terms as (
    market_id        uuid,
    venue            text,
    state            text,
    trading_status   text,
    tick_size_bps    integer,
    min_size_lots    bigint,
    fee_bps          integer,
    maker_rebate_bps integer,
    opens_at         timestamptz,
    closes_at        timestamptz,
    orders_account   bigint,
    escrow_account   bigint,
    fees_account     bigint,
    closed_only      boolean,
    cash_account     bigint,
    outcomes         smallint[]
);

-- An order on its way into the tables: what its owner gave, then what the match made of it.
create type order_draft as (
    order_id              uuid,
    market_id             uuid,
    outcome               smallint,
    position              text,
    side                  text,
    type                  text,
    price_bps             integer,
    size_lots             bigint,
    amount_micros         bigint,
    post_only             boolean,
    self_trade_prevention text,
    client_order_id       text,
    request_hash          bytea,
    expires_at            timestamptz,
    status                text,
    is_stopped            boolean,  -- by self-trade prevention
    is_bid                boolean,
    book_price_bps        integer,
    filled_lots           bigint,
    rest_lots             bigint,
    cost_micros           bigint,   -- lots x price in the order's own terms
    volume_micros         bigint,   -- lots x price in YES terms
    fee_micros            bigint,
    need_micros           bigint,   -- what must be available, of money for a buy
    held_micros           bigint,   -- what the resting remainder of a buy holds
    last_bps              integer,
    account_id            bigint,
    fee_bps               integer,
    maker_rebate_bps      integer,
    dropped               uuid[],   -- own resting orders that self-trade prevention cancels
    expired               uuid[],
    accounts              bigint[], -- to be locked
    fills                 public.fill_draft[],
    transfers             public.transfer_draft[]
);

-- A bet slip and what became of it: each place holds an order's id or, refused, null and the reason
-- in refusals under its index. Never changed, so that a repeat answers the first result.
create table order_batches (
    id           uuid primary key,
    user_id      uuid        not null,
    batch_key    text        not null,
    request_hash bytea       not null,
    mode         text        not null,
    status       text        not null,
    order_ids    uuid[]      not null,
    refusals     jsonb       not null,
    created_at   timestamptz not null,
    constraint order_batches_key_is_used_once unique (user_id, batch_key),
    constraint order_batches_mode_is_known check (mode in ('independent', 'atomic')),
    constraint order_batches_status_is_known check (status in ('completed', 'partial', 'failed')),
    constraint order_batches_key_is_short check (length(batch_key) between 1 and 128),
    constraint order_batches_hold_one_to_twenty check (cardinality(order_ids) between 1 and 20)
);
