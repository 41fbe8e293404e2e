"""What market routes take."""

import re
import uuid
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, HttpUrl, model_validator

from presage.money import AmountIn, PriceIn, SizeIn
from presage.schema import (
    CursorRequest,
    Moment,
    OutcomeRef,
    PageRequest,
    RequestModel,
)

MIN_DISPUTE_WINDOW_S = 300
# With the minute after a bound this is what one call to a price source answers.
MAX_TOLERANCE_S = 900
MAX_DISPUTE_WINDOW_S = 2_592_000
# The programme's least b; and what JSON's readers hold exactly.
MIN_B = 100_000_000_000
MAX_CHAIN_UNITS = 2**53 - 1
# Where ticks that follow volatility may stand, as announce_tick_changes has it.
TICKS_BPS = (10, 25, 50, 100)

type State = Literal[
    "PROPOSED", "APPROVED", "ACTIVE", "RESOLVING", "DISPUTED", "FINALIZED", "CANCELLED"
]
type TradingStatus = Literal["open", "post_only", "cancel_only", "halted"]


def _slug(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value):
        raise ValueError("may hold lower-case letters, digits and single hyphens")
    if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value):
        raise ValueError("may not look like an id")
    if re.fullmatch(r"solana-[0-9a-f]{64}", value):
        raise ValueError("may not be that of a market that begins on Solana")
    return value


def _divides_the_payout(tick_bps: int) -> int:
    if 10_000 % tick_bps:
        raise ValueError("must divide 1.00")
    return tick_bps


def _on_the_grid(tick_bps: int) -> int:
    if tick_bps not in TICKS_BPS:
        raise ValueError("must be 0.01, 0.005, 0.0025 or 0.001")
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
    """A market to propose. Its fee is set by the admin who approves it.

    On Solana the answer holds a transaction for the wallet to sign, which creates the market there;
    `bParameter` (the depth of its market maker) and `initialLiquidity` are in 1/1,000,000,000.
    """

    venue: Literal["native", "solana"] = "native"
    b_parameter: Annotated[int | None, Field(ge=MIN_B, le=MAX_CHAIN_UNITS)] = None
    initial_liquidity: Annotated[int | None, Field(ge=1, le=MAX_CHAIN_UNITS)] = None

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
        on_chain = {self.b_parameter is not None, self.initial_liquidity is not None}
        if on_chain != {self.venue == "solana"}:
            raise ValueError(
                "bParameter and initialLiquidity go with the venue solana, and only so"
            )
        if self.venue == "solana" and self.resolution_rule:
            raise ValueError("resolutionRule is for native markets")
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


class SetTickRange(MarketPath):
    """The smallest and the largest tick that volatility may lead to."""

    min_tick_bps: Annotated[PriceIn, Field(alias="minTick"), AfterValidator(_on_the_grid)]
    max_tick_bps: Annotated[PriceIn, Field(alias="maxTick"), AfterValidator(_on_the_grid)]


class ClarifyMarket(MarketPath):
    """What the rules mean; it cannot be edited or taken back."""

    body: Annotated[str, Field(min_length=1, max_length=10_000)]
    body_bn: Annotated[str | None, Field(min_length=1, max_length=10_000)] = None


class NewOutcome(RequestModel):
    """An outcome to come. Its probability is the price shown before anybody has traded."""

    label: Annotated[str, Field(min_length=1, max_length=200)]
    label_bn: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    probability_bps: Annotated[PriceIn | None, Field(alias="probability")] = None


class CreateOutcomes(MarketPath):
    """The outcomes of a market that nobody has traded yet.

    `exhaustive` says that exactly one of them happens, for which one is labelled OTHER; complete
    sets and conversion exist on such markets only.
    """

    outcomes: Annotated[list[NewOutcome], Field(min_length=2, max_length=50)]
    exhaustive: bool = False


class Evidence(RequestModel):
    """What an outcome rests on."""

    source: Annotated[str | None, Field(max_length=500)] = None
    url: HttpUrl | None = None
    note: Annotated[str | None, Field(max_length=5_000)] = None


class ResolveMarket(MoveMarket):
    """The proposed outcome: YES, NO, a label or a number; VOID pays every side equally."""

    outcome: OutcomeRef
    evidence: Evidence = Evidence()


class DisputeMarket(MarketPath):
    """Why the proposed outcome is wrong. The bond comes back when the dispute succeeds."""

    reason: Annotated[str, Field(min_length=10, max_length=1_000)]


class DecideDispute(MoveMarket):
    """Whether a dispute was right, and then what the outcome is."""

    upheld: bool
    outcome: OutcomeRef | None = None

    @model_validator(mode="after")
    def _names_an_outcome_when_upheld(self) -> Self:
        if self.upheld != (self.outcome is not None):
            raise ValueError("give an outcome if, and only if, the dispute is upheld")
        return self


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
