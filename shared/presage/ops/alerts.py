"""What operators are told: every type of alert, raised where something is wrong.

An alert is raised in one place and sent by `send_alerts` (see sending.py). The same fingerprint
within an hour is one alert that counts. `ALERTS` is also a table of the README.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from presage import metrics
from presage.call import Call
from presage.db import connection
from presage.db.connection import Statement
from presage.db.queries import beside
from presage.errors import NotFoundError
from presage.ops.alert_models import Acknowledge, AlertView, ListAlerts, Severity
from presage.paging import decode, encode
from presage.schema import Page, Pagination

# A fingerprint is PagerDuty's dedup_key too, which takes 255 characters.
MAX_SUBJECT = 150
_queries = beside(__file__)

type AlertType = Literal[
    "audit_failed",
    "dead_letter",
    "escalation_overdue",
    "exchange_rate_jump",
    "manual_review_required",
    "schedule_stopped",
    "state_discrepancy",
    "stuck_market",
    "transition_overdue",
    "workflow_failed",
]


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A type of alert: how bad it is, what it means, and what to do first."""

    severity: Severity = "HIGH"
    meaning: str
    first_step: str


ALERTS: dict[AlertType, Alert] = {
    "audit_failed": Alert(
        severity="CRITICAL",
        meaning="the books contradict themselves: an invariant of the money is broken",
        first_step="`GET /admin/discrepancies` names what is broken; set the markets it names to "
        "cancel-only before anything else",
    ),
    "dead_letter": Alert(
        meaning="an item failed in every retry and waits for a decision",
        first_step="read its error in the dead letters; retry it when the cause is gone",
    ),
    "escalation_overdue": Alert(
        meaning="a question that only a human can answer waits 30 minutes, 2 hours, or 8 hours "
        "(then CRITICAL)",
        first_step="`GET /admin/escalations?status=open`; answer it and resolve it",
    ),
    "exchange_rate_jump": Alert(
        meaning="the sources' rate moved more than 5 % in one step and was not taken",
        first_step="compare with a third source; `PUT /admin/exchange-rates` when the move is real",
    ),
    "manual_review_required": Alert(
        meaning="the Solana RPC has failed three times in a row and is left alone for five minutes,"
        " or a transaction of ours failed on chain",
        first_step="ask the RPC's provider when it is the node; look the signature up in an"
        " explorer when it is a transaction",
    ),
    "schedule_stopped": Alert(
        meaning="a schedule has not delivered for three periods",
        first_step="`make schedules` with --dry-run shows what is missing or paused",
    ),
    "state_discrepancy": Alert(
        meaning="what was indexed of the chain differed from an account, whose word was taken",
        first_step="`GET /admin/discrepancies` names the fields; a transaction whose logs were cut"
        " off explains one, an indexer that is wrong many",
    ),
    "stuck_market": Alert(
        severity="MEDIUM",
        meaning="a market has made no progress for thirty days: proposed or approved here and not"
        " begun, closed without an outcome, or disputed",
        first_step="by its state: `POST /markets/{market_id}/cancel`, `.../resolve` or"
        " `.../dispute/decision`; of one on Solana that has closed, any Solana wallet proposes the"
        " outcome by `POST /trades/resolve`",
    ),
    "transition_overdue": Alert(
        meaning="a market's dispute window or its days of votes are over and it did not move",
        first_step="the dead letters of market_monitor say why; by hand,"
        " `POST /markets/{market_id}/finalize` ends a native market that nobody disputed and"
        " `.../dispute/decision` a dispute; one on Solana needs the platform's key and its RPC",
    ),
    "workflow_failed": Alert(
        meaning="a run of a workflow broke; QStash tries again unless its row says 0 retries",
        first_step="`GET /admin/workflow-runs?status=failed` shows the error; the log has the rest",
    ),
}


def raise_alert(
    call: Call,
    alert_type: AlertType,
    data: Mapping[str, object],
    subject: str,
    *,
    severity: Severity | None = None,
) -> None:
    """Tell the operators; the same type and subject again within the hour counts up.

    `data` is shown to them as it is: no secret and no person's data. `severity` replaces the
    type's.
    """
    connection.run(call, [statement(call, alert_type, data, subject, severity=severity)])


def statement(
    call: Call,
    alert_type: AlertType,
    data: Mapping[str, object],
    subject: str,
    *,
    severity: Severity | None = None,
) -> Statement[Any]:
    """`raise_alert` as a statement, for the transaction of what it is about; counted when made."""
    known = severity or ALERTS[alert_type].severity
    metrics.count("Alerts", severity=known)
    params = {
        "type": alert_type,
        "severity": known,
        "fingerprint": f"{alert_type}:{_bounded(subject)}",
        "data": orjson.dumps(dict(data)).decode(),
        "now": call.now,
    }
    return (_queries["raise_alert"], None, params)


def list_alerts(call: Call, request: ListAlerts) -> Page[AlertView]:
    """Alerts, newest first."""
    mark = decode(request.cursor, int)
    params = request.model_dump(exclude={"cursor"}) | {"before_id": mark[0] if mark else None}
    rows = connection.fetch_all(call, _queries["list_alerts"], AlertView, params)
    next_cursor = encode([rows[-1].id]) if len(rows) == request.limit else None
    return Page(rows, Pagination(limit=request.limit, next_cursor=next_cursor))


def acknowledge_alert(call: Call, request: Acknowledge) -> AlertView:
    """Say that somebody has taken an alert up; the first to say so stays.

    Raises:
        NotFoundError: there is no such alert.
    """
    params = {
        "alert_id": request.alert_id,
        "request_id": call.request_id,
        "ip": call.ip,
        "now": call.now,
    }
    row = connection.fetch_one(call, _queries["acknowledge_alert"], AlertView, params)
    if row is None:
        raise NotFoundError("There is no such alert.", field="alertId")
    return row


def _bounded(subject: str) -> str:
    """A subject of any length as one that a fingerprint has room for, different ones different."""
    if len(subject) <= MAX_SUBJECT:
        return subject
    return hashlib.sha256(subject.encode()).hexdigest()
