"""Placing, reading and cancelling the caller's orders."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson

from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.errors import NotFoundError, ValidationFailedError, from_sqlstate
from presage.idempotency import request_hash
from presage.orders.models import (
    AmendOrder,
    CancelOrders,
    Fill,
    ListOrders,
    OrderAmended,
    OrderCancelled,
    OrderDetail,
    OrderFill,
    OrderPath,
    OrderPlaced,
    OrdersCancelled,
    OrdersPlaced,
    OrderView,
    PlaceOrder,
    PlaceOrders,
    Position,
    Side,
    SlipOrder,
    Status,
)
from presage.paging import decode, encode
from presage.schema import Page, Pagination
from presage.workflows.run import Outcome, Run

MAX_CLIENT_ORDER_ID = 128
# One call of the SQL function cancels at most this many; the kill switch repeats it.
CANCEL_CHUNK = 1_000
MAX_CANCEL_CHUNKS = 10
EXPIRE_CHUNK = 500
_queries = beside(__file__)


@dataclass(frozen=True)
class _Count:
    count: int


@dataclass(frozen=True)
class _PlacedRow:
    order_id: uuid.UUID
    status: Status
    size_lots: int
    filled_lots: int
    remaining_lots: int
    cost_micros: int
    fee_micros: int
    fills: list[dict[str, Any]]
    created_at: datetime
    replayed: bool


@dataclass(frozen=True)
class _SlipRow:
    batch_id: uuid.UUID
    status: Literal["completed", "partial", "failed"]
    mode: Literal["independent", "atomic"]
    orders: list[dict[str, Any]]
    created_at: datetime
    replayed: bool


@dataclass(frozen=True)
class _OrderRow:
    id: uuid.UUID
    seq: int
    client_order_id: str | None
    market_id: uuid.UUID
    outcome: int
    position: Position
    side: Side
    type: Literal["GTC", "GTD", "FOK", "FAK"]
    price_bps: int
    size_lots: int
    filled_lots: int
    remaining_lots: int
    placed_filled_lots: int
    placed_cost_micros: int
    fee_micros: int
    post_only: bool
    self_trade_prevention: str
    status: Status
    error: str | None
    strategy_id: uuid.UUID | None
    strategy_run_id: uuid.UUID | None
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime

    def view(self) -> dict[str, Any]:
        # A maker trades at its own limit: what filled after placing cost exactly that.
        later = (self.filled_lots - self.placed_filled_lots) * self.price_bps
        average = average_price_micros(self.placed_cost_micros + later, self.filled_lots)
        return vars(self) | {"average_fill_price_micros": average}


def average_price_micros(cost_micros: int, lots: int) -> int | None:
    """The average price in millionths of a payout, rounded down; None when nothing traded."""
    return cost_micros * 100 // lots if lots else None


def place_order(call: Call, request: PlaceOrder) -> OrderPlaced:
    """Place an order; a repeat with the same client order id answers the first result.

    Raises:
        ValidationFailedError: off the grid, under the minimum, or no client order id.
        InsufficientFundsError: the available balance or shares do not cover it.
        InvalidStateError: the market does not take this order now.
        IdempotencyConflictError: the client order id was used for another order.
        UnprocessableError: post-only that crosses, or FOK that cannot fill.
    """
    client_order_id = _client_order_id(call, request)
    fields = request.model_dump(exclude={"client_order_id"})
    row = connection.fetch_one(
        call,
        _queries["place_order"],
        _PlacedRow,
        fields
        | {
            "client_order_id": client_order_id,
            "request_hash": request_hash(fields),
            "order_id": uuid.uuid4(),
            "now": call.now,
        },
    )
    if row is None:
        raise LookupError("place_order answers a row or raises")
    if row.replayed:
        call.headers["Idempotent-Replayed"] = "true"
    return OrderPlaced(
        id=row.order_id,
        client_order_id=client_order_id,
        market_id=request.market_id,
        status=row.status,
        size_lots=row.size_lots,
        filled_lots=row.filled_lots,
        remaining_lots=row.remaining_lots,
        average_fill_price_micros=average_price_micros(row.cost_micros, row.filled_lots),
        cost_micros=row.cost_micros,
        fee_micros=row.fee_micros,
        fills=[_fill(fill) for fill in row.fills],
        created_at=row.created_at,
    )


def place_orders(call: Call, request: PlaceOrders) -> OrdersPlaced:
    """Place a slip of orders; refusals are answered order by order.

    Raises:
        IdempotencyConflictError: the key was used for another slip.
    """
    asked = [order.model_dump(mode="json") for order in request.orders]
    row = connection.fetch_one(
        call,
        _queries["place_orders"],
        _SlipRow,
        {
            "mode": request.mode,
            "orders": orjson.dumps(asked).decode(),
            "key": call.idempotency_key,
            "request_hash": request_hash(request.model_dump()),
            "batch_id": uuid.uuid4(),
            "now": call.now,
        },
    )
    if row is None:
        raise LookupError("place_orders answers a row or raises")
    if row.replayed:
        call.headers["Idempotent-Replayed"] = "true"
    return OrdersPlaced(
        id=row.batch_id,
        mode=row.mode,
        status=row.status,
        orders=[
            _slip_order(asked, told) for asked, told in zip(request.orders, row.orders, strict=True)
        ],
        created_at=row.created_at,
    )


def _slip_order(asked: PlaceOrder, told: dict[str, Any]) -> SlipOrder:
    refusal = from_sqlstate(told.get("code"), told.get("message") or "", told.get("field"))
    return SlipOrder(
        index=told["index"],
        id=told.get("order_id"),
        market_id=asked.market_id,
        client_order_id=asked.client_order_id,
        status=told["status"],
        size_lots=told.get("size_lots") or asked.size_lots or 0,
        filled_lots=told.get("filled_lots") or 0,
        remaining_lots=told.get("remaining_lots") or 0,
        average_fill_price_micros=average_price_micros(
            told.get("cost_micros") or 0, told.get("filled_lots") or 0
        ),
        cost_micros=told.get("cost_micros") or 0,
        fee_micros=told.get("fee_micros") or 0,
        fills=[_fill(fill) for fill in told.get("fills") or ()],
        code=refusal.code if refusal else None,
        error=refusal.message if refusal else None,
        field=refusal.details.get("field") if refusal else None,
    )


def _fill(fill: dict[str, Any]) -> Fill:
    return Fill(
        id=fill["fill_id"],
        price_bps=fill["price_bps"],
        size_lots=fill["size_lots"],
        kind=fill["kind"],
    )


def list_orders(call: Call, request: ListOrders) -> Page[OrderView]:
    """The caller's orders, newest first."""
    mark = decode(request.cursor, int)
    params = request.model_dump(exclude={"cursor"}) | {
        "before_seq": mark[0] if mark else None,
        "rests": request.status in {"open", "partial"},
    }
    rows = connection.fetch_all(call, _queries["list_orders"], _OrderRow, params)
    next_cursor = encode([rows[-1].seq]) if len(rows) == request.limit else None
    return Page(
        [OrderView(**_shown(row, OrderView)) for row in rows],
        Pagination(limit=request.limit, next_cursor=next_cursor),
    )


