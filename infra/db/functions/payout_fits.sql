-- Why: whether a payout vector is one the market can be settled by: a share for each outcome (a
-- binary market: YES and NO), none negative, 10,000 together. Null fits nothing.
create or replace function public.payout_fits(p_market_id uuid, p_payout_bps integer[])
returns boolean
language sql stable set search_path = ''
as $$
    select coalesce((
        select sum(f) = 10000 and min(f) >= 0 and count(f) = count(*)
           and count(*) = cardinality(public.void_payout(p_market_id))
        from unnest(p_payout_bps) as f), false)
$$;
revoke execute on function public.payout_fits(uuid, integer[]) from public;
