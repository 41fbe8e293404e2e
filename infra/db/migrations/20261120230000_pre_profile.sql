-- What people say of themselves, and the venue credentials they lend us (spec: identity).

-- An address is pending until its signed link is opened. The last mails' times bound how many go
-- out: a row a mail would only have to be swept.
alter table users
    add column email         text,
    add column email_pending text,
    add column email_sent_at timestamptz[] not null default '{}',
    add constraint users_email_is_short check (length(email) between 3 and 254),
    add constraint users_pending_email_is_short check (length(email_pending) between 3 and 254),
    add constraint users_remember_three_mails check (cardinality(email_sent_at) <= 3);
create unique index users_own_their_email_alone on users (lower(email));

-- AES-256-GCM under the key `key_id` of CREDENTIAL_KEYS, which Postgres never sees; the user and the
-- venue are authenticated with it, so a row moved to another user does not open.
create table venue_credentials (
    user_id    uuid        not null references users (id),
    venue      text        not null,
    key_id     text        not null,
    nonce      bytea       not null,
    ciphertext bytea       not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (user_id, venue),
    constraint venue_credentials_venue_is_known check (venue in ('polymarket')),
    constraint venue_credentials_nonce_is_96_bits check (length(nonce) = 12),
    constraint venue_credentials_are_bounded check (length(ciphertext) between 17 and 4096)
);

-- A function whose answer or parameters grow must go before it comes; callers name their columns,
-- and what is new is optional, so code from before goes on.
drop function if exists public.sign_in(
    text, text, text, uuid, bytea, boolean, text, text, timestamptz, timestamptz
);
