"""analytics-daily: the statistics of a day, counted anew until the day is over, then final."""

from dataclasses import dataclass
from datetime import date, timedelta

from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.workflows.run import Outcome, Run

# A platform that stood still for longer catches up in several runs.
DAYS_PER_RUN = 31
_queries = beside(__file__)


@dataclass(frozen=True)
class _First:
    day: date


@dataclass(frozen=True)
class _Day:
    is_final: bool


@dataclass(frozen=True, kw_only=True)
class Rolled:
    """How many days were counted, how many became final, and whether today was reached."""

    days: int
    final: int
    is_current: bool


def analytics_daily(run: Run) -> Outcome:
    """Roll up today, and every day before it that is not final yet, oldest first."""
    rolled = roll_up_open_days(run)
    cursor = None if rolled.is_current else {"more": True}
    return Outcome(counts={"days": rolled.days, "final": rolled.final}, next_cursor=cursor)


def roll_up_open_days(run: Run) -> Rolled:
    """Count every day anew that is not final yet, oldest first: days become final in order."""
    today = run.call.now.date()
    first = connection.fetch_one(run.call, _queries["first_open_day"], _First, {"today": today})
    day = first.day if first else today
    days = final = 0
    while day <= today and days < DAYS_PER_RUN and not run.out_of_time:
        final += _roll_up(run.call, day)
        days += 1
        day += timedelta(days=1)
    return Rolled(days=days, final=final, is_current=day > today)


def _roll_up(call: Call, day: date) -> bool:
    """Count a day (UTC) anew from its bars and fills unless it is final; whether it is now."""
    params = {"day": day, "now": call.now}
    row = connection.fetch_one(call, _queries["roll_up_day"], _Day, params)
    return row is not None and row.is_final
