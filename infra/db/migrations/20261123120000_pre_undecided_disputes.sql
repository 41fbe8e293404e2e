-- What an admin said of a dispute on Solana that nobody voted on, for market_monitor to send.
alter table markets add column dispute_upheld boolean;
