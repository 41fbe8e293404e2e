-- Definer: nobody is signed in yet, so no row policy can name the owner of a challenge.
create or replace function public.create_challenge(
    p_nonce text, p_address text, p_chain text, p_message text,
    p_now timestamptz, p_expires_at timestamptz
) returns void
language sql volatile security definer set search_path = ''
as $$
    insert into public.auth_challenges (nonce, address, chain, message, created_at, expires_at)
    values (p_nonce, p_address, p_chain, p_message, p_now, p_expires_at);
$$;
revoke all on function public.create_challenge from public;
grant execute on function public.create_challenge to presage_api;
