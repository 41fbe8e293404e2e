-- What the daily and hourly tasks keep: statistics of finished days, ticks that change, boards,
-- reports and news (spec: workflows).

-- The tables of trades are append only and in order of time: a block range index finds a day
-- without costing a trade what a tree would.
create index fills_by_time on fills using brin (created_at) with (autosummarize = on);
create index transfers_by_time on transfers using brin (created_at) with (autosummarize = on);
create index order_batches_by_time on order_batches using brin (created_at);
create index idempotency_keys_by_time on idempotency_keys using brin (created_at);

-- OHLCV in YES terms of each outcome that traded on a day (UTC).
create table market_daily_stats (
    market_id      uuid     not null references markets (id),
    outcome        smallint not null,
    day            date     not null,
    open_bps       price_bps not null,
    high_bps       price_bps not null,
    low_bps        price_bps not null,
    close_bps      price_bps not null,
    volume_micros  bigint   not null,
    volume_lots    bigint   not null,
    trade_count    integer  not null,
    unique_traders integer  not null,
    primary key (market_id, outcome, day)
);
create index market_daily_stats_by_day on market_daily_stats (day, volume_micros desc);

-- A day's row is written until the day is over, once over, and then never again. Fees are what
-- takers paid, rebates what makers got of them.
create table platform_daily_stats (
    day            date primary key,
    volume_micros  bigint      not null default 0,
    fees_micros    bigint      not null default 0,
    rebates_micros bigint      not null default 0,
    trade_count    bigint      not null default 0,
    active_users   integer     not null default 0,
    new_users      integer     not null default 0,
    new_markets    integer     not null default 0,
    is_final       boolean     not null default false,
    updated_at     timestamptz not null
);

-- What each person traded on a day, both sides of a trade counted.
create table user_daily_stats (
    user_id       uuid    not null references users (id),
    day           date    not null,
    volume_micros bigint  not null,
    trade_count   integer not null,
    primary key (user_id, day)
);
create index user_daily_stats_by_day on user_daily_stats (day);

create index markets_settled_by_time on markets (settled_at) where settled_at is not null;

-- Between these a market's tick follows its volatility.
alter table markets
    add column min_tick_bps integer not null default 10,
    add column max_tick_bps integer not null default 100,
    add constraint markets_ticks_have_a_range check (min_tick_bps between 1 and max_tick_bps);

-- A change is announced before it holds; only one waits a market. volatility_bps is of the day
-- before the announcement, in 1/10,000 of the payout.
create table tick_changes (
    id             bigint generated always as identity primary key,
    market_id      uuid        not null references markets (id),
    from_bps       integer     not null,
    to_bps         integer     not null,
    reason         text        not null,
    volatility_bps integer     not null,
    announced_at   timestamptz not null,
    effective_at   timestamptz not null,
    status         text        not null default 'announced',
    decided_at     timestamptz,
    constraint tick_changes_change_something check (from_bps <> to_bps),
    constraint tick_changes_reason_is_known check (reason in ('quiet', 'volatile', 'emergency')),
    constraint tick_changes_status_is_known check (status in ('announced', 'applied', 'dropped')),
    constraint tick_changes_are_decided_at_once
        check ((status = 'announced') = (decided_at is null))
);
create unique index tick_changes_wait_one_a_market on tick_changes (market_id)
    where status = 'announced';
create index tick_changes_due on tick_changes (effective_at) where status = 'announced';
create index tick_changes_by_market on tick_changes (market_id, announced_at desc);

-- What a person had realised in all when a day began; a row only where it had changed.
create table profit_marks (
    user_id         uuid   not null references users (id),
    day             date   not null,
    realised_micros bigint not null,
    primary key (user_id, day)
);
create index profit_marks_by_day on profit_marks (day);

-- The board as of the last refresh; ranks are without gaps and without ties.
create table leaderboard_entries (
    period         text        not null,
    user_id        uuid        not null references users (id),
    profit_micros  bigint      not null,
    volume_micros  bigint      not null,
    won_markets    integer     not null,
    lost_markets   integer     not null,
    win_rate_bps   integer,
    profit_rank    integer     not null,
    volume_rank    integer     not null,
    win_rate_rank  integer     not null,
    refreshed_at   timestamptz not null,
    primary key (period, user_id),
    constraint leaderboard_period_is_known check (period in ('day', 'week', 'month', 'all'))
);
create unique index leaderboard_by_profit on leaderboard_entries (period, profit_rank);
create unique index leaderboard_by_volume on leaderboard_entries (period, volume_rank);
create unique index leaderboard_by_win_rate on leaderboard_entries (period, win_rate_rank);

create table daily_reports (
    day        date primary key,
    facts      jsonb       not null,
    markdown   text        not null,
    created_at timestamptz not null
);

-- What configured feeds said; a guid is unique within its feed, a url everywhere.
create table news_items (
    id           bigint generated always as identity primary key,
    source       text        not null,
    guid         text        not null,
    url          text,
    title        text        not null,
    summary      text,
    published_at timestamptz not null,
    fetched_at   timestamptz not null,
    constraint news_items_are_kept_once unique (source, guid),
    constraint news_items_have_one_address unique (url)
);
create index news_items_by_time on news_items (published_at desc, id desc);

-- Each feed's validators, so that an unchanged one is not sent again.
create table news_feeds (
    url           text primary key,
    etag          text,
    last_modified text,
    fetched_at    timestamptz not null
);
