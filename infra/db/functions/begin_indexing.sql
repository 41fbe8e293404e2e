-- Why: begins the keeping of a delivery's events: makes this the one indexer until its transaction
-- ends, which makes any order of deliveries the same as one, and says which of the events are here
-- already, by their places in the arrays. p_markets, p_market_ids and p_addresses name the markets
-- that the events are of. Definer: the tables that tell what is on chain have no other writer.
create or replace function public.begin_indexing(
    p_signatures text[], p_ordinals integer[], p_markets text[], p_market_ids uuid[],
    p_addresses text[]
) returns table (place integer)
language plpgsql volatile security definer set search_path = ''
as $$
begin
    perform public.lock_indexer();
    insert into public.chain_addresses as a (market, market_id, address)
    select * from unnest(p_markets, p_market_ids, p_addresses)
    on conflict do nothing;
    return query
    select (t.place - 1)::integer
    from unnest(p_signatures, p_ordinals) with ordinality as t (signature, ordinal, place)
    join public.chain_events as e
        on e.signature = t.signature collate "C" and e.ordinal = t.ordinal;
end;
$$;
revoke execute on function public.begin_indexing from public;
grant execute on function public.begin_indexing to presage_worker;
