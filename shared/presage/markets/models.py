"""What market routes take and answer."""

import re
import uuid
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, HttpUrl, model_validator

from presage.money import AmountIn, MoneyOut, PriceIn, PriceOut, SizeIn, SizeOut
from presage.schema import (
    CursorRequest,
    Moment,
    OutcomeRef,
    PageRequest,
    RequestModel,
    ResponseModel,
)

MIN_DISPUTE_WINDOW_S = 300
# With the minute after a bound this is what one call to a price source answers.
MAX_TOLERANCE_S = 900
MAX_DISPUTE_WINDOW_S = 2_592_000

type State = Literal[
    "PROPOSED", "APPROVED", "ACTIVE", "RESOLVING", "DISPUTED", "FINALIZED", "CANCELLED"
]
type TradingStatus = Literal["open", "post_only", "cancel_only", "halted"]


def _slug(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value):
        raise ValueError("may hold lower-case letters, digits and single hyphens")
    if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value):
        raise ValueError("may not look like an id")
    return value


def _divides_the_payout(tick_bps: int) -> int:
    if 10_000 % tick_bps:
        raise ValueError("must divide 1.00")
    return tick_bps


Slug = Annotated[str, Field(min_length=3, max_length=200), AfterValidator(_slug)]
MarketRef = Annotated[str, Field(min_length=1, max_length=200, description="a market's id or slug")]
Tag = Annotated[str, Field(min_length=1, max_length=50)]


class ResolutionRule(RequestModel):
    """How a price decides a market: YES when the price at `close_at` compares with the reference.

    The price at a bound is the latest tick at or before it, at most `tolerance_s` older.
    """

    kind: Literal["price_at"]
    symbol: Annotated[str, Field(pattern=r"^[A-Z0-9]{2,10}/[A-Z]{3,5}$")]
    comparison: Literal["gte"] = "gte"
    reference: Literal["strike", "price_at_open"]
    strike: Annotated[Decimal | None, Field(gt=0, max_digits=38, decimal_places=18)] = None
    open_at: Moment
    close_at: Moment
    tolerance_s: Annotated[int, Field(ge=0, le=MAX_TOLERANCE_S)] = 5

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.reference == "strike" and self.strike is None:
            raise ValueError("a rule against a strike names the strike")
        if self.close_at <= self.open_at:
            raise ValueError("closeAt must come after openAt")
        return self


class ProposeMarket(RequestModel):
    """A market to propose. Its fee is set by the admin who approves it."""

    question: Annotated[str, Field(min_length=5, max_length=1_000)]
    question_bn: Annotated[str | None, Field(max_length=1_000)] = None
    slug: Slug | None = None
    description: Annotated[str | None, Field(max_length=20_000)] = None
    rules: Annotated[str | None, Field(max_length=20_000)] = None
    category: Annotated[str | None, Field(min_length=1, max_length=50)] = None
    tags: Annotated[list[Tag], Field(max_length=20, default_factory=list)]
    resolution_source: Annotated[str | None, Field(max_length=500)] = None
    image_url: HttpUrl | None = None
    market_type: Literal["binary"] = "binary"
    tick_size_bps: Annotated[
        PriceIn, Field(alias="tickSize", le=5_000), AfterValidator(_divides_the_payout)
    ] = 100
    min_size_lots: Annotated[SizeIn, Field(alias="minSize", le=10**11)] = 100
    opens_at: Moment | None = None
    closes_at: Moment
    resolution_rule: ResolutionRule | None = None
    dispute_window_s: Annotated[int, Field(ge=MIN_DISPUTE_WINDOW_S, le=MAX_DISPUTE_WINDOW_S)] = (
        172_800
    )

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> Self:
        if self.opens_at is not None and self.closes_at <= self.opens_at:
            raise ValueError("closesAt must come after opensAt")
        if self.resolution_rule and self.resolution_rule.close_at != self.closes_at:
            raise ValueError("resolutionRule.closeAt must be the market's closesAt")
        return self


class MarketPath(RequestModel):
    """One market by id."""

    market_id: uuid.UUID


class MoveMarket(MarketPath):
    """Why a market moves; kept with the move."""

    reason: Annotated[str | None, Field(max_length=1_000)] = None


class ApproveMarket(MoveMarket):
    """The approval, and the fee schedule that goes with it (1/10,000)."""

    fee_bps: Annotated[int, Field(ge=0, le=10_000)] | None = None
    maker_rebate_bps: Annotated[int, Field(ge=0, le=10_000)] | None = None


class SetTradingStatus(MoveMarket):
    """What the market takes from now on: every order, only resting ones, only cancels, nothing."""

    trading_status: TradingStatus


class TradingStatusChanged(ResponseModel):
    """A market's new trading status."""

    id: uuid.UUID
    slug: str
    previous_status: TradingStatus
    trading_status: TradingStatus
    changed_at: datetime


class ClarifyMarket(MarketPath):
    """What the rules mean; it cannot be edited or taken back."""

    body: Annotated[str, Field(min_length=1, max_length=10_000)]
    body_bn: Annotated[str | None, Field(min_length=1, max_length=10_000)] = None


