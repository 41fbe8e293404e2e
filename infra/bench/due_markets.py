"""A platform of many markets of which a few are due, for the monitor's figure and its tests."""

from datetime import datetime

import psycopg

_COLUMNS = """
insert into markets (id, slug, question, venue, state, tick_size_bps, closes_at, proposed_at,
    disputed_at, proposed_payout_bps, final_payout_bps, finalized_at, settled_at, created_at,
    updated_at)
"""
# What the monitor passes over: open, proposed, not yet due, final and settled; every twentieth is
# on Solana. Only the parts that look at due markets are made: no accounts, no listings.
_CROWD = f"""
{_COLUMNS}
select gen_random_uuid(), 'crowd-' || n, 'crowd',
       case when n %% 20 = 0 then 'solana' else 'native' end, s.state, 100,
       case when s.state in ('ACTIVE', 'PROPOSED') then d.now + interval '30 days'
            else d.now - interval '2 days' end,
       case when s.state in ('RESOLVING', 'DISPUTED', 'FINALIZED')
            then d.now - make_interval(secs => n %% 172000) end,
       case when s.state = 'DISPUTED' then d.now - make_interval(secs => n %% 172000) end,
       case when s.state in ('RESOLVING', 'DISPUTED', 'FINALIZED') then '{{10000,0}}'::integer[]
       end,
       f.payout, f.at, f.at, d.now, d.now
from generate_series(1, %(markets)s::integer) as n
cross join (select %(now)s::timestamptz as now) as d
cross join lateral (
    select (array['ACTIVE', 'ACTIVE', 'ACTIVE', 'ACTIVE', 'FINALIZED', 'FINALIZED', 'FINALIZED',
                  'PROPOSED', 'RESOLVING', 'DISPUTED'])[1 + n %% 10] as state
) as s
left join lateral (select '{{10000,0}}'::integer[] as payout, d.now as at) as f
    on s.state = 'FINALIZED'
"""  # noqa: S608 - texts of ours
_DUE = f"""
with added as (
    {_COLUMNS}
    select gen_random_uuid(), 'due-' || n, 'due', 'native', 'RESOLVING', 100,
           d.now - interval '3 days', d.now - interval '48 hours' - make_interval(secs => n), null,
           '{{10000,0}}', null, null, null, d.now - interval '9 days', d.now
    from generate_series(1, %(due)s::integer) as n
    cross join (select %(now)s::timestamptz as now) as d
    returning id
)
insert into outcomes (market_id, outcome, label) select id, 0, 'YES' from added
"""  # noqa: S608 - texts of ours


def add_markets(owner: psycopg.Connection, markets: int, due: int, now: datetime) -> None:
    """So many markets that are not due and so many native ones whose dispute window is over."""
    owner.execute("set session_replication_role = replica")
    owner.execute(_CROWD.encode(), {"markets": markets - due, "now": now})
    owner.execute("set session_replication_role = origin")
    owner.execute(_DUE.encode(), {"due": due, "now": now})
    owner.execute("vacuum analyze")
