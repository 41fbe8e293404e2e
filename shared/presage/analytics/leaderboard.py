"""The board: ranked once a day, read by anybody."""

from dataclasses import dataclass

from presage.analytics.models import GetLeaderboard, LeaderboardEntry
from presage.analytics.service import roll_up_open_days
from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.paging import decode, encode
from presage.schema import Page, Pagination
from presage.workflows.run import Outcome, Run

MAX_RANK = 2**31 - 1
_queries = beside(__file__)


@dataclass(frozen=True)
class _Count:
    count: int


def leaderboard_refresh(run: Run) -> Outcome:
    """Rank everybody by what happened before today (UTC), whose volumes are rolled up first."""
    if not roll_up_open_days(run).is_current:
        return Outcome(counts={"entries": 0}, next_cursor={"more": True})
    params = {"day": run.call.now.date(), "now": run.call.now}
    row = connection.fetch_one(run.call, _queries["refresh_leaderboard"], _Count, params)
    return Outcome(counts={"entries": row.count if row else 0})


def get_leaderboard(call: Call, request: GetLeaderboard) -> Page[LeaderboardEntry]:
    """A page of the board as of the last refresh, the best first."""
    mark = decode(request.cursor, int)
    params = request.model_dump(exclude={"cursor"}) | {
        "after": min(max(int(mark[0]), 0), MAX_RANK) if mark else 0
    }
    rows = connection.fetch_all(call, _queries["list_leaderboard"], LeaderboardEntry, params)
    next_cursor = encode([rows[-1].rank]) if len(rows) == request.limit else None
    return Page(rows, Pagination(limit=request.limit, next_cursor=next_cursor))
