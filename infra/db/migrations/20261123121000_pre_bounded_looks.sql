-- What the workflows look at every minute must not grow with what is over (spec: scale).
create index chain_transactions_of_market on chain_transactions (market_id, purpose, updated_at);
create index votes_by_time on votes (market_id, kind, created_at);
-- A market on Solana is never settled here.
drop index markets_unsettled;
create index markets_unsettled on markets (finalized_at)
    where state = 'FINALIZED' and venue = 'native' and settled_at is null;
