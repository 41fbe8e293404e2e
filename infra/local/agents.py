"""Trading strategies for the replay and the demo: a maker, a momentum taker, a noise taker.

Each has a counterpart for exhaustive events of several outcomes, built on it.

Pure: what an agent sees goes in, what it does comes out; the same seed decides the same. Prices are
in 1/10,000 of a payout and sizes in 1/100 share. Outside prices and probabilities are floats: they
inform an order and are never money.
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

BPS = 10_000
MICROS = 1_000_000
TICK_BPS = 100
MIN_LOTS = 100
# Volatility of log-prices per root second: the assumption before ticks tell, and the least.
USUAL_SIGMA = 5e-5
LEAST_SIGMA = 1.5e-5
_RETURN_S = 5.0
_ENOUGH_S = 30.0
_STALE_S = 10.0
_LEAST_REMAINING_S = 0.5

type Side = Literal["BUY", "SELL"]
type Position = Literal["YES", "NO"]


@dataclass(frozen=True)
class Level:
    """A price and the size that rests there, in YES terms."""

    price_bps: int
    size_lots: int


@dataclass(frozen=True, kw_only=True)
class View:
    """What an agent sees of one market: times in unix seconds, ticks (time, price) oldest first.

    `reference` is what the price must reach for YES; None until it is known. `fair` is the
    probability of YES where something else than the ticks says it.
    """

    now_s: float
    closes_s: float
    reference: float | None
    ticks: Sequence[tuple[float, float]]
    bids: Sequence[Level] = ()
    asks: Sequence[Level] = ()
    yes_lots: int = 0
    no_lots: int = 0
    fair: float | None = None


@dataclass(frozen=True, kw_only=True)
class Order:
    """An order to place; `amount_micros` (money to spend) stands in for the size of a BUY."""

    side: Side
    position: Position
    type: Literal["GTC", "FOK", "FAK"]
    price_bps: int
    size_lots: int | None = None
    amount_micros: int | None = None
    post_only: bool = False


@dataclass(frozen=True)
class Plan:
    """What an agent does now; a maker's quotes take the place of those before."""

    orders: tuple[Order, ...] = ()


class Agent(Protocol):
    """A strategy."""

    def decide(self, view: View) -> Plan:
        """What to do now."""
        ...


def sigma(ticks: Sequence[tuple[float, float]]) -> float:
    """Volatility per root second from log-returns over five seconds and more."""
    squares = elapsed = 0.0
    last_s, last = ticks[0] if ticks else (0.0, 1.0)
    for moment_s, price in ticks[1:]:
        if moment_s - last_s >= _RETURN_S:
            squares += math.log(price / last) ** 2
            elapsed += moment_s - last_s
            last_s, last = moment_s, price
    if elapsed < _ENOUGH_S:
        return USUAL_SIGMA
    return max(math.sqrt(squares / elapsed), LEAST_SIGMA)


def probability(view: View) -> float:
    """P(price at the close >= reference) by a normal model of what may still happen."""
    if view.fair is not None:
        return view.fair
    if not view.ticks or view.reference is None:
        return 0.5
    left_s = max(view.closes_s - view.now_s, _LEAST_REMAINING_S)
    distance = math.log(view.ticks[-1][1] / view.reference)
    return 0.5 * math.erfc(-distance / (sigma(view.ticks) * math.sqrt(2 * left_s)))


def _dice(seed: str, view: View) -> random.Random:
    return random.Random(f"{seed}:{view.now_s}")  # noqa: S311 - reproducible, not secret


def _down(price_bps: float) -> int:
    return math.floor(price_bps / TICK_BPS) * TICK_BPS


def _buy_or_sell(
    position: Position, price_bps: int, size_lots: int, opposite_lots: int
) -> list[Order]:
    """Quote `position` at a price: sell what is held of the other side first, then buy.

    Selling NO at 1 - p is the same bid as buying YES at p, and frees money instead of binding it.
    """
    other: Position = "NO" if position == "YES" else "YES"
    sell = min(opposite_lots, size_lots)
    quotes: list[Order] = []
    if sell >= MIN_LOTS:
        quotes.append(
            Order(
                side="SELL",
                position=other,
                type="GTC",
                price_bps=BPS - price_bps,
                size_lots=sell,
                post_only=True,
            )
        )
    buy = size_lots - (sell if sell >= MIN_LOTS else 0)
    if buy >= MIN_LOTS:
        quotes.append(
            Order(
                side="BUY",
                position=position,
                type="GTC",
                price_bps=price_bps,
                size_lots=buy,
                post_only=True,
            )
        )
    return quotes


