"""Sending alerts to the operators, every minute: CRITICAL everywhere, HIGH to Slack, lower nowhere.

Each channel is noted as it takes an alert, so that one which fails does not repeat the others. An
alert that a channel still owes comes again after 1, 2, 4 minutes and so on up to an hour. One that
somebody took up wakes nobody more, and PagerDuty is told so when it had been woken.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from presage import clock, metrics
from presage.adapters import alert_channels
from presage.adapters.alert_channels import AlertMessage, Channel
from presage.db import connection
from presage.db.queries import beside
from presage.errors import PresageError
from presage.ops import oversight
from presage.ops.alerts import ALERTS
from presage.workflows.run import Outcome, Run

# An alert's channels may take 21 s when all of them hang: none is begun later than this.
BEGIN_WITHIN_S = 5.0
# The waits between them add up to about a day.
MAX_ATTEMPTS = 30
CHANNELS: dict[Literal["HIGH", "CRITICAL"], tuple[Channel, ...]] = {
    "CRITICAL": ("slack", "pagerduty", "email"),
    "HIGH": ("slack",),
}
_queries = beside(__file__)


@dataclass(frozen=True)
class _Due:
    id: int
    type: str
    severity: Literal["HIGH", "CRITICAL"]
    fingerprint: str
    data: dict[str, Any]
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    channels: list[Channel]
    attempts: int
    sent_at: datetime | None
    acknowledged_at: datetime | None


def send_alerts(run: Run) -> Outcome:
    """Send what is due, worst first, and publish the queues' figures."""
    counts = {"sent": 0, "acknowledged": 0, "owed": 0, "skipped": 0}
    params = {"max_attempts": MAX_ATTEMPTS, "now": run.call.now}
    began = time.monotonic()
    while time.monotonic() - began < BEGIN_WITHIN_S:
        # One at a time: what a run that dies has not begun is due again at once.
        due = connection.fetch_one(run.call, _queries["claim_alert"], _Due, params)
        if due is None:
            break
        if due.sent_at is None:
            _send(run, due, counts)
        if due.acknowledged_at is not None and "pagerduty" in due.channels:
            _acknowledge(run, due, counts)
    oversight.publish_figures(run.call)
    return Outcome(counts=counts)


def _send(run: Run, due: _Due, counts: dict[str, int]) -> None:
    message = _message(due)
    is_owed = False
    for channel in CHANNELS[due.severity]:
        if channel in due.channels or (channel == "pagerduty" and due.acknowledged_at):
            continue
        if not alert_channels.is_configured(channel):
            counts["skipped"] += 1
            continue
        try:
            alert_channels.send(channel, message)
        except PresageError as error:
            is_owed = True
            metrics.count("AlertChannelFailures", channel=channel)
            if due.attempts >= MAX_ATTEMPTS:
                run.fail(f"{due.id}:{channel}", error)
        else:
            note = {"alert_id": due.id, "channel": channel}
            connection.run(run.call, [(_queries["note_channel"], None, note)])
    if is_owed:
        counts["owed"] += 1
        return
    sent = {"alert_id": due.id, "now": clock.now()}
    connection.run(run.call, [(_queries["note_sent"], None, sent)])
    counts["sent"] += 1


def _acknowledge(run: Run, due: _Due, counts: dict[str, int]) -> None:
    try:
        if alert_channels.is_configured("pagerduty"):
            alert_channels.acknowledge(due.fingerprint)
    except PresageError as error:
        counts["owed"] += 1
        metrics.count("AlertChannelFailures", channel="pagerduty")
        if due.attempts >= MAX_ATTEMPTS:
            run.fail(f"{due.id}:acknowledgement", error)
        return
    noted = {"alert_id": due.id, "now": clock.now()}
    connection.run(run.call, [(_queries["note_acknowledgement"], None, noted)])
    counts["acknowledged"] += 1


def _message(due: _Due) -> AlertMessage:
    # An alert of another version's type is still told.
    known = next((alert for name, alert in ALERTS.items() if name == due.type), None)
    subject = due.fingerprint.partition(":")[2]
    return AlertMessage(
        title=f"{due.type.replace('_', ' ')}: {subject}",
        severity=due.severity,
        alert_type=due.type,
        fingerprint=due.fingerprint,
        meaning=known.meaning if known else "unknown to this version",
        first_step=known.first_step if known else "look it up in `GET /admin/alerts`",
        details=due.data,
        count=due.count,
        first_seen_at=due.first_seen_at,
        last_seen_at=due.last_seen_at,
    )
