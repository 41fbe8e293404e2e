"""What portfolio routes take and answer."""

import uuid
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from presage.money import MoneyOut, PriceOut, SizeOut
from presage.schema import CursorRequest, ResponseModel


class ListPositions(CursorRequest):
    """Which positions: all that hold shares, or those of one market."""

    market_id: uuid.UUID | None = None


class PositionView(ResponseModel):
    """Shares of one side of one outcome, valued at the book's mid.

    Profit and loss are by average cost. `size` includes what open sells hold (`lockedSize`).
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
