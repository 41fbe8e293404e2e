-- Why: what can be said of an order from its own fields and its market's grid, before the book is
-- read. Answers the first field that does not fit, or null. One CASE is one evaluation: as fourteen
-- IFs it took ten times as long.
create or replace function public.misfit_of_order(
    p_position text, p_side text, p_type text, p_price_bps integer, p_size_lots bigint,
    p_amount_micros bigint, p_post_only boolean, p_self_trade_prevention text,
    p_client_order_id text, p_expires_at timestamptz, p_tick_size_bps integer,
    p_min_size_lots bigint, p_fee_bps integer, p_now timestamptz
) returns text
language plpgsql stable set search_path = ''
as $$
declare
    c_max_lots   constant bigint := 100000000000;      -- keeps every product inside a bigint
    c_max_micros constant bigint := 900000000000000;   -- at a price of one as well
    c_scale      constant numeric := 100000000;
begin
    return case
        when p_position is null or p_position not in ('YES', 'NO') then 'position'
        when p_side is null or p_side not in ('BUY', 'SELL') then 'side'
        when p_type is null or p_type not in ('GTC', 'GTD', 'FOK', 'FAK') then 'type'
        when p_self_trade_prevention is null
            or p_self_trade_prevention not in ('cancel_taker', 'cancel_maker', 'cancel_both')
            then 'self_trade_prevention'
        when length(p_client_order_id) not between 1 and 128 then 'client_order_id'
        when p_post_only and p_type in ('FOK', 'FAK') then 'post_only'
        when (p_type = 'GTD') <> (p_expires_at is not null) then 'expiration'
        when p_expires_at < p_now + interval '60 s' or not isfinite(p_expires_at) then 'expiration'
        when p_price_bps is null or p_price_bps not between 1 and 9999 then 'price'
        when p_price_bps % p_tick_size_bps <> 0 then 'price'
        when p_amount_micros is null and p_size_lots is null then 'size'
        when p_amount_micros is null and p_size_lots < p_min_size_lots then 'size'
        when p_size_lots > c_max_lots then 'size'
        when p_amount_micros is null then null
        when p_size_lots is not null then 'amount'  -- one of the two, not both
        when p_side <> 'BUY' or p_type in ('GTC', 'GTD') then 'amount'
        when p_amount_micros > c_max_micros then 'amount'
        -- It must buy the smallest size at the limit, fee included.
        when p_amount_micros * c_scale < p_min_size_lots
            * (p_price_bps * c_scale + p_price_bps * (10000 - p_price_bps) * p_fee_bps::numeric)
            then 'amount'
    end;
end;
$$;
revoke execute on function public.misfit_of_order(
    text, text, text, integer, bigint, bigint, boolean, text, text, timestamptz, integer, bigint,
    integer, timestamptz
) from public;
