-- How often a wallet tried to vote on a market, when a dispute began, and when a market moves by
-- itself (spec: solana). A native dispute's beginning is its row's; one on Solana is an event's.
alter table votes add column attempts integer not null default 1;
alter table vote_tallies add column told_at timestamptz;
alter table markets add column disputed_at timestamptz;
update markets as m set disputed_at = d.created_at from market_disputes as d where d.market_id = m.id;
-- Zone-less arithmetic, since a generated column must not depend on a session's time zone.
alter table markets add column due_at timestamptz generated always as (
    case state
        when 'RESOLVING' then
            (proposed_at at time zone 'UTC' + make_interval(secs => dispute_window_s)) at time zone 'UTC'
        when 'DISPUTED' then (disputed_at at time zone 'UTC' + interval '3 days') at time zone 'UTC'
    end
) stored;
create index markets_due on markets (due_at, id) where due_at is not null;
