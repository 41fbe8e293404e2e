-- Why: the shares that a wallet's trades after a place in chain order added to what it holds.
create or replace function public.wallet_shares_traded(
    p_market text, p_wallet text, p_after bigint[]
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
        where e.wallet = p_wallet collate "C" and e.market = p_market collate "C"
          and e.event_type in ('SharesBought', 'SharesSold')
          and array[e.slot, e.tx_index, e.ordinal] > p_after
    ) as t
$$;
revoke execute on function public.wallet_shares_traded(text, text, bigint[]) from public;
