-- Why: whether a market takes an order now, decided after its lock is held, so that nobody trades
-- after the close because a workflow was late. Raises PR410; answers nothing.
create or replace function public.check_trading(
    p_venue text, p_state text, p_trading_status text, p_opens_at timestamptz,
    p_closes_at timestamptz, p_post_only boolean, p_now timestamptz
) returns void
language plpgsql immutable set search_path = ''
as $$
declare
    v_message text;
begin
    if p_venue <> 'native' then
        v_message := format('this market trades on %s', p_venue);
    elsif p_state <> 'ACTIVE' then
        v_message := format('the market is %s', p_state);
    elsif p_opens_at > p_now then
        v_message := 'the market has not opened yet';
    elsif p_closes_at <= p_now then
        v_message := 'the market has closed';
    elsif p_trading_status = 'post_only' and p_post_only is not true then
        v_message := 'the market takes only post-only orders';
    elsif p_trading_status in ('cancel_only', 'halted') then
        v_message := format('trading is %s', p_trading_status);
    else
        return;
    end if;
    raise exception using errcode = 'PR410', message = v_message;
end;
$$;
revoke execute on function public.check_trading(
    text, text, text, timestamptz, timestamptz, boolean, timestamptz
) from public;
