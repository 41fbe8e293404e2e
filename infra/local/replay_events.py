"""Consecutive markets of a replay as one exhaustive event: which window is the first to go up?

An event has an outcome for each window and OTHER for none of them. It is traded as markets are, by
bet slips, complete sets, conversions and merges, and an admin resolves it from what workflows have
proposed for its windows; its own resolution is finalized and settled by workflows again.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import batched

from infra.local import operations
from infra.local.agents import EventPlan, EventView, View, probability
from infra.local.client import ApiError, Book
from infra.local.replay_data import ReplayMarket
from infra.local.replay_driver import (
    DISPUTE_WINDOW_S,
    FEE_BPS,
    LEAD_S,
    MAKER_REBATE_BPS,
    Driver,
    Seat,
    iso,
    levels,
    order_body,
)
from presage.money import BPS, LOTS_PER_SHARE, show

QUESTION = "Which of these windows is the first to close at or above its opening price?"
OTHER, VOID = "OTHER", "VOID"
LEAST_GROUP, MOST_GROUP = 2, 49  # a market has at most fifty outcomes, one of them OTHER
ACT_EVERY_S = 40
DECIDE_EVERY_S = 60
SLIP_ORDERS = 20


@dataclass
class Window:
    """One market of an event; both prices are None until the feed has told them."""

    market: ReplayMarket
    label: str
    reference: float | None = None
    close: float | None = None

    def chance(self, now_s: int, ticks: Sequence[tuple[float, float]]) -> float:
        """P(it closes at or above its reference); a half where nothing is known."""
        if self.reference is None or now_s < self.market.start_s:
            return 0.5
        if now_s >= self.market.end_s and self.close is not None:
            return float(self.close >= self.reference)
        return probability(
            View(
                now_s=now_s,
                closes_s=self.market.end_s,
                reference=self.reference,
                ticks=ticks,
            )
        )


@dataclass
class Event:
    """Windows by start. `id` is empty until the platform has listed it."""

    slug: str
    windows: tuple[Window, ...]
    id: str = ""
    is_decided: bool = False
    acted_s: int = 0

    @property
    def start_s(self) -> int:
        """When it opens."""
        return self.windows[0].market.start_s

    @property
    def end_s(self) -> int:
        """When it closes."""
        return max(window.market.end_s for window in self.windows)

    @property
    def labels(self) -> list[str]:
        """Its outcomes, in the order of their numbers."""
        return [*(window.label for window in self.windows), OTHER]

    def odds(self, now_s: int, ticks: Sequence[tuple[float, float]]) -> dict[str, float]:
        """What each outcome is worth: windows are taken as independent of each other."""
        left = 1.0
        fair = {}
        for window in self.windows:
            chance = window.chance(now_s, ticks)
            fair[window.label] = left * chance
            left *= 1 - chance
        return fair | {OTHER: left}


def group_events(markets: Sequence[ReplayMarket], size: int) -> list[Event]:
    """An event of every `size` consecutive markets; a rest that is too short makes none."""
    return [
        Event(f"first-up-{number}-{group[0].start_s}", _windows(group))
        for number, group in enumerate(batched(markets, size, strict=False), 1)
        if len(group) == size
    ]


def _windows(markets: Sequence[ReplayMarket]) -> tuple[Window, ...]:
    """Windows by start; where some start together, their place tells them apart."""
    starts = Counter(market.start_s for market in markets)
    return tuple(
        Window(
            market,
            _start(market) if starts[market.start_s] == 1 else f"{_start(market)}, no. {place}",
            None if market.strike is None else float(market.strike),
        )
        for place, market in enumerate(markets, 1)
    )


def _start(market: ReplayMarket) -> str:
    return f"{datetime.fromtimestamp(market.start_s, UTC):%Y-%m-%d %H:%M:%S} UTC"


@dataclass
class Events:
    """All events of a replay; call `step` after each of the driver's."""

    driver: Driver
    all: list[Event]
    _decided_s: int = 0
    _waiting: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._waiting = list(self.all)

    def step(self) -> None:
        """List what begins soon, trade what is open, resolve what is over."""
        now_s = self.driver.now_s
        while self._waiting and self._waiting[0].start_s <= now_s + LEAD_S:
            # Counted where it happened; an event that is not listed is never settled.
            with suppress(ApiError):
                self._list(self._waiting.pop(0))
        for event in self.all:
            if event.id and event.start_s <= now_s < event.end_s:
                self._look_at_prices(event)
                if now_s - event.acted_s >= ACT_EVERY_S:
                    event.acted_s = now_s
                    self._trade(event)
        self.resolve()

    def resolve(self) -> None:
        """Propose the outcome of each closed event whose windows have told it, once a minute."""
        driver = self.driver
        if driver.now_s - self._decided_s < DECIDE_EVERY_S:
            return
        self._decided_s = driver.now_s
        over = [
            one
            for one in self.all
            if one.id and not one.is_decided and one.end_s + DECIDE_EVERY_S <= driver.now_s
        ]
        if not over:
            return
        escalated = operations.escalated(driver.stack.database_urls["owner"])
        for event in over:
            with suppress(ApiError):
                self._resolve(event, escalated)

    def _resolve(self, event: Event, escalated: frozenset[str]) -> None:
        seen: dict[str, str | None] = {}
        outcome: str | None = OTHER
        for window in event.windows:
            proposed = self._proposed(window.market.slug, escalated)
            seen[window.market.slug] = proposed
            if proposed != "NO":
                outcome = window.label if proposed == "YES" else proposed
                break
        if outcome is None:
            return
        note = ", ".join(f"{slug}: {proposed}" for slug, proposed in seen.items())
        self.driver.admin.resolve_market(event.id, outcome, note)
        event.is_decided = True

    def _proposed(self, slug: str, escalated: frozenset[str]) -> str | None:
        """What the platform says of a window; VOID when it will not say, None when not yet."""
        market_id = self.driver.listed.get(slug)
        if market_id is None:
            return VOID
        found: str | None = self.driver.admin.market(market_id)["proposedOutcome"]
        return VOID if found is None and market_id in escalated else found

    def _list(self, event: Event) -> None:
        admin = self.driver.admin
        market_id = admin.propose_market(
            {
                "slug": event.slug,
                "question": QUESTION,
                "description": "; ".join(one.market.question for one in event.windows)[:20_000],
                "category": "crypto",
                "opensAt": iso(event.start_s),
                "closesAt": iso(event.end_s),
                "disputeWindowS": DISPUTE_WINDOW_S,
            }
        )
        # Before anything has happened each window is a coin, at least one step of the grid.
        odds = event.odds(self.driver.now_s, ())
        admin.create_outcomes(
            market_id,
            {label: show(max(int(chance * BPS), 1), BPS) for label, chance in odds.items()},
        )
        admin.approve_market(market_id, FEE_BPS, MAKER_REBATE_BPS)
        admin.activate_market(market_id)
        event.id = market_id

    def _look_at_prices(self, event: Event) -> None:
        for window in event.windows:
            if window.reference is None:
                window.reference = self.driver.price_at(window.market.start_s)
            if window.close is None:
                window.close = self.driver.price_at(window.market.end_s)

    def _trade(self, event: Event) -> None:
        """Let every trader act once: those who rest first, then the others on the same books."""
        resting = [seat for seat in self.driver.seats if seat.trader.rests]
        taking = [seat for seat in self.driver.seats if not seat.trader.rests]
        for seat in resting:
            with suppress(ApiError):
                seat.api.cancel_orders(event.id)
                self._act(event, seat, {})
        with suppress(ApiError):
            books = {label: self.driver.admin.book(event.id, 10, label) for label in event.labels}
            for seat in taking:
                with suppress(ApiError):
                    self._act(event, seat, books)

    def _act(self, event: Event, seat: Seat, books: dict[str, Book]) -> None:
        agent = seat.trader.event_agent
        if agent is None:
            return
        plan = agent.decide(self._see(event, seat, books))
        key = f"{event.id}:{self.driver.now_s}"
        for number, change in enumerate(plan.changes):
            size = show(change.size_lots, LOTS_PER_SHARE)
            seat.api.change_shares(
                change.kind, event.id, change.outcome, size, f"{key}:change:{number}"
            )
        self._place(event, seat, plan, key)

    @staticmethod
    def _place(event: Event, seat: Seat, plan: EventPlan, key: str) -> None:
        bodies = [order_body(order, event.id) | {"outcome": label} for label, order in plan.orders]
        mode = "atomic" if plan.atomic else "independent"
        for number, slip in enumerate(batched(bodies, SLIP_ORDERS, strict=False)):
            seat.api.place_slip(slip, mode, f"{key}:slip:{number}")

    def _see(self, event: Event, seat: Seat, books: dict[str, Book]) -> EventView:
        driver = self.driver
        held = {
            key: int(shares * LOTS_PER_SHARE) for key, shares in seat.api.holdings(event.id).items()
        }
        odds = event.odds(driver.now_s, driver.ticks)
        base = View(
            now_s=driver.now_s,
            closes_s=event.end_s,
            reference=None,
            ticks=tuple(driver.ticks),
        )
        outcomes = {}
        for number, label in enumerate(event.labels):
            book = books.get(label, Book((), ()))
            outcomes[label] = replace(
                base,
                fair=odds[label],
                bids=levels(book.bids),
                asks=levels(book.asks),
                yes_lots=held.get((number, "YES"), 0),
                no_lots=held.get((number, "NO"), 0),
            )
        running = [
            one.label
            for one in event.windows
            if one.market.start_s <= driver.now_s < one.market.end_s
        ]
        return EventView(outcomes, running[0] if running else None)
