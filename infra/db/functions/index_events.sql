-- Why: projects the events that this transaction has kept: its trades as their sums (p_sums, of blocks
-- of p_times), the others by their keys. p_markets, p_market_ids and p_addresses name the markets that
-- all are of. A claim names its market's account only: it joins its market when both are known. One
-- transaction projects at a time, and the last to begin sees what all before it kept: any order of
-- deliveries is the same as one.
-- Definer: the tables that tell what is on chain have no other writer. Answers the markets here
-- whose state has changed.
create or replace function public.index_events(
    p_others text[], p_other_ordinals integer[], p_sums public.chain_trade_sums,
    p_times timestamptz[], p_markets text[], p_market_ids uuid[], p_addresses text[],
    p_request_id text, p_now timestamptz
) returns uuid[]
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_rows  public.chain_events[];
    v_later public.chain_events[];
begin
    perform public.lock_indexer();
    with met as (
        insert into public.chain_addresses (market, market_id, address)
        select n.market, n.market_id, n.address
        from unnest(p_markets, p_market_ids, p_addresses) as n (market, market_id, address)
        where not exists (
            select from public.chain_addresses as a where a.market = n.market collate "C")
        on conflict do nothing
        returning market, market_id, address
    )
    insert into public.chain_markets (market, market_id, address)
    select m.market, m.market_id, m.address from met as m;

    if found or p_others <> '{}' then
        -- Claims without a market are a handful, these ones and older ones alike: one joins when it
        -- comes, or when its market does.
        with joined as (
            update public.chain_events as e
            set market = a.market
            from public.chain_addresses as a
            where e.event_type = 'WinningsClaimed' and e.market is null
              and e.data ->> 'market' = a.address
            returning e.*
        )
        select array_agg(j::public.chain_events) into v_later
        from joined as j
        where (j.signature, j.ordinal) not in (
            select t.signature collate "C", t.ordinal
            from unnest(p_others, p_other_ordinals) as t (signature, ordinal));

        select array_agg(e::public.chain_events) into v_rows
        from unnest(p_others, p_other_ordinals) as t (signature, ordinal)
        join public.chain_events as e
            on e.signature = t.signature collate "C" and e.ordinal = t.ordinal;
    end if;
    if p_sums.traded <> '{}' then
        perform public.project_trades(p_sums);
        perform public.take_back_trades(p_sums.traded, p_times);
    end if;
    return public.project_events(v_rows || v_later, p_sums.traded, p_request_id, p_now);
end;
$$;
revoke execute on function public.index_events(
    text[], integer[], public.chain_trade_sums, timestamptz[], text[], uuid[], text[], text,
    timestamptz) from public;
grant execute on function public.index_events(
    text[], integer[], public.chain_trade_sums, timestamptz[], text[], uuid[], text[], text,
    timestamptz) to presage_worker;
