-- Why: one writer of the chain's tables at a time, until its transaction ends. Deliveries are large
-- and short; a rebuild makes them wait, and what the sender gives up is fetched again.
create or replace function public.lock_indexer() returns void
language sql volatile set search_path = ''
as $$
    select pg_advisory_xact_lock(x'70726573'::integer, x'63686169'::integer)
$$;
revoke execute on function public.lock_indexer() from public;
