-- What is on chain is public, and written by the indexer and by workflows only. A vote cast here is
-- its owner's; counts cross people by definer functions. What we signed is read by staff.
revoke all on public.chain_events, public.chain_markets, public.chain_trades,
    public.chain_positions, public.chain_votes, public.votes, public.dispute_weights,
    public.vote_tallies, public.aggregation_results, public.chain_transactions,
    public.chain_cursors, public.discrepancies, public.chain_addresses, public.chain_config,
    public.chain_incomplete, public.chain_holdings
    from presage_api, presage_admin, presage_worker;
grant select on public.chain_events, public.chain_markets, public.chain_trades,
    public.chain_positions, public.chain_votes, public.votes, public.dispute_weights,
    public.aggregation_results, public.chain_addresses, public.chain_config,
    public.chain_holdings
    to presage_api, presage_admin, presage_worker;
grant select on public.vote_tallies, public.chain_transactions, public.chain_cursors,
    public.discrepancies, public.chain_incomplete to presage_admin, presage_worker;
grant insert, update on public.vote_tallies, public.chain_transactions, public.chain_cursors
    to presage_worker;
grant insert on public.aggregation_results, public.discrepancies to presage_worker;
grant delete on public.discrepancies to presage_worker;
grant insert, update, delete on public.chain_incomplete to presage_worker;
grant delete on public.chain_transactions to presage_worker;
grant insert on public.chain_events to presage_worker;
-- Health tells when the chain was last looked at.
grant select on public.chain_cursors to presage_api;

alter table public.votes enable row level security;
drop policy if exists votes_are_seen_by_their_owner on public.votes;
create policy votes_are_seen_by_their_owner on public.votes for select to presage_api
    using (user_id = (select public.actor_id()));
drop policy if exists votes_are_open_to_staff on public.votes;
create policy votes_are_open_to_staff on public.votes to presage_admin, presage_worker
    using (true) with check (true);
