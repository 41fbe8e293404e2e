-- name: create_challenge
-- Store the message a wallet is about to sign.
select public.create_challenge(
    %(nonce)s, %(address)s, %(chain)s, %(message)s, %(now)s, %(expires_at)s
);

-- name: sign_in
-- Consume a challenge and open a session; no row when the challenge is not usable.
select user_id, address, display_name, role, expires_at
from public.sign_in(
    %(nonce)s, %(address)s, %(message)s, %(user_id)s, %(token_hash)s, %(is_bootstrap_admin)s,
    %(ip)s, %(request_id)s, %(now)s, %(expires_at)s
);

-- name: find_session
-- Whose live session this token hash is.
select user_id, address, display_name, role, expires_at
from public.find_session(%(token_hash)s, %(now)s);

-- name: revoke_sessions
-- End every session of the caller.
select public.revoke_sessions(%(ip)s, %(request_id)s, %(now)s) as revoked_sessions;

-- name: count_login_attempt
-- Count a try on a login route in this minute's window; answers how many there were.
select public.count_login_attempt(%(bucket)s, %(now)s) as attempts;
