-- Why: whose rows of the exchange a caller may read by wallet: one's own, or anybody's where an admin
-- asks as one (p_as_admin: by a credential that may). Null is nobody.
create or replace function public.readable_user(p_wallet text, p_as_admin boolean) returns uuid
language sql stable set search_path = ''
as $$
    select u.id
    from public.users as u
    where u.id = public.find_wallet(
            case when p_wallet like '0x%' then 'evm' else 'solana' end, p_wallet)
      and (u.id = public.actor_id()
           or (p_as_admin and exists (
               select from public.users as a
               where a.id = public.actor_id() and a.role in ('admin', 'super_admin'))))
$$;
revoke execute on function public.readable_user(text, boolean) from public;
