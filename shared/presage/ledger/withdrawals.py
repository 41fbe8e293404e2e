"""Money that goes outside: taken from the balance at once, given back when nobody pays it."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, get_args

from presage import config
from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.idempotency import request_hash
from presage.ledger.mobile import mask_if_mobile, mask_mobile
from presage.ledger.models import (
    MOBILE_METHODS,
    CompleteWithdrawal,
    CreateWithdrawal,
    ListWithdrawals,
    Method,
    RejectWithdrawal,
    WithdrawalStatus,
)
from presage.ledger.views import Withdrawal, WithdrawalCase
from presage.paging import decode, encode
from presage.schema import Page, Pagination

_queries = beside(__file__)


@dataclass(frozen=True)
class _WithdrawalRow:
    id: uuid.UUID
    seq: int
    user_id: uuid.UUID
    method: Method
    payout_currency: str
    amount_micros: int
    rate_micros: int | None
    payout_micros: int
    destination: str = field(repr=False)
    status: WithdrawalStatus
    external_reference: str | None
    reason: str | None
    created_at: datetime
    decided_at: datetime | None
    decided_by: uuid.UUID | None

    def view[ViewT: Withdrawal](self, view: type[ViewT]) -> ViewT:
        """The withdrawal as it may be shown."""
        shown = {name: getattr(self, name, None) for name in view.model_fields}
        is_mobile = self.method in MOBILE_METHODS
        paid_by = self.external_reference
        return view(
            **shown
            | {
                "currency": config.get("COLLATERAL_CURRENCY"),
                "destination": mask_mobile(self.destination) if is_mobile else self.destination,
                "external_reference": mask_if_mobile(paid_by) if paid_by else None,
            }
        )


def create_withdrawal(call: Call, request: CreateWithdrawal) -> Withdrawal:
    """Take money out of the available balance, to be paid outside.

    Raises:
        InsufficientFundsError: the available balance does not cover it.
        InvalidStateError: there is no fresh rate of the currency to be paid.
        IdempotencyConflictError: the key was used for something else.
    """
    fields = request.model_dump()
    withdrawal_id = uuid.uuid4()
    row = _one(
        call,
        "create_withdrawal",
        fields
        | {
            "withdrawal_id": withdrawal_id,
            "collateral": config.get("COLLATERAL_CURRENCY"),
            "key": call.idempotency_key,
            "request_hash": request_hash(fields),
        },
    )
    if row.id != withdrawal_id:
        call.headers["Idempotent-Replayed"] = "true"
    return row.view(Withdrawal)


def list_withdrawals(call: Call, request: ListWithdrawals) -> Page[Withdrawal]:
    """The caller's withdrawals, newest first."""
    return _page(call, "list_withdrawals", Withdrawal, request)


def list_all_withdrawals(call: Call, request: ListWithdrawals) -> Page[WithdrawalCase]:
    """Everybody's withdrawals: newest first, those that wait oldest first."""
    is_queue = request.status == "pending"
    query = "list_pending_withdrawals" if is_queue else "list_all_withdrawals"
    return _page(call, query, WithdrawalCase, request)


def complete_withdrawal(call: Call, request: CompleteWithdrawal) -> WithdrawalCase:
    """Record that a withdrawal was paid, and by which payment.

    Raises:
        ForbiddenError: it is the caller's own.
        NotFoundError: there is no such withdrawal.
        ConflictError: it was completed by another payment.
        InvalidStateError: it was rejected.
    """
    params = request.model_dump() | {"is_completed": True, "reason": None}
    return _one(call, "decide_withdrawal", params).view(WithdrawalCase)


def reject_withdrawal(call: Call, request: RejectWithdrawal) -> WithdrawalCase:
    """Give a withdrawal's money back.

    Raises:
        NotFoundError: there is no such withdrawal.
        InvalidStateError: it was completed.
    """
    params = request.model_dump() | {"is_completed": False, "external_reference": None}
    return _one(call, "decide_withdrawal", params).view(WithdrawalCase)


def _page[ViewT: Withdrawal](
    call: Call, query: str, view: type[ViewT], request: ListWithdrawals
) -> Page[ViewT]:
    mark = decode(request.cursor, int)
    params = {
        "status": request.status,
        "stored": [request.status] if request.status else [*get_args(WithdrawalStatus.__value__)],
        "limit": request.limit,
        "mark": mark[0] if mark else None,
    }
    rows = connection.fetch_all(call, _queries[query], _WithdrawalRow, params)
    next_cursor = encode([rows[-1].seq]) if len(rows) == request.limit else None
    return Page(
        [row.view(view) for row in rows],
        Pagination(limit=request.limit, next_cursor=next_cursor),
    )


def _one(call: Call, name: str, params: dict[str, Any]) -> _WithdrawalRow:
    traced = {"request_id": call.request_id, "ip": call.ip, "now": call.now}
    row = connection.fetch_one(call, _queries[name], _WithdrawalRow, params | traced)
    if row is None:
        raise LookupError(f"{name} answers a row or raises")
    return row
