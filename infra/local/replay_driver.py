"""Drives a stack through simulated time: clock, schedules, traders, market by market.

The clock moves in steps; at each the QStash emulator delivers what is due (workflows run by signed
deliveries and nothing else), then markets are listed ahead of their start and agents trade through
the HTTP API, one after another, so that a seed decides the same orders every time.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from infra import schedules
from infra.local import operations
from infra.local.agents import Agent, EventAgent, Level, Order, View
from infra.local.client import (
    ApiClient,
    ApiError,
    Book,
    OrderRefusedError,
    PlacedOrder,
    Traffic,
    Wallet,
)
from infra.local.clock import set_clock
from infra.local.replay_data import ReplayMarket
from infra.local.stack import Stack
from presage.money import BPS, LOTS_PER_SHARE, MICROS, show

STEP_S = 20
LEAD_S = 600
LISTED_PER_STEP = 8  # a proposer may call 30 times a minute
DISPUTE_WINDOW_S = 300
FEE_BPS, MAKER_REBATE_BPS = 200, 2_000
TOLERANCE_S = 5
TICKS_KEPT_S = 600
SESSION_S = 6 * 86_400  # sessions last seven days
ADVANCE_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Trader:
    """A wallet that follows a strategy, and what it is given to trade with.

    One that `rests` replaces all of its orders each time it acts. `event_agent` is its strategy
    for events of several outcomes, where there are any.
    """

    name: str
    agent: Agent
    funds_micros: int
    rests: bool = False
    event_agent: EventAgent | None = None


@dataclass
class Seat:
    """A trader at the exchange, with the market it is in and the shares it knows to hold there."""

    trader: Trader
    api: ApiClient
    held: dict[tuple[str, str], int] = field(default_factory=dict)

    def lots(self, market_id: str, position: str) -> int:
        """Shares held, in lots."""
        return self.held.get((market_id, position), 0)

    def note(self, market_id: str, order: Order, filled: Decimal) -> None:
        """Remember what an order of its own has traded."""
        lots = int(filled * LOTS_PER_SHARE) * (1 if order.side == "BUY" else -1)
        known = self.lots(market_id, order.position)
        self.held[market_id, order.position] = known + lots


@dataclass
class Live:
    """A market that the driver has listed, and its book when somebody has just looked."""

    market: ReplayMarket
    id: str
    reference: float | None
    book: Book | None = None


@dataclass
class Deliveries:
    """What QStash did. `busy` deliveries met a live run of their slot: 503, and tried again."""

    delivered: int = 0
    busy: int = 0
    failed: int = 0
    dead_lettered: int = 0


type OnFill = Callable[[Live, Trader, Order, PlacedOrder], None]


@dataclass
class Driver:
    """One simulated day on one stack. Use `open` before anything else, and `close` after.

    `live` holds the markets that have not closed yet, `listed` the id of each by slug; `ticks` are
    the last minutes of the feed (unix seconds, price), as of the latest `trade`.
    """

    stack: Stack
    feed_url: str
    symbol: str
    seed: str
    clock_file: Path
    now_s: int
    traffic: Traffic = field(default_factory=Traffic)
    deliveries: Deliveries = field(default_factory=Deliveries)
    live: list[Live] = field(default_factory=list)
    listed: dict[str, str] = field(default_factory=dict)
    on_fill: OnFill | None = None
    seats: list[Seat] = field(default_factory=list)
    ticks: list[tuple[float, float]] = field(default_factory=list)
    _signed_s: int = 0

    def __post_init__(self) -> None:
        base_url = self.stack.base_url
        self.admin = ApiClient(base_url, self.traffic)
        self.creator = ApiClient(base_url, self.traffic)
        self._feed = httpx.Client(base_url=self.feed_url, timeout=10)
        self._qstash = httpx.Client(
            base_url=self.stack.qstash_url,
            headers={"Authorization": f"Bearer {self.stack.env['QSTASH_TOKEN']}"},
            timeout=ADVANCE_TIMEOUT_S,
        )

    @property
    def now_ms(self) -> int:
        """The simulated time in milliseconds."""
        return self.now_s * 1000

    def open(self, traders: Sequence[Trader]) -> None:
        """Sync the schedules, sign everybody in and fund the traders."""
        schedules.sync_stage(self.stack.env)
        self.seats = [
            Seat(trader, ApiClient(self.stack.base_url, self.traffic)) for trader in traders
        ]
        self._sign_in()
        funds = {seat.api.user_id: seat.trader.funds_micros for seat in self.seats}
        operations.deposit(self.stack.env, self.now_ms, funds, f"replay:{self.seed}")

    def close(self) -> None:
        """Let go of every connection."""
        for api in (self.admin, self.creator, *(seat.api for seat in self.seats)):
            api.close()
        self._feed.close()
        self._qstash.close()

    def names(self) -> dict[str, str]:
        """The traders' names by user id."""
        return {seat.api.user_id: seat.trader.name for seat in self.seats}

    def wallets(self) -> list[tuple[Decimal, Decimal]]:
        """Each trader's money: available, and locked in open orders."""
        return [seat.api.wallet() for seat in self.seats]

    def advance(self, to_s: int) -> None:
        """Move the clock and let QStash deliver everything due by then."""
        self.now_s = to_s
        set_clock(self.clock_file, self.now_ms)
        counts: dict[str, int] = self._qstash.post("/_local/advance").raise_for_status().json()
        self.deliveries.delivered += counts["delivered"]
        self.deliveries.dead_lettered += counts["deadLettered"]
        if counts["failed"]:
            self._look_into_failures()
        if self.now_s - self._signed_s > SESSION_S:
            self._sign_in()

    def list_ahead(self, waiting: list[ReplayMarket]) -> None:
        """List the markets of `waiting` (by start) that begin soon, taking them off it.

        One that the platform refuses is an error in the figures, and the others go on.
        """
        for _ in range(LISTED_PER_STEP):
            if not waiting or waiting[0].start_s > self.now_s + LEAD_S:
                return
            market = waiting.pop(0)
            with suppress(ApiError):
                self._list(market)

    def _list(self, market: ReplayMarket) -> None:
        market_id = self.creator.propose_market(self._proposal(market))
        self.admin.approve_market(market_id, FEE_BPS, MAKER_REBATE_BPS)
        self.creator.activate_market(market_id)
        strike = None if market.strike is None else float(market.strike)
        self.live.append(Live(market, market_id, strike))
        self.listed[market.slug] = market_id

    def trade(self) -> None:
        """Let every trader act once in every market that is open now."""
        self._look_at_feed()
        self.live = [one for one in self.live if one.market.end_s > self.now_s]
        for live in self.live:
            if live.market.start_s > self.now_s:
                continue
            live.book = None
            if live.reference is None:
                live.reference = self.price_at(live.market.start_s)
            for seat in self.seats:
                # Counted where it happened; the next step is another try.
                with suppress(ApiError):
                    self._act(live, seat)

    def _see(self, live: Live, seat: Seat) -> View:
        """What a trader knows of a market now.

        Orders that rest are hit while their owner is not looking, so a maker asks what it holds; a
        taker has seen all of its own trades, and looks at the book instead.
        """
        book = Book((), ())
        if seat.trader.rests:
            found = seat.api.positions(live.id)
            for position in ("YES", "NO"):
                lots = int(found.get(position, Decimal(0)) * LOTS_PER_SHARE)
                seat.held[live.id, position] = lots
        else:
            book = live.book or seat.api.book(live.id, depth=10)
            live.book = book
        return View(
            now_s=self.now_s,
            closes_s=live.market.end_s,
            reference=live.reference,
            ticks=tuple(self.ticks),
            bids=levels(book.bids),
            asks=levels(book.asks),
            yes_lots=seat.lots(live.id, "YES"),
            no_lots=seat.lots(live.id, "NO"),
        )

    def _act(self, live: Live, seat: Seat) -> None:
        if seat.trader.rests:
            seat.api.cancel_orders(live.id)
            live.book = None
        plan = seat.trader.agent.decide(self._see(live, seat))
        for number, order in enumerate(plan.orders):
            key = f"{self.seed}:{live.market.slug}:{self.now_s}:{number}"
            try:
                placed = seat.api.place_order(order_body(order, live.id) | {"clientOrderId": key})
            except OrderRefusedError:
                continue
            seat.note(live.id, order, placed.filled)
            if placed.fills:
                live.book = None
                if self.on_fill is not None:
                    self.on_fill(live, seat.trader, order, placed)

    def _sign_in(self) -> None:
        wallets = {"admin": self.admin, "creator": self.creator}
        wallets |= {seat.trader.name: seat.api for seat in self.seats}
        for name, api in wallets.items():
            api.sign_in(wallet(self.seed, name))
        self._signed_s = self.now_s

    def _look_into_failures(self) -> None:
        query: dict[str, str | int] = {"state": "ERROR", "fromDate": self.now_ms}
        found = self._qstash.get("/v2/events", params=query).raise_for_status().json()
        statuses = [one["responseStatus"] for one in found["events"]]
        busy = statuses.count(HTTPStatus.SERVICE_UNAVAILABLE)
        self.deliveries.busy += busy
        self.deliveries.failed += len(statuses) - busy

    def _proposal(self, market: ReplayMarket) -> dict[str, Any]:
        opens, closes = iso(market.start_s), iso(market.end_s)
        rule: dict[str, Any] = {
            "kind": "price_at",
            "symbol": self.symbol,
            "comparison": "gte",
            "reference": "price_at_open" if market.strike is None else "strike",
            "openAt": opens,
            "closeAt": closes,
            "toleranceS": TOLERANCE_S,
        }
        if market.strike is not None:
            rule["strike"] = format(market.strike, "f")
        return {
            "slug": market.slug,
            "question": market.question,
            "description": market.description or None,
            "category": "crypto",
            "opensAt": opens,
            "closesAt": closes,
            "disputeWindowS": DISPUTE_WINDOW_S,
            "resolutionRule": rule,
        }

    def _look_at_feed(self) -> None:
        """Fetch the ticks that have come since; prices reach the traders from nowhere else."""
        base, quote = self.symbol.split("/")
        pair = base + ("USDT" if quote == "USD" else quote)
        # An answer holds a thousand seconds: never ask from the far side of a longer gap.
        since_ms = self.now_ms - TICKS_KEPT_S * 1000
        if self.ticks:
            since_ms = max(since_ms, int(self.ticks[-1][0] * 1000))
        query: dict[str, str | int] = {
            "symbol": pair,
            "interval": "1s",
            "startTime": since_ms,
            "limit": 1000,
        }
        klines = self._feed.get("/api/v3/klines", params=query).raise_for_status().json()
        self.ticks += [((one[6] + 1) / 1000, float(one[4])) for one in klines if one[8]]
        self.ticks = [one for one in self.ticks if one[0] >= self.now_s - TICKS_KEPT_S]

    def price_at(self, moment_s: int) -> float | None:
        """The price at a moment, as far as it is known; only a tick after it makes it certain."""
        if not self.ticks or self.ticks[-1][0] <= moment_s:
            return None
        before = [one for one in self.ticks if one[0] <= moment_s]
        return before[-1][1] if before else None


def wallet(seed: str, name: str) -> Wallet:
    """The wallet of a role; the admin's address is needed before the stack starts."""
    return Wallet(f"presage:{seed}:{name}")


def order_body(order: Order, market_id: str) -> dict[str, Any]:
    """The order as JSON, decimals as strings."""
    body: dict[str, Any] = {
        "marketId": market_id,
        "position": order.position,
        "side": order.side,
        "type": order.type,
        "price": show(order.price_bps, BPS),
        "postOnly": order.post_only,
    }
    if order.amount_micros is not None:
        return body | {"amount": show(order.amount_micros, MICROS)}
    return body | {"size": show(order.size_lots or 0, LOTS_PER_SHARE)}


def levels(side: Sequence[tuple[Decimal, Decimal]]) -> tuple[Level, ...]:
    """One side of a book in the agents' units."""
    return tuple(Level(int(price * BPS), int(size * LOTS_PER_SHARE)) for price, size in side)


def iso(unix_s: int) -> str:
    """A moment as the API takes it."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat()
