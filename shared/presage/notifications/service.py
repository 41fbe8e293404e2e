"""Reading notifications, and the workflow that makes them from the outbox."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from presage import config
from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.money import BPS, LOTS_PER_SHARE, MICROS, show
from presage.notifications.models import (
    ListNotifications,
    MarkedRead,
    MarkRead,
    NotificationType,
    NotificationView,
)
from presage.notifications.templates import TEMPLATES
from presage.paging import decode, encode
from presage.schema import Page, Pagination
from presage.workflows.run import Outcome, Run

RELAY_CHUNK = 1_000
LARGE_TRADE_MICROS = 100 * MICROS
_queries = beside(__file__)


@dataclass(frozen=True)
class _NotificationRow:
    id: int
    type: NotificationType
    market_id: uuid.UUID | None
    facts: dict[str, Any]
    created_at: datetime
    read_at: datetime | None
    question: str | None
    question_bn: str | None


@dataclass(frozen=True)
class _Count:
    count: int


def list_notifications(call: Call, request: ListNotifications) -> Page[NotificationView]:
    """The caller's notifications, newest first."""
    mark = decode(request.cursor, int)
    params = {
        "unread": request.unread,
        "before": mark[0] if mark else None,
        "limit": request.limit + 1,
    }
    rows = connection.fetch_all(call, _queries["list_notifications"], _NotificationRow, params)
    shown = rows[: request.limit]
    cursor = encode([shown[-1].id]) if len(rows) > request.limit else None
    return Page(
        [_worded(row) for row in shown], Pagination(limit=request.limit, next_cursor=cursor)
    )


def mark_read(call: Call, request: MarkRead) -> MarkedRead:
    """Mark some of the caller's notifications as read, or all; others' are left alone."""
    params = {
        "ids": request.ids,
        "request_id": call.request_id,
        "ip": call.ip,
        "now": call.now,
    }
    row = connection.fetch_one(call, _queries["mark_read"], MarkedRead, params)
    if row is None:
        raise LookupError("a count is always one row")
    return row


def sweep_outbox(run: Run) -> Outcome:
    """Make notifications of what the exchange has said, a chunk a transaction."""
    relayed = 0
    params = {"limit": RELAY_CHUNK, "large_micros": LARGE_TRADE_MICROS, "now": run.call.now}
    while not run.out_of_time:
        chunk = connection.fetch_one(run.call, _queries["relay_outbox"], _Count, params)
        relayed += chunk.count if chunk else 0
        if chunk is None or chunk.count < RELAY_CHUNK:
            break
    return Outcome(
        counts={"relayed": relayed}, next_cursor={"more": True} if run.out_of_time else None
    )


def notify_closing_markets(call: Call) -> int:
    """Tell followers of markets that close within an hour, each once; how many were told."""
    row = connection.fetch_one(call, _queries["notify_closing_markets"], _Count, {"now": call.now})
    return row.count if row else 0


def _worded(row: _NotificationRow) -> NotificationView:
    facts = row.facts
    amount = facts.get("amountMicros")
    shared = {
        "amount": show(amount, MICROS) if amount is not None else "",
        "currency": config.get("COLLATERAL_CURRENCY"),
        "price": show(facts["priceBps"], BPS) if "priceBps" in facts else "",
        "size": show(facts["sizeLots"], LOTS_PER_SHARE) if "sizeLots" in facts else "",
        "position": facts.get("position", ""),
    }
    english, bengali = TEMPLATES[row.type]
    return NotificationView(
        id=row.id,
        type=row.type,
        title=english.title,
        title_bn=bengali.title,
        body=english.body.format(question=row.question or "", **shared),
        body_bn=bengali.body.format(question=row.question_bn or "", **shared),
        market_id=row.market_id,
        order_id=uuid.UUID(facts["orderId"]) if "orderId" in facts else None,
        comment_id=facts.get("commentId"),
        amount_micros=amount,
        created_at=row.created_at,
        read_at=row.read_at,
    )
