-- Why: the makers' half of a match: fills, resting orders and positions. A resting order carries its
-- own escrow and the money is the caller's business, so no account is touched here. The caller holds
-- the market's lock.
-- Up to three fills go by plain statements; write_trades is faster above.
-- Answers how many makers hold something of this market for the first time.
create or replace function public.write_fills(
    p_fills public.fill_draft[], p_market_id uuid, p_outcome smallint, p_order_id uuid,
    p_taker_id uuid, p_side text, p_position text, p_fee_bps integer, p_maker_rebate_bps integer,
    p_now timestamptz
) returns integer
language plpgsql volatile set search_path = ''
as $$
declare
    v_fill   public.fill_draft;
    v_amount bigint;
    v_new    integer := 0;
begin
    foreach v_fill in array p_fills loop
        insert into public.fills (
            id, market_id, outcome, taker_order_id, maker_order_id, taker_id, maker_id, kind,
            taker_side, taker_position, price_bps, size_lots, fee_bps, maker_rebate_bps,
            rebate_micros, created_at
        ) values (
            v_fill.fill_id, p_market_id, p_outcome, p_order_id, v_fill.maker_order_id, p_taker_id,
            v_fill.maker_id, v_fill.kind, p_side, p_position, v_fill.price_bps, v_fill.size_lots,
            p_fee_bps, p_maker_rebate_bps, v_fill.rebate_micros, p_now
        );
        update public.orders as o set
            filled_lots = o.filled_lots + v_fill.size_lots,
            remaining_lots = v_fill.maker_left_lots,
            status = case when v_fill.maker_left_lots = 0 then 'filled' else 'partial' end,
            is_open = v_fill.maker_left_lots > 0,
            updated_at = p_now
        where o.id = v_fill.maker_order_id;
        v_amount := v_fill.size_lots * v_fill.maker_price_bps;
        if v_fill.maker_side = 'BUY' then
            v_new := v_new + public.add_shares(p_market_id, v_fill.maker_id, p_outcome,
                v_fill.maker_position, v_fill.size_lots, v_amount, v_fill.rebate_micros, p_now);
        else
            update public.positions as p set
                held_lots = p.held_lots - v_fill.size_lots,
                locked_lots = p.locked_lots - v_fill.size_lots,
                cost_micros = p.cost_micros - div(p.cost_micros::numeric * v_fill.size_lots, p.held_lots),
                realised_micros = p.realised_micros + v_amount + v_fill.rebate_micros
                    - div(p.cost_micros::numeric * v_fill.size_lots, p.held_lots),
                updated_at = p_now
            where p.market_id = p_market_id and p.user_id = v_fill.maker_id
              and p.outcome = p_outcome and p.position = v_fill.maker_position;
        end if;
    end loop;
    return v_new;
end;
$$;
revoke execute on function public.write_fills(
    public.fill_draft[], uuid, smallint, uuid, uuid, text, text, integer, integer, timestamptz
) from public;
