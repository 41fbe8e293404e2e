-- Reconciliation walks the markets that can still change, and not all that ever were.
create index chain_markets_live on chain_markets (market)
    where state not in ('FINALIZED', 'CANCELLED') and address is not null;
