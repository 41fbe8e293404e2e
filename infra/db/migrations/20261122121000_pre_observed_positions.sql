-- What wallets' own accounts said where logs were cut off: a few rows, looked for with every delivery.
create index chain_events_of_positions on chain_events (market, wallet, slot, tx_index)
    where event_type = 'PositionObserved';

-- Functions whose parameters have changed since: a second one of a name could not be revoked.
drop function if exists public.begin_indexing(text[], integer[], text[], uuid[], text[]);
drop function if exists public.index_events(text[], integer[], text[], text, timestamptz);
drop function if exists public.reindex_markets(text, integer, timestamptz);
drop function if exists public.chain_shares_traded(text, bigint[], timestamptz);
