"""What Postgres answers of a wallet: each row knows how it is shown, and its place in a list."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from presage import clock, config
from presage.money import BPS, LOTS_PER_SHARE, MICROS, show
from presage.paging import Mark
from presage.users.models import UserPosition, UserTrade, UserVote, VenueStats

# What the programme counts shares, prices and lamports in.
CHAIN_UNIT = 1_000_000_000
SOL = "SOL"


def currency() -> str:
    """The currency of the exchange."""
    return config.get("COLLATERAL_CURRENCY")


def coins(units: Decimal) -> str:
    """Units of the programme as decimal text."""
    return show(int(units), CHAIN_UNIT)


@dataclass(frozen=True)
class Known:
    """Whether a wallet is."""

    is_known: bool


@dataclass(frozen=True)
class Profile:
    """Who signed in; no figures for whoever may not read them."""

    display_name: str | None
    joined_at: datetime
    trades: int | None
    volume_micros: Decimal | None
    markets_traded: int | None
    votes: int | None
    open_positions: int | None
    profit_micros: Decimal | None

    def stats(self) -> VenueStats | None:
        """The figures on the exchange."""
        if self.trades is None:
            return None
        return VenueStats(
            currency=currency(),
            trades=self.trades,
            volume=show(int(self.volume_micros or 0), MICROS),
            markets_traded=self.markets_traded or 0,
            votes=self.votes or 0,
            open_positions=self.open_positions or 0,
            profit=show(int(self.profit_micros or 0), MICROS),
        )


@dataclass(frozen=True)
class ChainStats:
    """The figures on chain."""

    trades: int
    volume: Decimal
    markets_traded: int
    votes: int
    open_positions: int
    profit: Decimal

    def stats(self) -> VenueStats:
        """As they are shown."""
        return VenueStats(
            currency=SOL,
            trades=self.trades,
            volume=coins(self.volume),
            markets_traded=self.markets_traded,
            votes=self.votes,
            open_positions=self.open_positions,
            profit=coins(self.profit),
        )


@dataclass(frozen=True)
class ChainPosition:
    """What a wallet holds of a market on Solana."""

    market: str
    market_id: uuid.UUID
    market_slug: str | None
    question: str | None
    state: str
    shares_yes: Decimal
    shares_no: Decimal
    is_open: bool
    cost: Decimal
    profit: Decimal | None

    def view(self) -> UserPosition:
        """As it is shown."""
        return UserPosition(
            venue="solana",
            market_id=self.market_id,
            market_slug=self.market_slug,
            question=self.question,
            state=self.state,
            outcome=0,
            currency=SOL,
            shares_yes=coins(self.shares_yes),
            shares_no=coins(self.shares_no),
            is_open=self.is_open,
            cost=coins(self.cost),
            profit=None if self.profit is None else coins(self.profit),
        )

    def mark(self) -> Mark:
        """Its place."""
        return ["solana", self.market, 0]


@dataclass(frozen=True)
class NativePosition:
    """What a user holds of an outcome here."""

    market_id: uuid.UUID
    market_slug: str
    question: str
    state: str
    outcome: int
    yes_lots: Decimal
    no_lots: Decimal
    cost_micros: Decimal
    realised_micros: Decimal

    def view(self) -> UserPosition:
        """As it is shown."""
        return UserPosition(
            venue="native",
            market_id=self.market_id,
            market_slug=self.market_slug,
            question=self.question,
            state=self.state,
            outcome=self.outcome,
            currency=currency(),
            shares_yes=show(int(self.yes_lots), LOTS_PER_SHARE),
            shares_no=show(int(self.no_lots), LOTS_PER_SHARE),
            is_open=bool(self.yes_lots or self.no_lots),
            cost=show(int(self.cost_micros), MICROS),
            profit=show(int(self.realised_micros), MICROS),
        )

    def mark(self) -> Mark:
        """Its place."""
        return ["native", str(self.market_id), self.outcome]


@dataclass(frozen=True)
class ChainTrade:
    """A trade on Solana."""

    signature: str
    ordinal: int
    slot: int
    tx_index: int
    traded_at: datetime
    market_id: uuid.UUID
    side: Literal["BUY", "SELL"]
    position: Literal["YES", "NO"]
    shares: Decimal
    amount: Decimal

    def view(self) -> UserTrade:
        """As it is shown: whoever trades with the programme takes."""
        price = int(self.amount) * CHAIN_UNIT // int(self.shares) if self.shares else None
        return UserTrade(
            venue="solana",
            market_id=self.market_id,
            outcome=0,
            currency=SOL,
            position=self.position,
            side=self.side,
            size=coins(self.shares),
            price=None if price is None else show(price, CHAIN_UNIT),
            amount=coins(self.amount),
            is_taker=True,
            signature=self.signature,
            traded_at=self.traded_at,
        )

    def mark(self) -> Mark:
        """Its place: blocks have whole seconds."""
        unix_s = clock.to_ms(self.traded_at) // 1000
        return ["solana", unix_s, self.slot, self.tx_index, self.ordinal, self.signature]


@dataclass(frozen=True)
class NativeTrade:
    """A fill of an order here; of no fill where so many orders were looked at in vain."""

    seq: int
    fill_id: int | None
    market_id: uuid.UUID
    outcome: int
    position: Literal["YES", "NO"]
    side: Literal["BUY", "SELL"]
    is_taker: bool
    price_bps: int
    size_lots: int
    traded_at: datetime

    def view(self) -> UserTrade:
        """As it is shown."""
        return UserTrade(
            venue="native",
            market_id=self.market_id,
            outcome=self.outcome,
            currency=currency(),
            position=self.position,
            side=self.side,
            size=show(self.size_lots, LOTS_PER_SHARE),
            price=show(self.price_bps, BPS),
            amount=show(self.price_bps * self.size_lots, MICROS),
            is_taker=self.is_taker,
            signature=None,
            traded_at=self.traded_at,
        )

    def mark(self) -> Mark:
        """Its place."""
        return ["native", self.seq, self.fill_id or 0, 0, 0, ""]


@dataclass(frozen=True)
class ChainVote:
    """A vote on chain."""

    market: str
    market_id: uuid.UUID
    kind: Literal["proposal", "dispute"]
    vote: bool
    voted_at: datetime

    def view(self) -> UserVote:
        """As it is shown."""
        return UserVote(
            cast="chain",
            market_id=self.market_id,
            kind=self.kind,
            vote=self.vote,
            voted_at=self.voted_at,
        )

    def mark(self) -> Mark:
        """Its place."""
        return ["solana", self.voted_at.isoformat(), self.market, self.kind]


@dataclass(frozen=True)
class NativeVote:
    """A vote cast here."""

    id: uuid.UUID
    market_id: uuid.UUID
    kind: Literal["proposal", "dispute"]
    vote: bool
    voted_at: datetime

    def view(self) -> UserVote:
        """As it is shown."""
        return UserVote(
            cast="here",
            market_id=self.market_id,
            kind=self.kind,
            vote=self.vote,
            voted_at=self.voted_at,
        )

    def mark(self) -> Mark:
        """Its place."""
        return ["native", self.voted_at.isoformat(), str(self.id), self.kind]
