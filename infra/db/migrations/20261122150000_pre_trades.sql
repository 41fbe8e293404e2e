-- What people were given to sign, by the SHA-256 of its message: what comes back to be sent must be
-- one of these, unmodified (spec: solana)..
create table unsigned_transactions (
    message_hash            bytea not null,
    user_id                 uuid not null references users (id),
    purpose                 text not null,
    market_id               uuid not null references markets (id),
    last_valid_block_height bigint not null,
    created_at              timestamptz not null,
    submitted_at            timestamptz,
    signature               text,
    constraint unsigned_transactions_have_ids primary key (message_hash),
    constraint unsigned_transactions_hash_is_sha256 check (length(message_hash) = 32)
);
create index unsigned_transactions_by_age on unsigned_transactions (created_at);
-- Markets may be proposed on Solana too: the function takes three values more.
drop function if exists public.propose_market(
    uuid, text, text, text, text, text, text, text[], text, text, integer, bigint, timestamptz,
    timestamptz, jsonb, integer, text, text, timestamptz
);
