-- Proposals that nobody decides and approvals that nobody opens, by their last progress.
create index markets_begun on markets (updated_at) where state in ('PROPOSED', 'APPROVED');
