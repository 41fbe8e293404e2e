-- Why definer: a vote cast here is its owner's; an admin may see it by wallet (readable_user).
create or replace function public.user_votes(
    p_wallet text, p_as_admin boolean, p_before timestamptz, p_before_id uuid, p_limit integer
) returns table (id uuid, market_id uuid, kind text, vote boolean, voted_at timestamptz)
language sql stable security definer set search_path = ''
as $$
    select v.id, v.market_id, v.kind, v.vote, v.created_at
    from public.votes as v
    where v.user_id = (select public.readable_user(p_wallet, p_as_admin))
      and (p_before is null
           or (v.created_at <= p_before and (v.created_at, v.id) < (p_before, p_before_id)))
    order by v.created_at desc, v.id desc
    limit least(p_limit, 101)
$$;
revoke execute on function public.user_votes(text, boolean, timestamptz, uuid, integer) from public;
grant execute on function public.user_votes(text, boolean, timestamptz, uuid, integer)
    to presage_api, presage_admin, presage_worker;
