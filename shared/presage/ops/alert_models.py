"""What the routes of alerts, escalations and tickets take and answer."""

import uuid
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from presage.schema import CursorRequest, RequestModel, ResponseModel

MAX_INT8 = 2**63 - 1
type Severity = Literal["LOW", "MEDIUM", "HIGH", "CRITICAL"]
type EscalationKind = Literal["support", "settlement", "resolution"]
type EscalationStatus = Literal["open", "resolved"]
_RowId = Annotated[int, Field(ge=1, le=MAX_INT8)]


def _text(most: int) -> StringConstraints:
    """Words of a human: trimmed, not empty, nothing that Postgres cannot hold."""
    return StringConstraints(
        strip_whitespace=True, min_length=1, max_length=most, pattern=r"^[^\x00]+$"
    )


class ListAlerts(CursorRequest):
    """A page of alerts, by severity, by type, or only those nobody has acknowledged."""

    severity: Severity | None = None
    type: Annotated[str | None, Field(min_length=1, max_length=100)] = None
    open: bool | None = None


class Acknowledge(RequestModel):
    """Which alert."""

    alert_id: _RowId


class AlertView(ResponseModel):
    """One alert. `data` is JSON text; `channels` are those that took it.

    `sentAt` is null while a channel still owes it, and for ever below HIGH.
    """

    id: int
    type: str
    severity: Severity
    fingerprint: str
    data: str
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    channels: list[str]
    attempts: int
    sent_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: uuid.UUID | None


class ListEscalations(CursorRequest):
    """A page of escalations, by kind, status and severity."""

    kind: EscalationKind | None = None
    status: EscalationStatus | None = None
    severity: Severity | None = None


class CreateEscalation(RequestModel):
    """A question for the other admins; one about a settlement or a resolution names its market."""

    kind: EscalationKind
    market_id: uuid.UUID | None = None
    title: Annotated[str, _text(200)]
    reason: Annotated[str, _text(4_000)]


class ResolveEscalation(RequestModel):
    """The answer to an escalation, which a ticket's opener reads."""

    escalation_id: _RowId
    resolution: Annotated[str, _text(2_000)]


class EscalationView(ResponseModel):
    """One question for a human. `data` is JSON text; `level` counts the raises of its severity."""

    id: int
    kind: EscalationKind
    subject: str
    market_id: uuid.UUID | None
    user_id: uuid.UUID | None
    title: str | None
    reason: str
    data: str
    severity: Severity
    level: int
    status: EscalationStatus
    resolution: str | None
    created_at: datetime
    resolved_at: datetime | None
    resolved_by: uuid.UUID | None


class CreateTicket(RequestModel):
    """What a user asks of support."""

    title: Annotated[str, _text(200)]
    message: Annotated[str, _text(4_000)]


class TicketView(ResponseModel):
    """One support ticket as its opener sees it."""

    id: int
    title: str
    message: str
    status: EscalationStatus
    resolution: str | None
    created_at: datetime
    resolved_at: datetime | None
