"""Money that comes from outside: announced by its sender, credited when an admin has seen it."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, get_args

from presage import config
from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.errors import ValidationFailedError
from presage.idempotency import request_hash
from presage.ledger.mobile import mask_if_mobile, mask_mobile
from presage.ledger.models import (
    MOBILE_METHODS,
    USDT,
    CreateDeposit,
    DepositPath,
    DepositStatus,
    ListDeposits,
    Method,
    RejectDeposit,
)
from presage.ledger.views import Deposit, DepositCase
from presage.paging import decode, encode
from presage.schema import Page, Pagination
from presage.workflows.run import Outcome, Run

EXPIRE_CHUNK = 200
_queries = beside(__file__)


@dataclass(frozen=True)
class _DepositRow:
    id: uuid.UUID
    seq: int
    user_id: uuid.UUID
    method: Method
    currency: str
    amount_micros: int
    rate_micros: int | None
    credited_micros: int
    sender_reference: str = field(repr=False)
    sender_number: str | None = field(repr=False)
    status: DepositStatus
    reason: str | None
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None
    decided_by: uuid.UUID | None

    def view[ViewT: Deposit](self, view: type[ViewT]) -> ViewT:
        """The deposit as it may be shown."""
        shown = {name: getattr(self, name, None) for name in view.model_fields}
        return view(
            **shown
            | {
                "credited_currency": config.get("COLLATERAL_CURRENCY"),
                "sender_reference": mask_if_mobile(self.sender_reference),
                "sender_number": mask_mobile(self.sender_number) if self.sender_number else None,
            }
        )


@dataclass(frozen=True)
class _Expired:
    expired: int


def create_deposit(call: Call, request: CreateDeposit) -> Deposit:
    """Announce money that was sent; it waits 24 hours for an admin.

    Raises:
        ValidationFailedError: the currency is not the method's, or the number is missing or idle.
        ConflictError: the reference was given for another deposit.
        InvalidStateError: there is no fresh rate of the currency.
        UnprocessableError: ten deposits of the caller are pending.
        IdempotencyConflictError: the key was used for something else.
    """
    collateral = config.get("COLLATERAL_CURRENCY")
    currency = USDT if request.method == "usdt" else collateral
    if request.currency not in {None, currency}:
        raise ValidationFailedError(f"{request.method} is paid in {currency}.", field="currency")
    if (request.method in MOBILE_METHODS) != (request.sender_number is not None):
        raise ValidationFailedError(
            "senderNumber is needed for mobile money, and for nothing else.", field="senderNumber"
        )
    fields = request.model_dump() | {"currency": currency}
    deposit_id = uuid.uuid4()
    row = _one(
        call,
        "create_deposit",
        fields
        | {
            "deposit_id": deposit_id,
            "collateral": collateral,
            "key": call.idempotency_key,
            "request_hash": request_hash(fields),
        },
    )
    if row.id != deposit_id:
        call.headers["Idempotent-Replayed"] = "true"
    return row.view(Deposit)


def list_deposits(call: Call, request: ListDeposits) -> Page[Deposit]:
    """The caller's deposits, newest first."""
    return _page(call, "list_deposits", Deposit, request, [])


def list_all_deposits(call: Call, request: ListDeposits) -> Page[DepositCase]:
    """Everybody's deposits: newest first, those that wait oldest first."""
    match request.status:
        case None:
            stored = [*get_args(DepositStatus.__value__)]
        case "expired":
            stored = ["expired", "pending"]  # marked, and not yet
        case status:
            stored = [status]
    query = "list_pending_deposits" if request.status == "pending" else "list_all_deposits"
    return _page(call, query, DepositCase, request, stored)


def verify_deposit(call: Call, request: DepositPath) -> DepositCase:
    """Credit a deposit that has arrived, once.

    Raises:
        ForbiddenError: it is the caller's own.
        NotFoundError: there is no such deposit.
        InvalidStateError: it was rejected, or its day is over.
    """
    params = {"deposit_id": request.deposit_id, "is_verified": True, "reason": None}
    return _one(call, "decide_deposit", params).view(DepositCase)


def reject_deposit(call: Call, request: RejectDeposit) -> DepositCase:
    """Refuse a deposit that has not arrived; its reference may be given again.

    Raises:
        NotFoundError: there is no such deposit.
        InvalidStateError: it was verified, or its day is over.
    """
    params = request.model_dump() | {"is_verified": False}
    return _one(call, "decide_deposit", params).view(DepositCase)


def cleanup_expired_deposits(run: Run) -> Outcome:
    """Mark the deposits that nobody confirmed within their day, chunk by chunk."""
    expired, chunk = 0, EXPIRE_CHUNK
    while chunk == EXPIRE_CHUNK and not run.out_of_time:
        params = {"limit": EXPIRE_CHUNK} | _traced(run.call)
        chunk = connection.fetch_all(run.call, _queries["expire_deposits"], _Expired, params)[
            0
        ].expired
        expired += chunk
    is_done = chunk < EXPIRE_CHUNK
    return Outcome(counts={"expired": expired}, next_cursor=None if is_done else {"more": True})


def _page[ViewT: Deposit](
    call: Call, query: str, view: type[ViewT], request: ListDeposits, stored: list[str]
) -> Page[ViewT]:
    mark = decode(request.cursor, int)
    params = {
        "status": request.status,
        "stored": stored,
        "limit": request.limit,
        "mark": mark[0] if mark else None,
        "now": call.now,
    }
    rows = connection.fetch_all(call, _queries[query], _DepositRow, params)
    next_cursor = encode([rows[-1].seq]) if len(rows) == request.limit else None
    return Page(
        [row.view(view) for row in rows],
        Pagination(limit=request.limit, next_cursor=next_cursor),
    )


def _one(call: Call, name: str, params: dict[str, Any]) -> _DepositRow:
    row = connection.fetch_one(call, _queries[name], _DepositRow, params | _traced(call))
    if row is None:
        raise LookupError(f"{name} answers a row or raises")
    return row


def _traced(call: Call) -> dict[str, Any]:
    return {"request_id": call.request_id, "ip": call.ip, "now": call.now}
