"""What operators look at: runs of workflows, what contradicts the books, a few figures."""

import uuid
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from presage import metrics
from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.events import service as events
from presage.ledger import service as ledger
from presage.ops import alerts
from presage.paging import decode, encode, moment_of, uuid_of
from presage.schema import CursorRequest, Moment, Nothing, Page, Pagination, ResponseModel
from presage.workflows.run import Outcome, Run

HOUR_S = 3_600
MINUTE_S = 60
MAX_DISCREPANCIES = 100
AUDIT_TIMEOUT_MS = 5_000
_queries = beside(__file__)


class ListWorkflowRuns(CursorRequest):
    """A page of runs, by workflow, by how they ended, and by when they began."""

    name: Annotated[str | None, Field(min_length=1, max_length=100)] = None
    status: Literal["running", "completed", "partial", "failed"] | None = None
    started_from: Annotated[Moment | None, Field(alias="from")] = None
    started_to: Annotated[Moment | None, Field(alias="to")] = None


class WorkflowRunView(ResponseModel):
    """One run of a workflow's slot, or a part of one. `counts` is JSON text."""

    id: uuid.UUID
    name: str
    slot: datetime
    part: int
    message_id: str
    group_run_id: uuid.UUID | None
    attempt: int
    status: Literal["running", "completed", "partial", "failed"]
    counts: str
    error: str | None
    started_at: datetime
    finished_at: datetime | None
    duration_ms: int | None


class DiscrepancyView(ResponseModel):
    """One invariant that does not hold: what is broken, what breaks it, and how."""

    invariant: str
    subject: str
    detail: str


class AdminMetrics(ResponseModel):
    """Queues and failures as they stand; orders and fills are the last hour's."""

    unpublished_outbox: int
    pending_dead_letters: int
    open_escalations: int
    open_alerts: int
    unsettled_markets: int
    workflow_failures_24h: Annotated[int, Field(alias="workflowFailures24h")]
    orders: int
    fills: int


def list_workflow_runs(call: Call, request: ListWorkflowRuns) -> Page[WorkflowRunView]:
    """Runs of workflows, newest first."""
    mark = decode(request.cursor, str, str)
    params = request.model_dump(exclude={"cursor"}) | {
        "before": moment_of(mark[0]) if mark else None,
        "before_id": uuid_of(mark[1]) if mark else None,
    }
    rows = connection.fetch_all(call, _queries["list_workflow_runs"], WorkflowRunView, params)
    full = len(rows) == request.limit
    cursor = encode([rows[-1].started_at.isoformat(), str(rows[-1].id)]) if full else None
    return Page(rows, Pagination(limit=request.limit, next_cursor=cursor))


def list_discrepancies(call: Call, request: Nothing) -> Page[DiscrepancyView]:  # noqa: ARG001 - it has no fields
    """What the books say against themselves, and where the chain's accounts said otherwise.

    At most a hundred findings: the books' of this moment, then the chain's of the last 30 days.

    Raises:
        UnavailableError: the books are too large to be read within five seconds.
    """
    call.statement_timeout_ms = AUDIT_TIMEOUT_MS
    broken, differed = connection.run(
        call, [ledger.audit_statement(), events.discrepancies_statement(call, MAX_DISCREPANCIES)]
    )
    found = [
        DiscrepancyView(invariant=one.invariant, subject=one.subject, detail=one.detail)
        for one in broken
    ] + [
        DiscrepancyView(
            invariant="chain_account",
            subject=f"{one.subject}.{one.field}",
            detail=f"{one.ours} here, {one.theirs} in slot {one.slot}, {one.created_at:%F %T}",
        )
        for one in differed
    ]
    return Page(found[:MAX_DISCREPANCIES], Pagination(limit=MAX_DISCREPANCIES, total=len(found)))


def get_admin_metrics(call: Call, request: Nothing) -> AdminMetrics:  # noqa: ARG001 - it has no fields
    """How long the queues are, what failed in a day, what was traded in the last hour."""
    return _figures(call, HOUR_S)


def audit_books(run: Run) -> Outcome:
    """Check every invariant of the money; a broken one is the loudest alert there is."""
    found = ledger.audit(run.call)
    if found:
        invariants = sorted({one.invariant for one in found})
        data = {"invariants": invariants, "findings": len(found), "first": found[0].subject}
        alerts.raise_alert(run.call, "audit_failed", data, ",".join(invariants))
    return Outcome(counts={"findings": len(found)})


def publish_figures(call: Call) -> None:
    """Publish the last minute's figures as metrics."""
    figures = _figures(call, MINUTE_S)
    metrics.count("OutboxDepth", figures.unpublished_outbox)
    metrics.count("DeadLetters", figures.pending_dead_letters)
    metrics.count("OpenEscalations", figures.open_escalations)
    metrics.count("UnsettledMarkets", figures.unsettled_markets)
    metrics.count("Orders", figures.orders)
    metrics.count("Fills", figures.fills)


def _figures(call: Call, trade_s: int) -> AdminMetrics:
    params = {"now": call.now, "trade_s": trade_s}
    row = connection.fetch_one(call, _queries["ops_figures"], AdminMetrics, params)
    if row is None:
        raise LookupError("counts are always one row")
    return row
