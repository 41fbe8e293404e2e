-- The previous price is read from price_points, so that a snapshot never waits for the match: what
-- the outcomes kept of it is dead. Nothing deployed reads these columns.
alter table outcomes drop column previous_price_bps, drop column change_24h_bps;
