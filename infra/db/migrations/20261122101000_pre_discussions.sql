-- What people say of markets, and the snapshots of it that are pinned in IPFS (spec: discussions).

-- A comment that was deleted stays in its thread without its words. thread_id is the thread's first
-- comment, null for that one itself; reply_count is kept on it, of the whole thread.
create table comments (
    id          bigint generated always as identity primary key,
    market_id   uuid        not null references markets (id),
    user_id     uuid        not null references users (id),
    thread_id   bigint references comments (id),
    parent_id   bigint references comments (id),
    depth       smallint    not null default 0,
    content     text        not null,
    like_count  bigint      not null default 0,
    reply_count bigint      not null default 0,
    created_at  timestamptz not null,
    deleted_at  timestamptz,
    deleted_by  uuid references users (id),
    constraint comments_are_one_to_five_thousand_characters
        check (char_length(content) between 1 and 5000),
    constraint comments_go_three_replies_deep check (depth between 0 and 3),
    constraint comments_of_a_thread_have_a_parent
        check ((thread_id is null) = (depth = 0) and (parent_id is null) = (depth = 0)),
    constraint comments_are_counted_from_zero check (like_count >= 0 and reply_count >= 0),
    constraint comments_are_deleted_by_somebody
        check ((deleted_at is null) = (deleted_by is null))
);
create index comments_by_market on comments (market_id, id);
create index comments_threads on comments (market_id, id desc) where thread_id is null;
create index comments_by_thread on comments (thread_id, id) where thread_id is not null;
create index comments_by_time on comments (created_at, market_id);

create table comment_likes (
    comment_id bigint      not null references comments (id),
    user_id    uuid        not null references users (id),
    created_at timestamptz not null,
    primary key (comment_id, user_id)
);

-- A day's snapshot of a market's discussion: one document, or several of which each names the next.
-- It is written down before the node is told, so that nothing is pinned that nobody unpins.
create table ipfs_anchors (
    id                bigint generated always as identity primary key,
    market_id         uuid        not null references markets (id),
    snapshot_date     date        not null,
    cid               text        not null,
    part              integer     not null,
    parts             integer     not null,
    discussions_count integer     not null,
    size_bytes        integer     not null,
    created_at        timestamptz not null,
    pinned_at         timestamptz,
    constraint ipfs_anchors_are_kept_once unique (market_id, snapshot_date, cid),
    constraint ipfs_anchors_are_parts_of_a_whole check (part >= 0 and part < parts)
);
create index ipfs_anchors_by_cid on ipfs_anchors (cid);
create index ipfs_anchors_by_market on ipfs_anchors (market_id, id desc) where part = 0;
create index ipfs_anchors_by_age on ipfs_anchors (created_at);
