"""What market routes answer."""

import uuid
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from presage.chain.models import UnsignedTransaction
from presage.markets.models import TradingStatus
from presage.money import MoneyOut, PriceOut, SizeOut
from presage.schema import ResponseModel


class TradingStatusChanged(ResponseModel):
    """A market's new trading status."""

    id: uuid.UUID
    slug: str
    previous_status: TradingStatus
    trading_status: TradingStatus
    changed_at: datetime


class TickRangeSet(ResponseModel):
    """Between which ticks a market's own follows volatility, and where it stands."""

    id: uuid.UUID
    slug: str
    tick_size_bps: Annotated[PriceOut, Field(alias="tickSize")]
    min_tick_bps: Annotated[PriceOut, Field(alias="minTick")]
    max_tick_bps: Annotated[PriceOut, Field(alias="maxTick")]
    changed_at: datetime


class Clarification(ResponseModel):
    """A dated clarification of a market's rules."""

    id: int
    market_id: uuid.UUID
    body: str
    body_bn: str | None
    created_at: datetime


class CreatedOutcome(ResponseModel):
    """An outcome as it was created."""

    outcome: int
    label: str
    label_bn: str | None
    probability_bps: Annotated[PriceOut | None, Field(alias="probability")]


class MarketMoved(ResponseModel):
    """A market's new state."""

    id: uuid.UUID
    slug: str
    previous_state: str
    state: str
    changed_at: datetime


class MarketProposed(ResponseModel):
    """A market just proposed. One on Solana is real once `unsigned` was signed and has landed."""

    id: uuid.UUID
    slug: str
    state: Literal["PROPOSED"] = "PROPOSED"
    created_at: datetime
    unsigned: UnsignedTransaction | None = None


class MarketDisputed(ResponseModel):
    """A dispute, and the bond it holds: 1 % of open interest, at least 1.00."""

    id: uuid.UUID
    market_id: uuid.UUID
    slug: str
    previous_state: str
    state: str
    bond_micros: Annotated[MoneyOut, Field(alias="bond")]
    changed_at: datetime


class DisputeDecided(ResponseModel):
    """How a dispute ended. The market is final; on Solana it is once the chain says so."""

    market_id: uuid.UUID
    slug: str
    previous_state: str
    state: str
    is_upheld: bool
    bond_micros: Annotated[MoneyOut, Field(alias="bond")]
    changed_at: datetime


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
    condition_id: str | None
    chain_address: str | None
    chain_market_id: str | None
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
    follower_count: int
    bookmark_count: int
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
