-- The payout vector of an outcome: 10,000 for the winner, equal shares for VOID. A binary market's
-- vector is {YES, NO}. Raises PR404 and PR400 (outcome) as find_outcome does.
create or replace function public.winning_payout(p_market_id uuid, p_outcome text)
returns integer[]
language plpgsql stable security definer set search_path = ''
as $$
declare
    v_found record;
    v_sides integer;
begin
    if p_outcome = 'VOID' then
        return public.void_payout(p_market_id);
    end if;
    select f.outcome, f.position, m.market_type into v_found
    from public.find_outcome(p_market_id::text, p_outcome, null) f
    join public.markets m on m.id = f.market_id;
    if v_found.market_type = 'binary' then
        return case v_found.position when 'YES' then array[10000, 0] else array[0, 10000] end;
    end if;
    select count(*) into v_sides from public.outcomes o where o.market_id = p_market_id;
    return array(
        select case when i = v_found.outcome then 10000 else 0 end
        from generate_series(0, v_sides - 1) as i
        order by i
    );
end;
$$;
revoke all on function public.winning_payout from public;
grant execute on function public.winning_payout to presage_api, presage_admin, presage_worker;
