-- The table of state moves, one set of rows a venue: who may move a market from where to where.
-- `admin` also stands for workflows, which act on evidence with no user behind them. `bond` is a
-- holder's dispute and `decision` its end: money moves with them, by dispute_market and
-- decide_dispute only. A market of the venue solana follows the chain; what may be moved here is one
-- that is not there (move_market).
create or replace function public.market_moves()
returns table (venue text, from_state text, to_state text, who text)
language sql immutable set search_path = ''
as $$
    values
        ('native', 'PROPOSED', 'APPROVED', 'admin'),
        ('native', 'APPROVED', 'ACTIVE', 'creator'),
        ('native', 'ACTIVE', 'RESOLVING', 'admin'),
        ('native', 'RESOLVING', 'DISPUTED', 'bond'),
        ('native', 'RESOLVING', 'FINALIZED', 'admin'),
        ('native', 'DISPUTED', 'FINALIZED', 'decision'),
        ('native', 'PROPOSED', 'CANCELLED', 'admin'),
        ('native', 'APPROVED', 'CANCELLED', 'admin'),
        ('solana', 'PROPOSED', 'CANCELLED', 'admin')
$$;
revoke all on function public.market_moves from public;
