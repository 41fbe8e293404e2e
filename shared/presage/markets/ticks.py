"""tick-adjustment: a market's tick follows its volatility, after notice (see the SQL functions)."""

import uuid
from dataclasses import dataclass

from presage.db import connection
from presage.db.queries import beside
from presage.workflows.run import Outcome, Run

MARKETS_PER_CHUNK = 200
_queries = beside(__file__)


@dataclass(frozen=True)
class _Announced:
    announced: int
    emergencies: int


@dataclass(frozen=True)
class _Applied:
    looked_at: int
    changed: list[uuid.UUID]


def tick_adjustment(run: Run) -> Outcome:
    """Announce what volatility asks for, then apply what is due: emergencies with it, at once."""
    call = run.call
    said = connection.fetch_one(
        call, _queries["announce_tick_changes"], _Announced, {"now": call.now}
    )
    applied = 0
    more = True
    while more and not run.out_of_time:
        chunk = connection.fetch_one(
            call,
            _queries["apply_tick_changes"],
            _Applied,
            {"limit": MARKETS_PER_CHUNK, "now": call.now},
        )
        more = chunk is not None and chunk.looked_at == MARKETS_PER_CHUNK
        changed = chunk.changed if chunk else []
        call.changed_tags += [f"market:{market_id}" for market_id in changed]
        applied += len(changed)
    return Outcome(
        counts={
            "announced": said.announced if said else 0,
            "emergencies": said.emergencies if said else 0,
            "applied": applied,
        },
        next_cursor={"more": True} if more else None,
    )
