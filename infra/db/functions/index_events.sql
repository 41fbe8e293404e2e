-- Why: keeps a delivery's events and projects those that are new, in the caller's transaction, one
-- indexer at a time: that makes any order of deliveries the same as one. Arrays run in parallel;
-- p_markets, p_market_ids and p_addresses name the markets that these events are of. A claim names
-- its market's account only: it joins its market when both are known. Definer: the tables that tell
-- what is on chain have no other writer.
create or replace function public.index_events(
    p_signatures text[], p_ordinals integer[], p_slots bigint[], p_indexes integer[],
    p_times bigint[], p_types text[], p_of_markets text[], p_wallets text[], p_data jsonb[],
    p_markets text[], p_market_ids uuid[], p_addresses text[], p_request_id text, p_now timestamptz
) returns table (indexed integer, changed uuid[])
language plpgsql volatile security definer set search_path = ''
as $$
declare
    v_rows  public.chain_events[];
    v_later public.chain_events[];
begin
    perform public.lock_indexer();
    insert into public.chain_addresses as a (market, market_id, address)
    select * from unnest(p_markets, p_market_ids, p_addresses)
    on conflict do nothing;

    with kept as (
        insert into public.chain_events (signature, ordinal, slot, tx_index, block_time, event_type,
            market, wallet, data, received_at)
        select t.signature, t.ordinal, t.slot, t.tx_index, to_timestamp(t.time_s), t.event_type,
            case when t.event_type = 'WinningsClaimed' then (
                select a.market from public.chain_addresses as a
                where a.address = t.data ->> 'market') else t.market end,
            t.wallet, t.data, p_now
        from unnest(p_signatures, p_ordinals, p_slots, p_indexes, p_times, p_types, p_of_markets,
            p_wallets, p_data) as t (signature, ordinal, slot, tx_index, time_s, event_type, market,
            wallet, data)
        on conflict (signature, ordinal) do nothing
        returning *
    )
    select array_agg(k::public.chain_events) into v_rows from kept as k;
    if v_rows is null then
        return query select 0, '{}'::uuid[];
        return;
    end if;

    with joined as (
        update public.chain_events as e
        set market = a.market
        from public.chain_addresses as a
        where a.market = any (p_markets)
          and e.event_type = 'WinningsClaimed' and e.market is null
          and e.data ->> 'market' = a.address
        returning e.*
    )
    select array_agg(j::public.chain_events) into v_later from joined as j;
    return query select cardinality(v_rows),
        public.project_events(v_rows || coalesce(v_later, '{}'), p_request_id, p_now);
end;
$$;
revoke execute on function public.index_events from public;
grant execute on function public.index_events to presage_worker;
