-- Why: how long after its proposal a market's outcome can be disputed: the longer of our 48 hours and
-- the programme's period, which holds for every market as it is now; three days until it is known.
create or replace function public.chain_window_s() returns integer
language sql stable set search_path = ''
as $$
    select greatest(172800, least(2592000,
        coalesce((select c.dispute_period from public.chain_config as c), 259200)))::integer
$$;
revoke execute on function public.chain_window_s() from public;
