-- Why: the one way shares reach a holder; the caller holds the market's lock, so looking before
-- inserting is safe. Answers 1 when the holder never held anything of this market before, else 0.
create or replace function public.add_shares(
    p_market_id uuid, p_user_id uuid, p_outcome smallint, p_position text, p_lots bigint,
    p_cost_micros bigint, p_realised_micros bigint, p_now timestamptz
) returns integer
language plpgsql volatile set search_path = ''
as $$
declare
    v_new integer;
begin
    update public.positions as p set
        held_lots = p.held_lots + p_lots,
        cost_micros = p.cost_micros + p_cost_micros,
        realised_micros = p.realised_micros + p_realised_micros,
        updated_at = p_now
    where p.market_id = p_market_id and p.user_id = p_user_id and p.outcome = p_outcome
      and p.position = p_position;
    if found then
        return 0;
    end if;
    select case when exists (
        select from public.positions as p
        where p.market_id = p_market_id and p.user_id = p_user_id
    ) then 0 else 1 end into v_new;
    insert into public.positions
        (market_id, user_id, outcome, position, held_lots, cost_micros, realised_micros, updated_at)
    values
        (p_market_id, p_user_id, p_outcome, p_position, p_lots, p_cost_micros, p_realised_micros,
         p_now);
    return v_new;
end;
$$;
revoke execute on function public.add_shares(
    uuid, uuid, smallint, text, bigint, bigint, bigint, timestamptz
) from public;
