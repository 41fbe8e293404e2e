"""What routes of boards and reports take and answer."""

import datetime as dt
import uuid
from typing import Annotated, Literal

from pydantic import Field

from presage.money import MoneyOut
from presage.schema import CursorRequest, RequestModel, ResponseModel

type Period = Literal["day", "week", "month", "all"]
type Metric = Literal["profit", "volume", "win_rate"]


class GetLeaderboard(CursorRequest):
    """A page of a board: the last day, 7 days or 30 days before today (UTC), or all time."""

    period: Period = "all"
    metric: Metric = "profit"


class LeaderboardEntry(ResponseModel):
    """One place on a board.

    `name` is the display name, or the ends of the address. `profit` is realised, less fees;
    `winRateBps` is won markets in 10,000 of the decided ones, null when none is decided.
    """

    rank: int
    name: str
    profit_micros: Annotated[MoneyOut, Field(alias="profit")]
    volume_micros: Annotated[MoneyOut, Field(alias="volume")]
    won_markets: int
    lost_markets: int
    win_rate_bps: int | None
    refreshed_at: dt.datetime


class ListReports(CursorRequest):
    """A page of the daily reports."""


class ReportPath(RequestModel):
    """A day (UTC)."""

    date: dt.date


class ReportSummary(ResponseModel):
    """That there is a report of a day."""

    date: dt.date
    created_at: dt.datetime


class ReportedMarket(ResponseModel):
    """A market among a day's largest."""

    market_id: uuid.UUID
    slug: str
    question: str
    volume_micros: Annotated[MoneyOut, Field(alias="volume")]
    trade_count: int


class Report(ResponseModel):
    """What happened on a day (UTC), in the collateral currency.

    `revenue` is fees less rebates. Totals, active markets, dead letters and open escalations are
    as they stood when the report was written.
    """

    date: dt.date
    currency: str
    volume_micros: Annotated[MoneyOut, Field(alias="volume")]
    fees_micros: Annotated[MoneyOut, Field(alias="fees")]
    rebates_micros: Annotated[MoneyOut, Field(alias="rebates")]
    revenue_micros: Annotated[MoneyOut, Field(alias="revenue")]
    deposits_micros: Annotated[MoneyOut, Field(alias="deposits")]
    withdrawals_micros: Annotated[MoneyOut, Field(alias="withdrawals")]
    trade_count: int
    active_users: int
    new_users: int
    total_users: int
    new_markets: int
    active_markets: int
    finalized_markets: int
    settled_markets: int
    failed_runs: int
    dead_letters: int
    open_escalations: int
    top_markets: list[ReportedMarket]
