-- Why: the payout vector of a market that has no answer: equal shares, what does not divide to the
-- first outcomes, one basis point each. A binary market's vector is {YES, NO}. Null: no such market.
create or replace function public.void_payout(p_market_id uuid) returns integer[]
language sql stable security definer set search_path = ''
as $$
    select array_agg(10000 / n.sides + case when i <= 10000 % n.sides then 1 else 0 end order by i)
    from (
        select case m.market_type when 'binary' then 2 else (
            select count(*)::integer from public.outcomes as o where o.market_id = m.id) end as sides
        from public.markets as m
        where m.id = p_market_id
    ) as n
    cross join lateral generate_series(1, n.sides) as i
$$;
revoke execute on function public.void_payout(uuid) from public;
grant execute on function public.void_payout(uuid) to presage_api, presage_admin, presage_worker;
