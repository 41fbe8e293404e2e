-- Why: credentials are encrypted for a user's id, which a sign-in needs before its transaction.
-- Definer: the wallet has proved itself by a signature, but nobody is signed in yet.
create or replace function public.find_wallet(p_chain text, p_address text) returns uuid
language sql stable security definer set search_path = ''
as $$
    select u.id from public.users as u where u.chain = p_chain and u.address = p_address;
$$;
revoke all on function public.find_wallet from public;
grant execute on function public.find_wallet to presage_api;
