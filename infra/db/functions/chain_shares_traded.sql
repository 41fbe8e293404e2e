-- Why: the shares that everybody's trades after a place in chain order added to a market. p_since is
-- a time that no such trade is before: the index is by time.
create or replace function public.chain_shares_traded(
    p_market text, p_after bigint[], p_since timestamptz
) returns table (yes numeric, no numeric)
language sql stable set search_path = ''
as $$
    select coalesce(sum(t.shares) filter (where t.is_yes), 0),
        coalesce(sum(t.shares) filter (where not t.is_yes), 0)
    from (
        select (e.data ->> 'outcome')::boolean as is_yes,
            case e.event_type when 'SharesBought' then 1 else -1 end
                * (e.data ->> 'shares')::numeric as shares
        from public.chain_events as e
        where e.market = p_market and e.event_type in ('SharesBought', 'SharesSold')
          and array[e.slot, e.tx_index, e.ordinal] > p_after and e.block_time >= p_since
    ) as t
$$;
revoke execute on function public.chain_shares_traded(text, bigint[], timestamptz) from public;
