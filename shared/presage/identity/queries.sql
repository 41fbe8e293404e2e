-- name: create_challenge
-- Store the message a wallet is about to sign.
select public.create_challenge(
    %(nonce)s, %(address)s, %(chain)s, %(message)s, %(now)s, %(expires_at)s
);

-- name: sign_in
-- Consume a challenge and open a session; no row when the challenge is not usable.
select user_id, address, display_name, role, expires_at, polymarket_linked
from public.sign_in(
    %(nonce)s, %(address)s, %(message)s, %(user_id)s, %(token_hash)s, %(is_bootstrap_admin)s,
    %(ip)s, %(request_id)s, %(now)s, %(expires_at)s,
    %(key_id)s, %(credential_nonce)s, %(ciphertext)s
);

-- name: find_wallet
-- The user of a wallet that has proved itself, if there is one.
select public.find_wallet('evm', %(address)s) as user_id;

-- name: get_profile
-- How the caller is shown and reached.
select id, address, display_name, language, email, email_pending
from public.users
where id = public.actor_id();

-- name: update_profile
-- Change what was given; says whether a mail is due, or when to come again.
select id, address, display_name, language, email, email_pending, is_mail_due, retry_after_s
from public.update_profile(%(changes)s::jsonb, %(request_id)s, %(ip)s, %(now)s);

-- name: confirm_email
-- Make the pending email the caller's, if it is the one of their link.
select public.confirm_email(%(email_hash)s, %(request_id)s, %(ip)s, %(now)s);

-- name: link_venue
-- Store or replace the caller's encrypted credentials.
select public.link_venue(
    %(venue)s, %(key_id)s, %(nonce)s, %(ciphertext)s, %(request_id)s, %(ip)s, %(now)s
);

-- name: unlink_venue
-- Delete the caller's credentials.
select public.unlink_venue(%(venue)s, %(request_id)s, %(ip)s, %(now)s) as was_linked;

-- name: load_credentials
-- A user's encrypted credentials; a user's own request sees no others.
select user_id, venue, key_id, nonce, ciphertext
from public.venue_credentials
where user_id = %(user_id)s and venue = %(venue)s;

-- name: stale_credentials
-- Credentials that are not under the present key, after a cursor.
select user_id, venue, key_id, nonce, ciphertext
from public.venue_credentials
where key_id <> %(key_id)s and (user_id, venue) > (%(user_id)s::uuid, %(venue)s::text)
order by user_id, venue
limit %(limit)s;

-- name: reseal_credentials
-- Put credentials under the present key, unless their owner has replaced them meanwhile.
update public.venue_credentials
set key_id = %(key_id)s, nonce = %(nonce)s, ciphertext = %(ciphertext)s
where user_id = %(user_id)s and venue = %(venue)s and nonce = %(old_nonce)s;

-- name: audit_rotation
-- How many credentials went under which key.
insert into public.audit_log (action, resource, request_id, changes, created_at)
values (
    'rotate_credentials', 'venue_credentials', %(request_id)s,
    jsonb_build_object('key_id', %(key_id)s::text, 'count', %(count)s::integer), %(now)s
);

-- name: find_session
-- Whose live session this token hash is.
select user_id, address, display_name, role, expires_at
from public.find_session(%(token_hash)s, %(now)s);

-- name: get_session
-- The caller's live session as they see it.
select s.user_id, s.address, s.display_name, s.role, s.expires_at,
    exists (
        select from public.venue_credentials as c
        where c.user_id = s.user_id and c.venue = 'polymarket'
    ) as polymarket_linked
from public.find_session(%(token_hash)s, %(now)s) as s;

-- name: revoke_sessions
-- End every session of the caller.
select public.revoke_sessions(%(ip)s, %(request_id)s, %(now)s) as revoked_sessions;

-- name: count_login_attempt
-- Count a try on a login route in this minute's window; answers how many there were.
select public.count_login_attempt(%(bucket)s, %(now)s) as attempts;
