-- Why: begins the keeping of transactions' events: makes this the one indexer until its transaction
-- ends, which makes any order of deliveries the same as one, and says which of their events are here
-- already. Definer: the lock is the indexer's.
create or replace function public.begin_indexing(p_signatures text[])
returns table (signature text, ordinal integer)
language plpgsql volatile security definer set search_path = ''
as $$
begin
    perform public.lock_indexer();
    return query
    select e.signature, e.ordinal
    from unnest(p_signatures) as t (signature)
    join public.chain_events as e on e.signature = t.signature collate "C";
end;
$$;
revoke execute on function public.begin_indexing from public;
grant execute on function public.begin_indexing to presage_worker;
