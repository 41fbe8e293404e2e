-- Why: whether a market takes an order now, decided after its lock is held, so that nobody trades
-- after the close because a workflow was late. Answers the reason against it, or null.
create or replace function public.why_not_trading(
    p_venue text, p_state text, p_trading_status text, p_opens_at timestamptz,
    p_closes_at timestamptz, p_post_only boolean, p_now timestamptz
) returns text
language plpgsql immutable set search_path = ''
as $$
begin
    return case
        when p_venue = 'solana'
            then 'the market trades on Solana: use /trades/buy and /trades/sell'
        when p_venue <> 'native' then 'the market does not trade here'
        when p_state <> 'ACTIVE' then 'the market is ' || p_state
        when p_opens_at > p_now then 'the market has not opened yet'
        when p_closes_at <= p_now then 'the market has closed'
        when p_trading_status in ('cancel_only', 'halted') then 'trading is ' || p_trading_status
        when p_trading_status = 'post_only' and p_post_only is not true
            then 'the market takes only post-only orders'
    end;
end;
$$;
revoke execute on function public.why_not_trading(
    text, text, text, timestamptz, timestamptz, boolean, timestamptz
) from public;