class Clarification(ResponseModel):
    """A dated clarification of a market's rules."""

    id: int
    market_id: uuid.UUID
    body: str
    body_bn: str | None
    created_at: datetime


class Evidence(RequestModel):
    """What an outcome rests on."""

    source: Annotated[str | None, Field(max_length=500)] = None
    url: HttpUrl | None = None
    note: Annotated[str | None, Field(max_length=5_000)] = None


class ResolveMarket(MoveMarket):
    """The proposed outcome: VOID pays both sides equally."""

    outcome: Literal["YES", "NO", "VOID"]
    evidence: Evidence = Evidence()


class MarketMoved(ResponseModel):
    """A market's new state."""

    id: uuid.UUID
    slug: str
    previous_state: str
    state: str
    changed_at: datetime


class ListMarkets(PageRequest):
    """Filters and order of the market list.

    Volume and liquidity are sorted (and liquidity filtered and shown) as of the last five-minute
    snapshot; a market that is not ACTIVE has no liquidity. Ties go by id.
    """

    search: Annotated[str | None, Field(max_length=200)] = None
    category: Annotated[str | None, Field(max_length=50)] = None
    tag: Annotated[str | None, Field(max_length=50)] = None
    status: Literal["active", "closed", "resolved"] | None = None
    state: State | None = None
    venue: Literal["native", "solana", "polymarket"] | None = None
    min_liquidity_micros: Annotated[AmountIn | None, Field(alias="minLiquidity")] = None
    sort: Annotated[
        Literal["volume", "liquidity", "endDate", "createdAt"],
        Field(description="volume and liquidity as of the last five-minute snapshot"),
    ] = "createdAt"


class GetMarket(RequestModel):
    """One market by id or slug."""

    market_id: MarketRef


class OutcomeQuery(RequestModel):
    """One outcome of one market."""

    market_id: MarketRef
    outcome: OutcomeRef = "0"


class GetBook(OutcomeQuery):
    """How deep to look into the book."""

    depth: Annotated[int, Field(ge=1, le=100)] = 20


class ListSnapshots(CursorRequest):
    """Price points of a market, all outcomes or one."""

    market_id: MarketRef
    outcome: OutcomeRef | None = None


class ListTrades(CursorRequest):
    """Trades of a market, all outcomes or one."""

    market_id: MarketRef
    outcome: OutcomeRef | None = None


class GetPriceHistory(OutcomeQuery):
    """How far back, in bars of which length."""

    outcome: OutcomeRef = "YES"
    hours: Annotated[int, Field(ge=1, le=720)] = 24
    interval: Literal["5min", "1hour", "1day"] = "1hour"


class MarketProposed(ResponseModel):
    """A market just proposed."""

    id: uuid.UUID
    slug: str
    state: Literal["PROPOSED"] = "PROPOSED"
    created_at: datetime


class MarketSummary(ResponseModel):
    """A market in a list. `price` is YES of the first outcome: mid, last, or a half."""

    id: uuid.UUID
    slug: str
    question: str
    question_bn: str | None
    category: str | None
    tags: list[str]
    image_url: str | None
    venue: str
    market_type: str
    state: str
    trading_status: str
    price_bps: Annotated[PriceOut, Field(alias="price")]
    volume_micros: Annotated[MoneyOut, Field(alias="volume")]
    liquidity_micros: Annotated[MoneyOut, Field(alias="liquidity")]
    opens_at: datetime | None
    closes_at: datetime
    created_at: datetime


class OutcomeView(ResponseModel):
    """One tradable side. A binary market shows YES and NO, of one book."""

    outcome: int
    position: Literal["YES", "NO"]
    label: str
    label_bn: str | None
    price_bps: Annotated[PriceOut, Field(alias="price")]
    previous_price_bps: Annotated[PriceOut | None, Field(alias="previousPrice")]
    best_bid_bps: Annotated[PriceOut | None, Field(alias="bestBid")]
    best_ask_bps: Annotated[PriceOut | None, Field(alias="bestAsk")]


class Bar(ResponseModel):
    """Open, high, low, close and volume of one bucket."""

    start: datetime
    open_bps: Annotated[PriceOut, Field(alias="open")]
    high_bps: Annotated[PriceOut, Field(alias="high")]
    low_bps: Annotated[PriceOut, Field(alias="low")]
    close_bps: Annotated[PriceOut, Field(alias="close")]
    volume_micros: Annotated[MoneyOut, Field(alias="volume")]
    trade_count: int


class Holder(ResponseModel):
    """A large holder of one side."""

    address: str
    outcome: int
    position: Literal["YES", "NO"]
    held_lots: Annotated[SizeOut, Field(alias="shares")]
    share_bps: int


class RuleView(ResponseModel):
    """How a price decides a market; see `ResolutionRule`."""

    kind: Literal["price_at"]
    symbol: str
    comparison: Literal["gte"]
    reference: Literal["strike", "price_at_open"]
    strike: str | None
    open_at: datetime
    close_at: datetime
    tolerance_s: int


