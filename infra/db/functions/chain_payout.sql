-- Why: an outcome on chain as a payout vector {YES, NO}; a market without one pays half to each.
create or replace function public.chain_payout(p_outcome boolean) returns integer[]
language sql immutable set search_path = ''
as $$
    select case p_outcome when true then '{10000,0}'::integer[] when false then '{0,10000}'
        else '{5000,5000}' end
$$;
revoke execute on function public.chain_payout(boolean) from public;
