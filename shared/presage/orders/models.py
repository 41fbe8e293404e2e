"""What order routes take and answer."""

import uuid
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from presage.money import AmountIn, MoneyOut, PriceIn, PriceOut, SizeIn, SizeOut
from presage.schema import CursorRequest, Moment, OutcomeRef, RequestModel, ResponseModel

type Side = Literal["BUY", "SELL"]
type Position = Literal["YES", "NO"]
type Status = Literal["pending", "open", "partial", "filled", "cancelled", "expired", "rejected"]


class PlaceOrder(RequestModel):
    """An order. `price` is the limit, for FOK and FAK the worst price taken.

    A GTD order rests until its `expiration`, at least a minute ahead. A FOK or FAK BUY may give
    `amount` (money to spend, fees included) in place of `size`.
    `clientOrderId`, or the Idempotency-Key header, makes a repeat answer the first result.
    """

    market_id: uuid.UUID
    outcome: OutcomeRef | None = None
    position: Position | None = None
    side: Side
    type: Literal["GTC", "GTD", "FOK", "FAK"] = "GTC"
    price_bps: Annotated[PriceIn, Field(alias="price")]
    size_lots: Annotated[SizeIn | None, Field(alias="size")] = None
    amount_micros: Annotated[AmountIn | None, Field(alias="amount")] = None
    expires_at: Annotated[Moment | None, Field(alias="expiration")] = None
    post_only: bool = False
    self_trade_prevention: Literal["cancel_taker", "cancel_maker", "cancel_both"] = "cancel_taker"
    client_order_id: Annotated[str | None, Field(min_length=1, max_length=128)] = None

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if (self.size_lots is None) == (self.amount_micros is None):
            raise ValueError("give either size or amount")
        may_rest = self.type in {"GTC", "GTD"}
        if self.amount_micros is not None and (self.side != "BUY" or may_rest):
            raise ValueError("amount is for FOK and FAK orders that BUY")
        if self.post_only and not may_rest:
            raise ValueError("postOnly is for orders that may rest")
        if (self.expires_at is not None) != (self.type == "GTD"):
            raise ValueError("expiration belongs to GTD orders, and they to it")
        return self


class Fill(ResponseModel):
    """One trade of an order, at the price in the order's own position."""

    id: int
    price_bps: Annotated[PriceOut, Field(alias="price")]
    size_lots: Annotated[SizeOut, Field(alias="size")]
    kind: Literal["TRANSFER", "MINT", "MERGE"]


class OrderPlaced(ResponseModel):
    """What became of an order when it was placed; a repeat answers the same.

    `averageFillPrice` is rounded down to a millionth. `cost` is what was paid (BUY) or received
    (SELL) for the fills, without the `fee`.
    """

    id: uuid.UUID
    client_order_id: str
    market_id: uuid.UUID
    status: Status
    size_lots: Annotated[SizeOut, Field(alias="size")]
    filled_lots: Annotated[SizeOut, Field(alias="filledSize")]
    remaining_lots: Annotated[SizeOut, Field(alias="remainingSize")]
    average_fill_price_micros: Annotated[MoneyOut | None, Field(alias="averageFillPrice")]
    cost_micros: Annotated[MoneyOut, Field(alias="cost")]
    fee_micros: Annotated[MoneyOut, Field(alias="fee")]
    fills: list[Fill]
    created_at: datetime


class PlaceOrders(RequestModel):
    """A bet slip, placed in one call.

    `independent` orders are taken in sequence while funds last, and what one earns does not fund
    the next; `atomic` ones are all accepted or none is.
    """

    mode: Literal["independent", "atomic"] = "independent"
    orders: Annotated[list[PlaceOrder], Field(min_length=1, max_length=20)]


class SlipOrder(ResponseModel):
    """What became of one order of a slip; a refused one says why and has no id."""

    index: int
    id: uuid.UUID | None
    market_id: uuid.UUID
    client_order_id: str | None
    status: Status
    size_lots: Annotated[SizeOut, Field(alias="size")]
    filled_lots: Annotated[SizeOut, Field(alias="filledSize")]
    remaining_lots: Annotated[SizeOut, Field(alias="remainingSize")]
    average_fill_price_micros: Annotated[MoneyOut | None, Field(alias="averageFillPrice")]
    cost_micros: Annotated[MoneyOut, Field(alias="cost")]
    fee_micros: Annotated[MoneyOut, Field(alias="fee")]
    fills: list[Fill]
    code: str | None = None
    error: str | None = None
    field: str | None = None


