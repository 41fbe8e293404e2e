-- Definer: it answers who the caller is, so it runs before the caller is known. Unlike a policy it
-- needs the token's hash, and answers that one session only.
create or replace function public.find_session(p_token_hash bytea, p_now timestamptz)
returns table (
    user_id uuid, address text, display_name text, role text, expires_at timestamptz
)
language sql stable security definer set search_path = ''
as $$
    select u.id, u.address, u.display_name, u.role, s.expires_at
    from public.sessions s
    join public.users u on u.id = s.user_id
    where s.token_hash = p_token_hash and s.revoked_at is null and s.expires_at > p_now;
$$;
revoke all on function public.find_session from public;
grant execute on function public.find_session to presage_api, presage_admin, presage_worker;
