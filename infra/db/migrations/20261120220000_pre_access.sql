-- API keys, tickets for the WebSocket, and who asked for a change of shares.

-- A key is looked up by the SHA-256 of its text: the text itself is shown once and never stored.
-- The prefix is the part of it that lists show. A key that was revoked or has expired stays for a
-- while, so that its owner can see what became of it.
create table api_keys (
    id               uuid primary key,
    user_id          uuid        not null references users (id),
    name             text        not null,
    prefix           text        not null,
    key_hash         bytea       not null,
    scopes           text[]      not null,
    ip_allow_list cidr[]     not null default '{}',
    created_at       timestamptz not null,
    expires_at       timestamptz,
    last_used_at     timestamptz,
    revoked_at       timestamptz,
    constraint api_keys_hash_is_used_once unique (key_hash),
    constraint api_keys_hash_is_sha256 check (length(key_hash) = 32),
    constraint api_keys_name_is_short check (length(name) between 1 and 100),
    constraint api_keys_scopes_are_known check (
        cardinality(scopes) > 0 and scopes <@ array['read', 'trade', 'admin', 'service']),
    constraint api_keys_for_services_do_nothing_else check (
        not 'service' = any (scopes) or cardinality(scopes) = 1),
    constraint api_keys_allow_at_most_twenty_networks check (cardinality(ip_allow_list) <= 20),
    constraint api_keys_end_after_they_start check (expires_at > created_at)
);
create index api_keys_by_user on api_keys (user_id, created_at desc, id desc);
create index api_keys_over on api_keys (least(revoked_at, expires_at));

-- A browser cannot send a header with a WebSocket's handshake, so it shows one of these instead,
-- once, within a minute.
create table ws_tickets (
    ticket_hash bytea primary key,
    user_id     uuid        not null references users (id),
    created_at  timestamptz not null,
    expires_at  timestamptz not null,
    consumed_at timestamptz,
    constraint ws_tickets_hash_is_sha256 check (length(ticket_hash) = 32),
    constraint ws_tickets_end_after_they_start check (expires_at > created_at)
);
create index ws_tickets_by_expiry on ws_tickets (expires_at);

create index users_newest_first on users (created_at desc, id desc);
create index users_super_admins on users (id) where role = 'super_admin';

-- The new one takes the request's id and address for the audit log too.
drop function if exists public.change_shares(
    uuid, text, smallint, bigint, text, bytea, uuid, timestamptz
);