@dataclass(frozen=True, kw_only=True)
class Maker:
    """Quotes both sides around the fair value, leaning against its inventory.

    It sees no book: it knows what things are worth. A long maker quotes lower on both sides, so
    that it sells sooner and buys later; at the limit it does not add. With stale ticks it quotes
    three times as wide.
    """

    half_spread_bps: int = 150
    level_step_bps: int = 200
    levels_lots: tuple[int, ...] = (3_000, 6_000)
    inventory_limit_lots: int = 60_000
    full_skew_bps: int = 600

    def decide(self, view: View) -> Plan:
        """Replace all quotes."""
        net = view.yes_lots - view.no_lots
        lean = max(-1.0, min(1.0, net / self.inventory_limit_lots))
        middle = probability(view) * BPS - lean * self.full_skew_bps
        stale = not view.ticks or view.now_s - view.ticks[-1][0] > _STALE_S
        half = self.half_spread_bps * (3 if stale else 1)
        orders: list[Order] = []
        yes_left, no_left = view.yes_lots, view.no_lots
        for depth, size in enumerate(self.levels_lots):
            away = half + depth * self.level_step_bps
            bid = min(_down(middle - away), BPS - 2 * TICK_BPS)
            ask = max(BPS - _down(BPS - middle - away), 2 * TICK_BPS)
            if bid >= TICK_BPS and net < self.inventory_limit_lots:
                orders += _buy_or_sell("YES", bid, size, no_left)
                no_left = max(0, no_left - size)
            if ask <= BPS - TICK_BPS and -net < self.inventory_limit_lots:
                orders += _buy_or_sell("NO", BPS - ask, size, yes_left)
                yes_left = max(0, yes_left - size)
        return Plan(tuple(orders))


def _take(view: View, position: Position, lots: int, *, slack_bps: int = TICK_BPS) -> Order | None:
    """Buy a position at once, up to a little worse than the best price; None on an empty side."""
    if position == "YES":
        best = view.asks[0].price_bps if view.asks else None
    else:
        best = BPS - view.bids[0].price_bps if view.bids else None
    if best is None:
        return None
    worst = min(best + slack_bps, BPS - TICK_BPS)
    return Order(side="BUY", position=position, type="FAK", price_bps=worst, size_lots=lots)


def _leave(view: View, position: Position, lots: int, *, slack_bps: int = TICK_BPS) -> Order | None:
    """Sell what is held at once; None on an empty side."""
    if position == "YES":
        best = view.bids[0].price_bps if view.bids else None
    else:
        best = BPS - view.asks[0].price_bps if view.asks else None
    if best is None or lots < MIN_LOTS:
        return None
    worst = max(best - slack_bps, TICK_BPS)
    return Order(side="SELL", position=position, type="FAK", price_bps=worst, size_lots=lots)


