"""The schedule watchdog: a schedule that stopped is told, by what ran and by what QStash says.

It comes by a schedule itself: when QStash as a whole stops, the health of a deployment must be
watched from outside.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from presage import config, metrics
from presage.adapters import qstash
from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.errors import UpstreamError
from presage.ops import escalations
from presage.routes import ROUTES
from presage.workflows.run import Outcome, Run

PERIODS = 3
# What infra/schedules.toml schedules; a test keeps them equal. A stem's period is its slot.
SCHEDULED = (
    "group_fast",
    "group_hourly",
    "group_daily",
    "market_monitor",
    "expire_orders",
    "settle_market",
    "sweep_outbox",
    "dead_letter_retry",
    "schedule_watchdog",
)
_queries = beside(__file__)


@dataclass(frozen=True)
class _LastRun:
    name: str
    last_started_at: datetime


def schedule_watchdog(run: Run) -> Outcome:
    """Tell of schedules without a run for three periods, and of those that QStash lost or paused.

    A schedule that never ran counts from the first run of anything. When QStash does not answer,
    that is a dead letter, and what ran is looked at all the same.
    """
    stopped = _stopped(run.call)
    for stem in stopped:
        _tell(run.call, stem, f"No run for {PERIODS} periods.")
    unwell: dict[str, str] = {}
    try:
        unwell = _unwell()
    except UpstreamError as error:
        run.fail("schedules", error)
    for stem, reason in unwell.items():
        if stem not in stopped:
            _tell(run.call, stem, reason)
    return Outcome(counts={"stopped": len(stopped), "unwell": len(unwell)})


def _stopped(call: Call) -> list[str]:
    params = {"names": list(SCHEDULED)}
    rows = connection.fetch_all(call, _queries["list_last_runs"], _LastRun, params)
    return [
        row.name
        for row in rows
        if call.now - row.last_started_at > PERIODS * timedelta(seconds=ROUTES[row.name].slot_s)
    ]


def _unwell() -> dict[str, str]:
    """What QStash says of the stage's schedules: those that are missing or paused, and which."""
    paused = {one.schedule_id: one.is_paused for one in qstash.list_schedules()}
    found: dict[str, str] = {}
    for stem in SCHEDULED:
        name = f"presage-{config.get('STAGE')}-{stem.replace('_', '-')}"
        if name not in paused:
            found[stem] = "QStash has no such schedule."
        elif paused[name]:
            found[stem] = "QStash has paused it."
    return found


def _tell(call: Call, stem: str, reason: str) -> None:
    metrics.count("StoppedSchedules", workflow=stem)
    escalations.ask_support(call, f"schedule:{stem}", f"{stem}: {reason}", {"workflow": stem})
