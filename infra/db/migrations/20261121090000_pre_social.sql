-- What people keep an eye on, and what they are told (spec: social).

create table bookmarks (
    user_id    uuid        not null references users (id),
    market_id  uuid        not null references markets (id),
    created_at timestamptz not null,
    primary key (user_id, market_id)
);

create table follows (
    user_id           uuid        not null references users (id),
    market_id         uuid        not null references markets (id),
    notify_on_trade   boolean     not null,
    notify_on_resolve boolean     not null,
    notify_on_close   boolean     not null,
    created_at        timestamptz not null,
    primary key (user_id, market_id)
);
create index follows_by_market on follows (market_id, user_id);

-- Counted as they change: a market with 100,000 followers is not counted for every reader. A table
-- of its own, since a trade updates market_counters and would wait.
create table market_audience (
    market_id      uuid primary key references markets (id),
    follower_count bigint not null default 0,
    bookmark_count bigint not null default 0,
    constraint market_audience_is_not_negative check (follower_count >= 0 and bookmark_count >= 0)
);

-- What is told is a type and its facts; the words come from one table of templates when it is read.
create table notifications (
    id         bigint generated always as identity primary key,
    user_id    uuid        not null references users (id),
    type       text        not null,
    market_id  uuid,
    facts      jsonb       not null default '{}',
    created_at timestamptz not null,
    read_at    timestamptz,
    constraint notifications_type_is_known check (type in (
        'order_filled', 'market_closing_soon', 'market_resolved', 'large_trade', 'comment_reply',
        'position_settled', 'deposit_verified', 'withdrawal_completed', 'alert_triggered',
        'settlement_escalation'))
);
create index notifications_by_user on notifications (user_id, id desc);
create index notifications_unread on notifications (user_id, id desc) where read_at is null;
-- Said once a market, whatever is retried.
create unique index notifications_of_a_market_are_sent_once on notifications (market_id, user_id, type)
    where type in ('market_closing_soon', 'market_resolved');
create index notifications_by_age on notifications (created_at);

-- Its answer gains two columns, which `create or replace` cannot give it.
drop function if exists public.market_stats(uuid, timestamptz);
