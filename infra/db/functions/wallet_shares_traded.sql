-- Why: the shares that a wallet's trades after a place in chain order added to what it holds. p_since
-- is a time that no such trade is before: the index is by time.
create or replace function public.wallet_shares_traded(
    p_market text, p_wallet text, p_after bigint[], p_since timestamptz
) returns table (yes numeric, no numeric)
language sql stable set search_path = ''
as $$
    select coalesce(sum(t.shares_yes), 0), coalesce(sum(t.shares_no), 0)
    from public.chain_trades as t
    where t.wallet = p_wallet collate "C" and t.market = p_market collate "C" and t.place > p_after
      and t.traded_at >= p_since
$$;
revoke execute on function public.wallet_shares_traded(text, text, bigint[], timestamptz) from public;
