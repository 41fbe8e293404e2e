-- Why: begins the keeping of transactions' events: makes this the one indexer until its transaction
-- ends, which makes any order of deliveries the same as one, and says which of their events are here
-- already. What is new lies past the end of what is kept, so that one look at the blocks' times
-- (p_from to p_to) mostly tells it; the plan is made for the times and signatures at hand.
-- Definer: the lock is the indexer's.
create or replace function public.begin_indexing(
    p_signatures text[], p_from timestamptz, p_to timestamptz
) returns table (signature text, ordinal integer)
language plpgsql volatile security definer set search_path = ''
set plan_cache_mode = 'force_custom_plan'
as $$
begin
    perform public.lock_indexer();
    return query
    select e.signature, e.ordinal
    from public.chain_events as e
    where e.signature = any (p_signatures) and e.block_time between p_from and p_to;
end;
$$;
revoke execute on function public.begin_indexing from public;
grant execute on function public.begin_indexing to presage_worker;
