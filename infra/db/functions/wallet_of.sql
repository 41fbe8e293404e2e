-- The wallet of a user, which is public where the user acted in public (a market's creator).
-- Definer: users are private rows.
create or replace function public.wallet_of(p_user_id uuid) returns text
language sql stable security definer set search_path = ''
as $$
    select u.address from public.users u where u.id = p_user_id
$$;
revoke all on function public.wallet_of from public;
grant execute on function public.wallet_of to presage_api, presage_admin, presage_worker;