class TickView(ResponseModel):
    """A price that decided a market."""

    source: str
    symbol: str
    observed_at: datetime
    value: str


class EvidenceView(ResponseModel):
    """What the proposed outcome rests on: an admin's word, or the prices at the bounds."""

    source: str | None = None
    url: str | None = None
    note: str | None = None
    open: TickView | None = None
    close: TickView | None = None
    reference: str | None = None


class MarketView(ResponseModel):
    """A market in full."""

    id: uuid.UUID
    slug: str
    question: str
    question_bn: str | None
    description: str | None
    rules: str | None
    category: str | None
    tags: list[str]
    resolution_source: str | None
    image_url: str | None
    venue: str
    state: str
    trading_status: str
    market_type: str
    tick_size_bps: Annotated[PriceOut, Field(alias="tickSize")]
    min_size_lots: Annotated[SizeOut, Field(alias="minSize")]
    fee_bps: int
    maker_rebate_bps: int
    opens_at: datetime | None
    closes_at: datetime
    resolution_rule: RuleView | None
    dispute_window_s: int
    proposed_outcome: str | None
    resolution_evidence: EvidenceView | None
    final_outcome: str | None
    claims_enabled: bool
    claims_available_at: datetime | None
    last_state_change_tx: str | None
    settled_at: datetime | None
    creator: str | None
    created_at: datetime
    updated_at: datetime
    volume_micros: Annotated[MoneyOut, Field(alias="volume")]
    outcomes: list[OutcomeView]
    recent_bars: list[Bar]
    top_holders: list[Holder]
    clarifications: list[Clarification]


class Level(ResponseModel):
    """A price and what rests at it."""

    price_bps: Annotated[PriceOut, Field(alias="price")]
    size_lots: Annotated[SizeOut, Field(alias="size")]
    orders: int


class BookView(ResponseModel):
    """Both sides of a book, best level first, in the asked position's own prices."""

    market_id: uuid.UUID
    outcome: int
    position: Literal["YES", "NO"]
    bids: list[Level]
    asks: list[Level]
    spread_bps: Annotated[PriceOut | None, Field(alias="spread")]
    midpoint_micros: Annotated[MoneyOut | None, Field(alias="midpoint")]
    last_updated: datetime


class TradeView(ResponseModel):
    """One public trade, in YES prices, without who traded."""

    id: int
    outcome: int
    price_bps: Annotated[PriceOut, Field(alias="price")]
    size_lots: Annotated[SizeOut, Field(alias="size")]
    side: Literal["BUY", "SELL"]
    position: Literal["YES", "NO"]
    kind: Literal["TRANSFER", "MINT", "MERGE"]
    created_at: datetime


class PriceHistory(ResponseModel):
    """Bars of one side, oldest first, empty buckets carried forward from the last close."""

    market_id: uuid.UUID
    outcome: int
    position: Literal["YES", "NO"]
    interval: str
    bars: list[Bar]
    truncated: bool
    price_change_bps: Annotated[PriceOut | None, Field(alias="priceChange")]
    price_change_percent: float | None


class MarketStats(ResponseModel):
    """A market's figures, kept at write time."""

    market_id: uuid.UUID
    volume_micros: Annotated[MoneyOut, Field(alias="volume")]
    volume_24h_micros: Annotated[MoneyOut, Field(alias="volume24h")]
    trade_count: int
    unique_traders: int
    follower_count: int = 0
    bookmark_count: int = 0
    open_interest_micros: Annotated[MoneyOut, Field(alias="openInterest")]
    liquidity_micros: Annotated[MoneyOut, Field(alias="liquidityScore")]
    last_updated: datetime


class SnapshotView(ResponseModel):
    """One five-minute point of one outcome, in YES prices."""

    outcome: int
    slot: datetime
    mid_bps: Annotated[PriceOut, Field(alias="mid")]
    last_price_bps: Annotated[PriceOut | None, Field(alias="last")]
    best_bid_bps: Annotated[PriceOut | None, Field(alias="bestBid")]
    best_ask_bps: Annotated[PriceOut | None, Field(alias="bestAsk")]
    spread_bps: Annotated[PriceOut | None, Field(alias="spread")]
    bid_depth_lots: Annotated[SizeOut, Field(alias="bidDepth")]
    ask_depth_lots: Annotated[SizeOut, Field(alias="askDepth")]
    liquidity_micros: Annotated[MoneyOut, Field(alias="liquidity")]
    volume_micros: Annotated[MoneyOut, Field(alias="volume")]


class OutcomeOdds(ResponseModel):
    """One outcome with its price and what that says of its chance."""

    outcome: int
    position: Literal["YES", "NO"]
    label: str
    label_bn: str | None
    price_bps: Annotated[PriceOut, Field(alias="price")]
    probability_micros: Annotated[MoneyOut, Field(alias="probability")]


class OutcomesView(ResponseModel):
    """A market's outcomes. Probabilities sum to exactly 1; `priceSum` is what the prices sum to."""

    market_id: uuid.UUID
    outcomes: list[OutcomeOdds]
    price_sum_bps: Annotated[PriceOut, Field(alias="priceSum")]
