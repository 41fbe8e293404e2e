-- People, their sessions and the challenges they sign (spec: identity).

create table users (
    id             uuid primary key,
    address        text        not null,
    chain          text        not null,
    display_name   text,
    language       text        not null default 'en',
    role           text        not null default 'user',
    closed_only    boolean     not null default false,
    created_at     timestamptz not null,
    constraint users_have_one_row_per_wallet unique (chain, address),
    constraint users_chain_is_known check (chain in ('evm', 'solana')),
    constraint users_role_is_known check (role in ('user', 'admin', 'super_admin')),
    constraint users_language_is_known check (language in ('en', 'bn')),
    constraint users_display_name_is_short check (length(display_name) between 1 and 100)
);

-- A session is looked up by the SHA-256 of its token: the token itself is never stored.
create table sessions (
    token_hash  bytea primary key,
    user_id     uuid        not null references users (id),
    created_at  timestamptz not null,
    expires_at  timestamptz not null,
    revoked_at  timestamptz,
    constraint sessions_hash_is_sha256 check (length(token_hash) = 32),
    constraint sessions_end_after_they_start check (expires_at > created_at)
);
create index sessions_by_user on sessions (user_id) where revoked_at is null;
create index sessions_by_expiry on sessions (expires_at);

create table auth_challenges (
    nonce       text primary key,
    address     text        not null,
    chain       text        not null,
    message     text        not null,
    created_at  timestamptz not null,
    expires_at  timestamptz not null,
    consumed_at timestamptz,
    constraint auth_challenges_nonce_is_long check (length(nonce) >= 16)
);
create index auth_challenges_by_expiry on auth_challenges (expires_at);

-- Counts tries on login routes when Redis is down; fixed windows, swept by the cleanup task.
create table login_attempts (
    bucket       text        not null,
    window_start timestamptz not null,
    attempts     integer     not null,
    primary key (bucket, window_start)
);

-- What was done by whom, written in the effect's own transaction. Append only.
create table audit_log (
    id          bigint generated always as identity primary key,
    actor_id    uuid,
    action      text        not null,
    resource    text        not null,
    resource_id text,
    request_id  text,
    ip          text,
    changes     jsonb       not null default '{}',
    created_at  timestamptz not null
);
create index audit_log_by_actor on audit_log (actor_id, created_at desc);
create index audit_log_by_resource on audit_log (resource, resource_id, created_at desc);
