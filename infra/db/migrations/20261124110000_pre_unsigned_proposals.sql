-- What has not begun, by its venue and its last progress: here it is told, and on Solana cancelled.
create index markets_not_begun on markets (venue, updated_at)
    where state in ('PROPOSED', 'APPROVED');
