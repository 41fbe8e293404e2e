-- One kind of event of one market, which is public: what is not a trade is rare, and would be looked
-- for among all of a market's trades. Trades pay nothing for it.
create index chain_events_of_market_and_type
    on chain_events (market, event_type, block_time, slot, tx_index, ordinal)
    where event_type not in ('SharesBought', 'SharesSold');
