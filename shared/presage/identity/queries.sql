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
select public.find_wallet(%(chain)s, %(address)s) as user_id;

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

-- name: find_api_key
-- Whose live API key this hash is; notes that it was used.
select user_id, address, role, expires_at, scopes, ip_allow_list
from public.find_api_key(%(key_hash)s, %(now)s);

-- name: list_api_keys
-- One page of the caller's keys that were not revoked, newest first.
select id, name, prefix, scopes, ip_allow_list::text[] as ip_allow_list, created_at, expires_at,
       last_used_at
from public.api_keys
where user_id = (select public.actor_id()) and revoked_at is null
  and (%(before)s::timestamptz is null
       or (created_at, id) < (%(before)s::timestamptz, %(before_id)s::uuid))
order by created_at desc, id desc
limit %(limit)s;

-- name: create_api_key
-- Keep a new key of the caller.
select public.create_api_key(
    %(id)s, %(name)s, %(prefix)s, %(key_hash)s, %(scopes)s, %(ip_allow_list)s, %(expires_at)s,
    %(request_id)s, %(ip)s, %(now)s
);

-- name: revoke_api_key
-- End a key of the caller.
select id, revoked_at, key_hash
from public.revoke_api_key(%(id)s, %(request_id)s, %(ip)s, %(now)s);

-- name: create_ws_ticket
-- Keep a ticket of the caller for one WebSocket handshake.
select public.create_ws_ticket(%(ticket_hash)s, %(expires_at)s, %(request_id)s, %(ip)s, %(now)s);

-- name: list_users
-- One page of users, newest first.
select id, address, display_name, role, closed_only, created_at
from public.users
where (%(role)s::text is null or role = %(role)s::text)
  and (%(search)s::text is null
       or starts_with(lower(address), lower(%(search)s::text))
       or strpos(lower(display_name), lower(%(search)s::text)) > 0)
  and (%(before)s::timestamptz is null
       or (created_at, id) < (%(before)s::timestamptz, %(before_id)s::uuid))
order by created_at desc, id desc
limit %(limit)s;

-- name: get_user
-- One user, with how many sessions and API keys would work now.
select u.id, u.address, u.display_name, u.role, u.closed_only, u.created_at,
       (select count(*) from public.sessions s
        where s.user_id = u.id and s.revoked_at is null
          and s.expires_at > %(now)s)::integer as open_sessions,
       (select count(*) from public.api_keys k
        where k.user_id = u.id and k.revoked_at is null
          and (k.expires_at is null or k.expires_at > %(now)s))::integer as live_api_keys
from public.users u
where u.id = %(user_id)s;

-- name: update_user
-- Change a user's role and whether the account is closed-only.
select id, address, display_name, role, closed_only, created_at, cancelled_orders, more_orders,
       hashes
from public.update_user(
    %(user_id)s, %(role)s, %(closed_only)s, %(reason)s, %(request_id)s, %(ip)s, %(now)s
);

-- name: list_audit_log
-- One page of the audit log, newest first.
select id, actor_id, action, resource, resource_id, request_id, ip, changes::text, created_at
from public.audit_log
where (%(actor)s::uuid is null or actor_id = %(actor)s::uuid)
  and (%(action)s::text is null or action = %(action)s::text)
  and (%(resource)s::text is null or resource = %(resource)s::text)
  and (%(resource_id)s::text is null or resource_id = %(resource_id)s::text)
  and (%(logged_from)s::timestamptz is null or created_at >= %(logged_from)s::timestamptz)
  and (%(logged_to)s::timestamptz is null or created_at < %(logged_to)s::timestamptz)
  and (%(before_id)s::bigint is null or id < %(before_id)s::bigint)
order by id desc
limit %(limit)s;