class OrdersPlaced(ResponseModel):
    """A slip: `completed` when every order was accepted, `failed` when none was."""

    id: uuid.UUID
    mode: Literal["independent", "atomic"]
    status: Literal["completed", "partial", "failed"]
    orders: list[SlipOrder]
    created_at: datetime


class OrderPath(RequestModel):
    """One order of the caller."""

    order_id: uuid.UUID


class AmendOrder(OrderPath):
    """A smaller size for an open order, which keeps its place in the queue."""

    size_lots: Annotated[SizeIn, Field(alias="size")]


class OrderAmended(ResponseModel):
    """An order with its new size, and what that gave back."""

    id: uuid.UUID
    status: Status
    size_lots: Annotated[SizeOut, Field(alias="size")]
    filled_lots: Annotated[SizeOut, Field(alias="filledSize")]
    remaining_lots: Annotated[SizeOut, Field(alias="remainingSize")]
    released_lots: Annotated[SizeOut, Field(alias="releasedSize")]
    released_micros: Annotated[MoneyOut, Field(alias="releasedAmount")]


class ListOrders(CursorRequest):
    """Filters of the caller's orders."""

    status: Status | None = None
    market_id: uuid.UUID | None = None
    side: Side | None = None
    placed_from: Annotated[Moment | None, Field(alias="from")] = None
    placed_to: Annotated[Moment | None, Field(alias="to")] = None


class OrderView(ResponseModel):
    """An order as it stands."""

    id: uuid.UUID
    client_order_id: str | None
    market_id: uuid.UUID
    outcome: int
    position: Position
    side: Side
    type: Literal["GTC", "GTD", "FOK", "FAK"]
    price_bps: Annotated[PriceOut, Field(alias="price")]
    size_lots: Annotated[SizeOut, Field(alias="size")]
    filled_lots: Annotated[SizeOut, Field(alias="filledSize")]
    remaining_lots: Annotated[SizeOut, Field(alias="remainingSize")]
    average_fill_price_micros: Annotated[MoneyOut | None, Field(alias="averageFillPrice")]
    fee_micros: Annotated[MoneyOut, Field(alias="fee")]
    post_only: bool
    self_trade_prevention: str
    status: Status
    error: str | None
    strategy_id: uuid.UUID | None
    strategy_run_id: uuid.UUID | None
    expires_at: Annotated[datetime | None, Field(alias="expiration")]
    created_at: datetime
    updated_at: datetime


class OrderFill(ResponseModel):
    """One trade of an order, as taker or as maker."""

    id: int
    role: Literal["taker", "maker"]
    price_bps: Annotated[PriceOut, Field(alias="price")]
    size_lots: Annotated[SizeOut, Field(alias="size")]
    kind: Literal["TRANSFER", "MINT", "MERGE"]
    created_at: datetime


class OrderDetail(OrderView):
    """An order with its trades, oldest first, at most the latest 500."""

    fills: list[OrderFill]


class CancelOrders(RequestModel):
    """Which orders to cancel: those of a market, or all. Neither is refused."""

    market_id: uuid.UUID | None = None
    all: bool = False

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if (self.market_id is None) == (not self.all):
            raise ValueError("give either marketId or all=true")
        return self


class OrderCancelled(ResponseModel):
    """A cancelled order: what it had traded, and what it gave back."""

    id: uuid.UUID
    status: Status
    filled_lots: Annotated[SizeOut, Field(alias="filledSize")]
    released_lots: Annotated[SizeOut, Field(alias="releasedSize")]
    released_micros: Annotated[MoneyOut, Field(alias="releasedAmount")]


class OrdersCancelled(ResponseModel):
    """What the kill switch cancelled; with `more`, open orders are left: call again."""

    cancelled: list[OrderCancelled]
    count: int
    more: bool
