"""The schedule watchdog: a schedule that stopped is told, by what ran and by what QStash says.

It comes by a schedule itself: when QStash as a whole stops, the health of a deployment must be
watched from outside.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from presage import config, metrics
from presage.adapters import qstash
from presage.adapters.qstash import ScheduleState
from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.errors import UpstreamError
from presage.ops import alerts
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
    "send_alerts",
    "dead_letter_retry",
    "schedule_watchdog",
    "chain_confirm",
    "event_reconciliation",
)
_queries = beside(__file__)


@dataclass(frozen=True)
class _LastRun:
    name: str
    started_at: datetime


def schedule_watchdog(run: Run) -> Outcome:
    """Tell of schedules that QStash lost or paused, and of those without a run for three periods.

    What never ran counts from when its schedule was made. When QStash does not answer, that is a
    dead letter, and what ran before is looked at all the same.
    """
    present: dict[str, ScheduleState] = {}
    troubles: dict[str, str] = {}
    try:
        names = {qstash.schedule_id(config.get("STAGE"), stem): stem for stem in SCHEDULED}
        listed = [one for one in qstash.list_schedules() if one.schedule_id in names]
        present = {names[one.schedule_id]: one for one in listed}
        troubles = {
            stem: "QStash has no such schedule." for stem in SCHEDULED if stem not in present
        } | {stem: "QStash has paused it." for stem, one in present.items() if one.is_paused}
    except UpstreamError as error:
        run.fail("schedules", error)
    stopped = _stopped(run.call, {stem: one.created_at for stem, one in present.items()})
    troubles = dict.fromkeys(stopped, f"No run for {PERIODS} periods.") | troubles
    for stem, reason in troubles.items():
        _tell(run.call, stem, reason)
    return Outcome(counts={"troubles": len(troubles)})


def _stopped(call: Call, since: dict[str, datetime]) -> list[str]:
    params = {"names": list(SCHEDULED)}
    rows = connection.fetch_all(call, _queries["list_last_runs"], _LastRun, params)
    last = since | {row.name: row.started_at for row in rows}
    return [
        stem
        for stem, moment in last.items()
        if call.now - moment > PERIODS * timedelta(seconds=ROUTES[stem].slot_s)
    ]


def _tell(call: Call, stem: str, reason: str) -> None:
    metrics.count("StoppedSchedules", workflow=stem)
    alerts.raise_alert(call, "schedule_stopped", {"workflow": stem, "reason": reason}, stem)