def get_order(call: Call, request: OrderPath) -> OrderDetail:
    """One order of the caller, with its trades."""
    params = {"order_id": request.order_id}
    orders, fills = connection.run(
        call,
        [
            (_queries["get_order"], _OrderRow, params),
            (_queries["list_order_fills"], OrderFill, params),
        ],
    )
    if not orders:
        raise NotFoundError("You have no such order.", field="orderId")
    return OrderDetail(**_shown(orders[0], OrderView), fills=fills[::-1])


def amend_order(call: Call, request: AmendOrder) -> OrderAmended:
    """Lower an open order's size, down to what has filled.

    Raises:
        NotFoundError: the caller has no such order.
        InvalidStateError: it is final already.
        ValidationFailedError: the size is not lower, or under what has filled.
    """
    params = {"order_id": request.order_id, "size_lots": request.size_lots, "now": call.now}
    amended = connection.fetch_one(call, _queries["amend_order"], OrderAmended, params)
    if amended is None:
        raise LookupError("amend_order answers a row or raises")
    return amended


def expire_orders(run: Run) -> Outcome:
    """Release the orders past their expiration; the match ignores them already."""
    released = 0
    while not run.out_of_time:
        params = {"limit": EXPIRE_CHUNK, "now": run.call.now}
        chunk = connection.fetch_one(run.call, _queries["expire_orders"], _Count, params)
        if chunk is None or chunk.count == 0:
            break
        released += chunk.count
    return Outcome(
        counts={"expired": released}, next_cursor={"more": True} if run.out_of_time else None
    )


def cancel_order(call: Call, request: OrderPath) -> OrderCancelled:
    """Cancel one open order.

    Raises:
        NotFoundError: the caller has no such order.
        InvalidStateError: it is final already.
    """
    params = {"order_id": request.order_id, "now": call.now}
    cancelled = connection.fetch_one(call, _queries["cancel_order"], OrderCancelled, params)
    if cancelled is None:
        raise LookupError("cancel_order answers a row or raises")
    return cancelled


def cancel_orders(call: Call, request: CancelOrders) -> OrdersCancelled:
    """Cancel every open order of the caller, in one market or in all."""
    params = {"market_id": request.market_id, "now": call.now}
    cancelled: list[OrderCancelled] = []
    for _ in range(MAX_CANCEL_CHUNKS):
        chunk = connection.fetch_all(call, _queries["cancel_orders"], OrderCancelled, params)
        cancelled.extend(chunk)
        if len(chunk) < CANCEL_CHUNK:
            return OrdersCancelled(cancelled=cancelled, count=len(cancelled), more=False)
    return OrdersCancelled(cancelled=cancelled, count=len(cancelled), more=True)


def _shown(row: _OrderRow, model: type[OrderView]) -> dict[str, Any]:
    fields = row.view()
    return {name: fields[name] for name in model.model_fields}


def _client_order_id(call: Call, request: PlaceOrder) -> str:
    header, field = call.idempotency_key, request.client_order_id
    if header is not None and field is not None and header != field:
        raise ValidationFailedError(
            "The Idempotency-Key header and clientOrderId differ.", field="clientOrderId"
        )
    key = field or header
    if not key or len(key) > MAX_CLIENT_ORDER_ID:
        raise ValidationFailedError(
            "Give a clientOrderId (or an Idempotency-Key header) of 1 to 128 characters.",
            field="clientOrderId",
        )
    return key
