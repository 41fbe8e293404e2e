-- Users by wallet (spec: solana, "Users"): pages of a wallet's holdings and votes are read in order.
drop index chain_positions_of_wallet;
create index chain_positions_of_wallet on chain_positions (wallet, market);
drop index chain_votes_of_wallet;
create index chain_votes_of_wallet on chain_votes (wallet, voted_at, market, kind);

-- What a wallet holds on chain, and what it earned where that is known: when nothing more can come of
-- it. A market that is final without an outcome still owes its holders what they paid.
create view chain_holdings with (security_invoker = true) as
select p.market, p.wallet, m.market_id, m.state, p.shares_yes, p.shares_no, p.paid, p.received,
       p.claimed, p.has_claimed, p.trades, o.is_open,
       case when o.is_open then p.paid - p.received else 0 end as cost,
       case when not o.is_open then p.received + p.claimed - p.paid end as profit
from chain_positions as p
join chain_markets as m on m.market = p.market
cross join lateral (
    select not p.has_claimed and case
        when m.state = 'FINALIZED' and m.final_outcome then p.shares_yes > 0
        when m.state = 'FINALIZED' and not m.final_outcome then p.shares_no > 0
        else p.shares_yes > 0 or p.shares_no > 0 end as is_open
) as o;
