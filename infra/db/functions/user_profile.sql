-- Why definer: a wallet's name and age are public, its figures on the exchange are not: those are null
-- for whoever may not read them (readable_user). Trades and volume are of the rolled-up days. Nobody
-- has a row without having signed in.
create or replace function public.user_profile(p_wallet text, p_as_admin boolean) returns table (
    display_name text, joined_at timestamptz, trades bigint, volume_micros numeric,
    markets_traded bigint, votes bigint, open_positions bigint, profit_micros numeric
)
language sql stable security definer set search_path = ''
as $$
    select u.display_name, u.created_at,
           case when r.id is not null then coalesce(t.trades, 0) end,
           case when r.id is not null then coalesce(t.volume_micros, 0) end,
           case when r.id is not null then p.markets end,
           case when r.id is not null then (
               select count(*) from public.votes as v where v.user_id = r.id) end,
           case when r.id is not null then p.open end,
           case when r.id is not null then coalesce(p.realised, 0) end
    from public.users as u
    cross join lateral (select public.readable_user(p_wallet, p_as_admin) as id) as r
    left join lateral (
        select sum(d.trade_count) as trades, sum(d.volume_micros) as volume_micros
        from public.user_daily_stats as d where d.user_id = r.id
    ) as t on true
    left join lateral (
        select count(distinct q.market_id) as markets, sum(q.realised_micros) as realised,
               count(distinct (q.market_id, q.outcome)) filter (where q.held_lots > 0) as open
        from public.positions as q where q.user_id = r.id
    ) as p on true
    where u.id = public.find_wallet(
        case when p_wallet like '0x%' then 'evm' else 'solana' end, p_wallet)
$$;
revoke execute on function public.user_profile(text, boolean) from public;
grant execute on function public.user_profile(text, boolean)
    to presage_api, presage_admin, presage_worker;