@dataclass(frozen=True, kw_only=True)
class Momentum:
    """Follows a move of the outside price that is large for its time; leaves on the reverse."""

    seed: str
    window_s: float = 20.0
    threshold: float = 1.0
    most_lots: int = 2_000
    limit_lots: int = 20_000

    def decide(self, view: View) -> Plan:
        """Buy into a move, after selling what stands against it."""
        recent = [tick for tick in view.ticks if tick[0] >= view.now_s - self.window_s]
        if len(recent) < 2:  # noqa: PLR2004 - a move has two ends
            return Plan()
        (since_s, first), (until_s, last) = recent[0], recent[-1]
        usual = sigma(view.ticks) * math.sqrt(max(until_s - since_s, 1.0))
        score = math.log(last / first) / usual
        if abs(score) < self.threshold:
            return Plan()
        wanted: Position = "YES" if score > 0 else "NO"
        against: Position = "NO" if score > 0 else "YES"
        lots = {"YES": view.yes_lots, "NO": view.no_lots}
        orders = [_leave(view, against, min(lots[against], self.most_lots))]
        if lots[wanted] < self.limit_lots:
            size = _dice(self.seed, view).randrange(5, self.most_lots // MIN_LOTS + 1) * MIN_LOTS
            orders.append(_take(view, wanted, size))
        return Plan(tuple(order for order in orders if order is not None))


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Trades now and then for no reason: either side, FAK or FOK, by size or by money."""

    seed: str
    activity: float = 0.4
    most_lots: int = 2_000
    limit_lots: int = 10_000

    def decide(self, view: View) -> Plan:
        """Maybe one order."""
        dice = _dice(self.seed, view)
        if dice.random() >= self.activity:
            return Plan()
        position: Position = dice.choice(("YES", "NO"))
        held = view.yes_lots if position == "YES" else view.no_lots
        lots = dice.randrange(1, self.most_lots // MIN_LOTS + 1) * MIN_LOTS
        slack = dice.choice((0, TICK_BPS, 3 * TICK_BPS))
        if held >= MIN_LOTS and (held > self.limit_lots or dice.random() < 0.4):  # noqa: PLR2004 - a taste
            order = _leave(view, position, min(held, lots), slack_bps=slack)
        else:
            order = _take(view, position, lots, slack_bps=slack)
        return Plan((self._styled(order, dice),) if order else ())

    @staticmethod
    def _styled(order: Order, dice: random.Random) -> Order:
        """A third of the orders are FOK; a third of the buys name money instead of a size."""
        kind: Literal["FOK", "FAK"] = dice.choice(("FOK", "FAK", "FAK"))
        amount = None
        if order.side == "BUY" and dice.randrange(3) == 0:
            # What one share costs in the worst case and more, so that some lots always fit.
            amount = dice.randrange(2, 20) * MICROS
        return Order(
            side=order.side,
            position=order.position,
            type=kind,
            price_bps=order.price_bps,
            size_lots=None if amount else order.size_lots,
            amount_micros=amount,
        )


@dataclass(frozen=True)
class EventView:
    """What an agent sees of an exhaustive event: a view of each outcome, by label.

    `running` is the outcome whose window is open now.
    """

    outcomes: Mapping[str, View]
    running: str | None


@dataclass(frozen=True)
class Change:
    """Shares to make or unmake without a counterparty; no outcome means a YES of each."""

    kind: Literal["split", "merge", "convert"]
    size_lots: int
    outcome: str | None = None


@dataclass(frozen=True)
class EventPlan:
    """What an agent does now in an event: changes first, then orders by outcome, as a slip."""

    changes: tuple[Change, ...] = ()
    orders: tuple[tuple[str, Order], ...] = ()
    atomic: bool = False


class EventAgent(Protocol):
    """A strategy for events."""

    def decide(self, view: EventView) -> EventPlan:
        """What to do now."""
        ...


def changed(outcomes: Mapping[str, View], change: Change) -> dict[str, View]:
    """The outcomes with the shares that are held after a change."""
    lots = -change.size_lots if change.kind == "merge" else change.size_lots
    after = {}
    for label, view in outcomes.items():
        named = label == change.outcome
        if change.kind == "convert":
            yes, no = (0, -lots) if named else (lots, 0)
        else:
            yes = lots if named or change.outcome is None else 0
            no = lots if named else 0
        after[label] = replace(view, yes_lots=view.yes_lots + yes, no_lots=view.no_lots + no)
    return after


def _sets(outcomes: Mapping[str, View]) -> int:
    """How many complete sets are held, in lots."""
    return min(view.yes_lots for view in outcomes.values())


@dataclass(frozen=True, kw_only=True)
class SetMaker:
    """Quotes every outcome from a stock of complete sets.

    What it holds of NO it turns into YES of the others, which it can sell; pairs and sets beyond
    its stock it gives back.
    """

    maker: Maker = field(default_factory=lambda: Maker(levels_lots=(1_500,)))
    stock_lots: int = 1_000

    def decide(self, view: EventView) -> EventPlan:
        """Put the shares in order, then replace all quotes."""
        changes: list[Change] = []
        outcomes = dict(view.outcomes)
        for label in view.outcomes:
            yes_lots, no_lots = outcomes[label].yes_lots, outcomes[label].no_lots
            pairs = min(yes_lots, no_lots)
            for change in (
                Change("merge", pairs, label),
                Change("convert", no_lots - pairs, label),
            ):
                if change.size_lots >= MIN_LOTS:
                    changes.append(change)
                    outcomes = changed(outcomes, change)
        missing = self.stock_lots - _sets(outcomes)
        if not -self.stock_lots <= missing <= self.stock_lots // 2:
            restocked = Change("split" if missing > 0 else "merge", abs(missing))
            changes.append(restocked)
            outcomes = changed(outcomes, restocked)
        orders = [
            (label, order)
            for label, one in outcomes.items()
            for order in self.maker.decide(one).orders
        ]
        return EventPlan(tuple(changes), tuple(orders))


@dataclass(frozen=True, kw_only=True)
class Follower:
    """Follows moves of the outside price in the outcome whose window is open now."""

    momentum: Momentum

    def decide(self, view: EventView) -> EventPlan:
        """What momentum says of one outcome, as a slip."""
        if view.running is None:
            return EventPlan()
        orders = self.momentum.decide(view.outcomes[view.running]).orders
        return EventPlan(orders=tuple((view.running, order) for order in orders))


@dataclass(frozen=True, kw_only=True)
class Punter:
    """Bets on a few outcomes at once for no reason; now and then makes or unmakes shares."""

    seed: str
    activity: float = 0.4
    set_lots: int = 500

    def decide(self, view: EventView) -> EventPlan:
        """Maybe one change and one slip."""
        labels = sorted(view.outcomes)
        dice = _dice(self.seed, view.outcomes[labels[0]])
        if dice.random() >= self.activity:
            return EventPlan()
        change = self._change(view.outcomes, dice)
        outcomes = changed(view.outcomes, change) if change else view.outcomes
        chosen = dice.sample(labels, min(dice.randrange(1, 4), len(labels)))
        orders = tuple(
            (label, order)
            for label in chosen
            for order in Noise(seed=f"{self.seed}:{label}", activity=1)
            .decide(outcomes[label])
            .orders
        )
        return EventPlan((change,) if change else (), orders, atomic=dice.randrange(3) == 0)

    def _change(self, outcomes: Mapping[str, View], dice: random.Random) -> Change | None:
        """One of the changes that the shares allow, or a new set; half of the time nothing."""
        if dice.randrange(2):
            return None
        possible = [Change("split", self.set_lots), Change("merge", _sets(outcomes))]
        for label, view in sorted(outcomes.items()):
            possible.append(Change("convert", view.no_lots, label))
            possible.append(Change("merge", min(view.yes_lots, view.no_lots), label))
        return dice.choice([one for one in possible if one.size_lots >= MIN_LOTS])
