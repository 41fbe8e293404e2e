-- Why: what can be said of an order from its own fields and its market's grid, before the book is
-- read. Raises PR400 with the field's name in `column`; answers nothing.
create or replace function public.check_order(
    p_position text, p_side text, p_type text, p_price_bps integer, p_size_lots bigint,
    p_amount_micros bigint, p_post_only boolean, p_self_trade_prevention text,
    p_client_order_id text, p_tick_size_bps integer, p_min_size_lots bigint, p_fee_bps integer
) returns void
language plpgsql immutable set search_path = ''
as $$
declare
    c_max_lots   constant bigint := 100000000000;      -- keeps every product inside a bigint
    c_max_micros constant bigint := 1000000000000000;
    v_field   text;
    v_message text;
begin
    if p_position is null or p_position not in ('YES', 'NO') then
        v_field := 'position'; v_message := 'position is YES or NO';
    elsif p_side is null or p_side not in ('BUY', 'SELL') then
        v_field := 'side'; v_message := 'side is BUY or SELL';
    elsif p_type is null or p_type not in ('GTC', 'FOK', 'FAK') then
        v_field := 'type'; v_message := 'type is GTC, FOK or FAK';
    elsif p_self_trade_prevention is null
        or p_self_trade_prevention not in ('cancel_taker', 'cancel_maker', 'cancel_both') then
        v_field := 'self_trade_prevention';
        v_message := 'self_trade_prevention is cancel_taker, cancel_maker or cancel_both';
    elsif length(p_client_order_id) not between 1 and 128 then
        v_field := 'client_order_id'; v_message := 'client_order_id has 1 to 128 characters';
    elsif p_post_only and p_type <> 'GTC' then
        v_field := 'post_only'; v_message := 'an order that may not rest cannot be post-only';
    elsif p_price_bps is null or p_price_bps not between 1 and 9999 then
        v_field := 'price'; v_message := 'price lies between 0.0001 and 0.9999';
    elsif p_price_bps % p_tick_size_bps <> 0 then
        v_field := 'price'; v_message := format('price is not on the tick of %s bps', p_tick_size_bps);
    elsif p_amount_micros is null and p_size_lots is null then
        v_field := 'size'; v_message := 'give size';
    elsif p_amount_micros is null and p_size_lots < p_min_size_lots then
        v_field := 'size'; v_message := format('size is at least %s lots', p_min_size_lots);
    elsif p_size_lots > c_max_lots then
        v_field := 'size'; v_message := format('size is at most %s lots', c_max_lots);
    elsif p_amount_micros is not null and p_size_lots is not null then
        v_field := 'amount'; v_message := 'give size or amount, not both';
    elsif p_amount_micros is not null and (p_side <> 'BUY' or p_type not in ('FOK', 'FAK')) then
        v_field := 'amount'; v_message := 'only a FOK or FAK buy is given by amount';
    elsif p_amount_micros > c_max_micros then
        v_field := 'amount'; v_message := format('amount is at most %s micros', c_max_micros);
    elsif p_amount_micros is not null and p_amount_micros::numeric * 100000000 < p_min_size_lots
            * (p_price_bps * 100000000::numeric + p_price_bps * (10000 - p_price_bps) * p_fee_bps::numeric) then
        v_field := 'amount'; v_message := 'amount does not buy the smallest size at this price';
    else
        return;
    end if;
    raise exception using errcode = 'PR400', column = v_field, message = v_message;
end;
$$;
revoke execute on function public.check_order(
    text, text, text, integer, bigint, bigint, boolean, text, text, integer, bigint, integer
) from public;
