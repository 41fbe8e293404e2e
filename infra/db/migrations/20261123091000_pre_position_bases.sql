-- Where a wallet's own account was looked at, its shares begin there (as a market's do): what is
-- traded later is added to it, and nothing is read again with every delivery.
alter table chain_positions add column base_order bigint[];
update chain_positions as p
set base_order = (
    select array[e.slot, e.tx_index, e.ordinal]
    from chain_events as e
    where e.market = p.market and e.wallet = p.wallet and e.event_type = 'PositionObserved'
    order by e.slot desc, e.tx_index desc
    limit 1
)
where exists (
    select from chain_events as e
    where e.market = p.market and e.wallet = p.wallet and e.event_type = 'PositionObserved'
);
create index chain_positions_with_a_base on chain_positions (market) where base_order is not null;
drop index chain_events_of_positions;
create index chain_events_of_positions on chain_events (market) where event_type = 'PositionObserved';

-- Functions whose parameters have changed since.
drop function if exists public.project_observed_positions(text[]);
drop function if exists public.chain_shares_traded(text, text, bigint[], timestamptz);
drop function if exists public.follow_chain_markets(text[], text[], text, timestamptz);
