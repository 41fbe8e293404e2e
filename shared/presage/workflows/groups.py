"""Groups: one QStash call publishes each task to its own Lambda, so tasks fail apart.

A task's message carries the group's slot and run, and is deduplicated by `<group run>:<task>`: a
group delivered or retried twice publishes its tasks once. The group's status is the sum of its
tasks' (`workflow_runs.group_run_id`).
"""

from presage.adapters import qstash
from presage.routes import ROUTES
from presage.workflows.run import Outcome, Run

GROUPS: dict[str, tuple[str, ...]] = {
    "group_fast": (
        "execute_crypto",
        "update_exchange_rate",
        "check_escalations",
        "market_close_check",
        "price_snapshot",
        "vote_aggregation",
    ),
    "group_hourly": ("analytics_daily", "tick_adjustment", "price_snapshot"),
    "group_daily": (
        "execute_news",
        "leaderboard_refresh",
        "daily_report",
        "sweep_fees",
        "cleanup_expired_deposits",
        "cleanup",
        "rotate_credentials",
        "audit_books",
        "discussion_snapshot",
    ),
}


# On the hour both groups ask for the same snapshot: the hourly one waits until the other has made
# it, and makes it when the other has failed.
DELAYS_S = {"group_hourly": 60}


def fan_out(run: Run) -> Outcome:
    """Publish the tasks of the group that `run` belongs to."""
    tasks = GROUPS[run.name]
    qstash.publish(
        [
            qstash.Message(
                path=ROUTES[task].path,
                body={"slot": run.slot.isoformat(), "groupRunId": str(run.id)},
                deduplication_id=f"{run.id}:{task}",
                delay_s=DELAYS_S.get(run.name, 0),
                retries=ROUTES[task].retries,
            )
            for task in tasks
        ]
    )
    return Outcome(counts={"published": len(tasks)})
