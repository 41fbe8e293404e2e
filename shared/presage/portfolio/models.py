"""What portfolio routes take and answer."""

import uuid
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from presage.money import MoneyOut, PriceOut, SizeIn, SizeOut
from presage.schema import CursorRequest, OutcomeRef, RequestModel, ResponseModel


class ChangeShares(RequestModel):
    """How many shares of which market. Without an outcome a market of several means all of them."""

    market_id: uuid.UUID
    outcome: OutcomeRef | None = None
    size_lots: Annotated[SizeIn, Field(alias="size")]


class ConvertShares(ChangeShares):
    """Whose NO shares to give for a YES of every other outcome."""

    outcome: OutcomeRef


class SharesChanged(ResponseModel):
    """What was done; `amount` is what the caller's cash gained (negative: paid)."""

    id: uuid.UUID
    market_id: uuid.UUID
    kind: Literal["split", "merge", "convert", "complete", "redeem"]
    outcome: int | None
    size_lots: Annotated[SizeOut, Field(alias="size")]
    amount_micros: Annotated[MoneyOut, Field(alias="amount")]
    created_at: datetime


class ListPositions(CursorRequest):
    """Which positions, and whether sold shares leave at average cost or oldest first."""

    market_id: uuid.UUID | None = None
    method: Literal["average", "fifo"] = "average"


class PositionView(ResponseModel):
    """Shares of one side of one outcome, valued at the book's mid.

    Profit and loss are by average cost, or by the `method` asked for. `size` includes what open
    sells hold (`lockedSize`).
    """

    market_id: uuid.UUID
    market_slug: str
    question: str
    outcome: int
    position: Literal["YES", "NO"]
    size_lots: Annotated[SizeOut, Field(alias="size")]
    locked_lots: Annotated[SizeOut, Field(alias="lockedSize")]
    average_price_micros: Annotated[MoneyOut | None, Field(alias="averagePrice")]
    price_bps: Annotated[PriceOut, Field(alias="price")]
    cost_micros: Annotated[MoneyOut, Field(alias="cost")]
    value_micros: Annotated[MoneyOut, Field(alias="value")]
    unrealised_micros: Annotated[MoneyOut, Field(alias="unrealisedPnl")]
    realised_micros: Annotated[MoneyOut, Field(alias="realisedPnl")]
    updated_at: datetime


class PositionTotals(ResponseModel):
    """Sums over every position of the caller (of the market asked for), not of one page."""

    cost_micros: Annotated[MoneyOut, Field(alias="cost")]
    value_micros: Annotated[MoneyOut, Field(alias="value")]
    unrealised_micros: Annotated[MoneyOut, Field(alias="unrealisedPnl")]
    realised_micros: Annotated[MoneyOut, Field(alias="realisedPnl")]


class Positions(ResponseModel):
    """A page of positions, and the totals over all of them."""

    positions: list[PositionView]
    totals: PositionTotals
    next_cursor: str | None
