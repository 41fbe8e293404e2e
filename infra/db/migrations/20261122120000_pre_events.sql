-- Indexing (spec: solana, "Indexing"). Chain order is (slot, tx_index, ordinal); lists go by time
-- first, which grows with the slot. Texts of fixed alphabets sort by their bytes ("C"), so that one
-- index finds a value and a prefix. An event is found by its signature: a number of ours would be
-- one more index to write.
alter table chain_events
    drop column id,
    alter column signature type text collate "C",
    alter column market type text collate "C",
    alter column wallet type text collate "C";
alter table chain_events
    drop constraint chain_events_are_kept_once,
    add constraint chain_events_are_kept_once primary key (signature, ordinal);
create index chain_events_in_order
    on chain_events (block_time, slot, tx_index, ordinal);
create index chain_events_of_market
    on chain_events (market, block_time, slot, tx_index, ordinal) where market is not null;
create index chain_events_of_wallet
    on chain_events (wallet, block_time, slot, tx_index, ordinal) where wallet is not null;
create index chain_events_of_type
    on chain_events (event_type, block_time, slot, tx_index, ordinal);
-- What moves a market: a handful each, however much it trades.
create index chain_events_that_move
    on chain_events (market)
    where event_type not in ('SharesBought', 'SharesSold', 'WinningsClaimed', 'ProposalVoteSubmitted',
        'DisputeVoteSubmitted', 'LiquidityWithdrawn', 'Unknown');
-- Claims name the market's account only; these came before anything else of their market.
create index chain_events_without_market
    on chain_events ((data ->> 'market'))
    where event_type = 'WinningsClaimed' and market is null;

-- Every market that was ever met: its id on chain in hex, its id here, and where its account is.
-- Neither id can be computed in SQL, so this is kept when the rest is rebuilt.
create table chain_addresses (
    market    text collate "C" not null,
    market_id uuid not null,
    address   text collate "C" not null,
    constraint chain_addresses_have_ids primary key (market),
    constraint chain_addresses_are_one_market_each unique (market_id),
    constraint chain_addresses_are_one_account_each unique (address)
);

-- Trades are events: kept twice, they would cost as much again to write.
drop table chain_trades;
create view chain_trades with (security_invoker = true) as
select signature, ordinal, slot, tx_index, market, wallet,
       case event_type when 'SharesBought' then 'buy' else 'sell' end as side,
       (data ->> 'outcome')::boolean as outcome,
       (data ->> 'shares')::numeric(20) as shares,
       coalesce(data ->> 'cost', data ->> 'proceeds')::numeric(20) as amount,
       (data ->> 'new_price_yes')::numeric(20) as price_yes,
       block_time as traded_at
from chain_events
where event_type in ('SharesBought', 'SharesSold');

-- Shares are base_* (half of nothing until the market's creation is known, b/1000 then, or what the
-- account held when it was last looked at) and every trade after base_order. A sum may be off, even
-- negative, while an older trade is missing.
alter table chain_markets
    add column address text,
    add column state_signature text,
    add column price_order bigint[],
    add column base_order bigint[] not null default '{0,0,0}',
    add column base_yes numeric(20) not null default 0,
    add column base_no numeric(20) not null default 0,
    alter column state set default 'PROPOSED',
    alter column state_order set default '{0,0,0}',
    alter column shares_yes type numeric(40),
    alter column shares_yes set default 0,
    alter column shares_yes set not null,
    alter column shares_no type numeric(40),
    alter column shares_no set default 0,
    alter column shares_no set not null;

-- Rows that change with every trade stay on their page.
alter table chain_markets set (fillfactor = 50);
alter table chain_markets alter column market type text collate "C";
alter table chain_positions set (fillfactor = 60);
alter table chain_positions
    alter column market type text collate "C",
    alter column wallet type text collate "C";
alter table chain_votes alter column market type text collate "C";

-- The first vote counts, whichever is indexed first.
alter table chain_votes add column vote_order bigint[] not null default '{0,0,0}';
create index chain_votes_of_wallet on chain_votes (wallet);

-- What holds for every market of the programme: one row, as its events tell it.
create table chain_config (
    is_only                       boolean not null default true,
    admin                         text,
    backend_authority             text,
    protocol_fee_bps              integer,
    resolver_reward_bps           integer,
    liquidity_provider_fee_bps    integer,
    proposal_approval_threshold   integer,
    dispute_success_threshold     integer,
    min_resolution_delay          bigint,
    dispute_period                bigint,
    is_paused                     boolean,
    constraint chain_config_is_one_row primary key (is_only),
    constraint chain_config_is_the_only_one check (is_only)
);

-- Transactions whose logs were cut off or contradict themselves, until they are fetched again.
create table chain_incomplete (
    signature       text not null,
    slot            bigint not null,
    attempts        integer not null default 0,
    next_attempt_at timestamptz not null,
    created_at      timestamptz not null,
    constraint chain_incomplete_have_ids primary key (signature)
);
create index chain_incomplete_due on chain_incomplete (next_attempt_at);
