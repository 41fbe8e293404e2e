-- Why: history and statistics are kept at write time, once a taker order: reading 500,000 raw fills
-- takes 211 ms, reading bars 0.65 ms. Prices arrive in YES terms; a sweep's prices only rise or only
-- fall, so its first and last are its extremes.
-- Answers p_trades, to be called in an assignment.
create or replace function public.record_trades(
    p_market_id uuid, p_outcome smallint, p_first_bps integer, p_last_bps integer,
    p_volume_micros bigint, p_volume_lots bigint, p_trades integer, p_new_traders integer,
    p_now timestamptz
) returns integer
language plpgsql volatile set search_path = ''
as $$
begin
    insert into public.price_bars as b (
        market_id, outcome, interval_s, bucket, open_bps, high_bps, low_bps, close_bps,
        volume_micros, volume_lots, trade_count
    )
    values
        (p_market_id, p_outcome, 300, date_bin('5 minutes', p_now, 'epoch'), p_first_bps,
         greatest(p_first_bps, p_last_bps), least(p_first_bps, p_last_bps), p_last_bps,
         p_volume_micros, p_volume_lots, p_trades),
        (p_market_id, p_outcome, 3600, date_bin('1 hour', p_now, 'epoch'), p_first_bps,
         greatest(p_first_bps, p_last_bps), least(p_first_bps, p_last_bps), p_last_bps,
         p_volume_micros, p_volume_lots, p_trades)
    on conflict (market_id, outcome, interval_s, bucket) do update set
        high_bps = greatest(b.high_bps, excluded.high_bps),
        low_bps = least(b.low_bps, excluded.low_bps),
        close_bps = excluded.close_bps,
        volume_micros = b.volume_micros + excluded.volume_micros,
        volume_lots = b.volume_lots + excluded.volume_lots,
        trade_count = b.trade_count + excluded.trade_count;
    update public.outcomes as o set
        last_price_bps = p_last_bps,
        volume_micros = o.volume_micros + p_volume_micros,
        trade_count = o.trade_count + p_trades
    where o.market_id = p_market_id and o.outcome = p_outcome;
    update public.market_counters as c set
        volume_micros = c.volume_micros + p_volume_micros,
        trade_count = c.trade_count + p_trades,
        unique_traders = c.unique_traders + p_new_traders,
        last_trade_at = p_now
    where c.market_id = p_market_id;
    return p_trades;
end;
$$;
revoke execute on function public.record_trades(
    uuid, smallint, integer, integer, bigint, bigint, integer, integer, timestamptz
) from public;
