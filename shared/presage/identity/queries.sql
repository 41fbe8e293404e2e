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
