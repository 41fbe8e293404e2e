"""Questions that only a human may answer: opened by workflows and users, answered by admins."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import orjson

from presage import metrics
from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.errors import NotFoundError, UnauthorizedError, ValidationFailedError
from presage.ops.alert_models import (
    CreateEscalation,
    CreateTicket,
    EscalationView,
    ListEscalations,
    ResolveEscalation,
    Severity,
    TicketView,
)
from presage.ops.alerts import ALERTS
from presage.paging import decode, encode
from presage.schema import CursorRequest, Page, Pagination
from presage.workflows.run import Outcome, Run

ESCALATED_PER_LOOK = 200
# The alert's severity after 30 minutes, 2 hours and 8 hours.
_USUAL = ALERTS["escalation_overdue"].severity
ALERT_SEVERITIES: tuple[Severity, Severity, Severity] = (_USUAL, _USUAL, "CRITICAL")
_queries = beside(__file__)


@dataclass(frozen=True)
class _Raised:
    count: int
    critical_count: int


def ask_support(call: Call, subject: str, reason: str, data: Mapping[str, object]) -> None:
    """Bring something that no code can mend before a human, once a subject."""
    _open(call, "support", subject, reason, data)


def open_for_market(
    call: Call, market_id: uuid.UUID, reason: str, data: Mapping[str, object]
) -> None:
    """Ask a human to resolve an active market, once; a repeat changes nothing."""
    _open(call, "resolution", str(market_id), reason, data, about=(market_id, "ACTIVE"))


def open_for_dispute(call: Call, market_id: uuid.UUID, reason: str) -> None:
    """Ask a human to end a dispute, once; a repeat changes nothing."""
    subject = f"dispute:{market_id}"
    _open(call, "resolution", subject, reason, {}, about=(market_id, "DISPUTED"))


def list_escalations(call: Call, request: ListEscalations) -> Page[EscalationView]:
    """Escalations, newest first."""
    params = request.model_dump(exclude={"cursor"}) | {"before_id": _before(request)}
    rows = connection.fetch_all(call, _queries["list_escalations"], EscalationView, params)
    cursor = encode([rows[-1].id]) if len(rows) == request.limit else None
    return Page(rows, Pagination(limit=request.limit, next_cursor=cursor))


def create_escalation(call: Call, request: CreateEscalation) -> EscalationView:
    """Bring a question before the other admins.

    Raises:
        ValidationFailedError: its kind is of markets and it names none, or one that there is not.
    """
    if request.kind != "support" and request.market_id is None:
        raise ValidationFailedError(f"A {request.kind} names its market.", field="marketId")
    params = request.model_dump() | {
        "escalation_id": uuid.uuid4(),
        "request_id": call.request_id,
        "ip": call.ip,
        "now": call.now,
    }
    row = connection.fetch_one(call, _queries["create_escalation"], EscalationView, params)
    if row is None:
        raise LookupError("create_escalation answers a row or raises")
    metrics.count("Escalations", kind=request.kind)
    return row


def resolve_escalation(call: Call, request: ResolveEscalation) -> EscalationView:
    """Answer an escalation; the same answer again changes nothing.

    Raises:
        NotFoundError: there is no such escalation.
        InvalidStateError: it has another answer.
    """
    params = request.model_dump() | {
        "request_id": call.request_id,
        "ip": call.ip,
        "now": call.now,
    }
    row = connection.fetch_one(call, _queries["resolve_escalation"], EscalationView, params)
    if row is None:
        raise NotFoundError("There is no such escalation.", field="escalationId")
    return row


def create_ticket(call: Call, request: CreateTicket) -> TicketView:
    """Ask support; a user may have twenty open tickets.

    Raises:
        ConflictError: twenty are open.
    """
    params = request.model_dump() | {
        "ticket_id": uuid.uuid4(),
        "request_id": call.request_id,
        "ip": call.ip,
        "now": call.now,
    }
    row = connection.fetch_one(call, _queries["create_ticket"], TicketView, params)
    if row is None:
        raise UnauthorizedError
    metrics.count("Escalations", kind="support")
    return row


def list_tickets(call: Call, request: CursorRequest) -> Page[TicketView]:
    """The caller's tickets, newest first."""
    params = {"limit": request.limit, "before_id": _before(request)}
    rows = connection.fetch_all(call, _queries["list_tickets"], TicketView, params)
    cursor = encode([rows[-1].id]) if len(rows) == request.limit else None
    return Page(rows, Pagination(limit=request.limit, next_cursor=cursor))


def check_escalations(run: Run) -> Outcome:
    """Raise what nobody has answered after 30 minutes, 2 and 8 hours, once at each level."""
    raised = 0
    params = {
        "limit": ESCALATED_PER_LOOK,
        "severities": list(ALERT_SEVERITIES),
        "now": run.call.now,
    }
    while not run.out_of_time:
        chunk = connection.fetch_one(run.call, _queries["escalate_overdue"], _Raised, params)
        if chunk is None:
            break
        raised += chunk.count
        metrics.count("Alerts", chunk.count - chunk.critical_count, severity=_USUAL)
        metrics.count("Alerts", chunk.critical_count, severity="CRITICAL")
        if chunk.count < ESCALATED_PER_LOOK:
            break
    return Outcome(
        counts={"raised": raised}, next_cursor={"more": True} if run.out_of_time else None
    )


def _before(request: CursorRequest) -> int | str | None:
    mark = decode(request.cursor, int)
    return mark[0] if mark else None


def _open(
    call: Call,
    kind: Literal["support", "resolution"],
    subject: str,
    reason: str,
    data: Mapping[str, object],
    *,
    about: tuple[uuid.UUID | None, str | None] = (None, None),
) -> None:
    """`about` is a market and the state of it that is asked about."""
    market_id, state = about
    params = {
        "kind": kind,
        "subject": subject,
        "market_id": market_id,
        "state": state,
        "reason": reason,
        "data": orjson.dumps(dict(data)).decode(),
        "now": call.now,
    }
    connection.run(call, [(_queries["open_escalation"], None, params)])
    metrics.count("Escalations", kind=kind)
