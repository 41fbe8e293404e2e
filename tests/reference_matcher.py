"""The exchange's rules of one binary market in plain Python, as a second opinion on the SQL.

Written from the specification for clarity, not speed: no database, no locks. Prices are bps, sizes
lots, money micros. Average cost is kept only as (cost - realised), which no rounding touches.
"""

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Literal

type Position = Literal["YES", "NO"]
type Side = Literal["BUY", "SELL"]

POSITIONS: tuple[Position, Position] = ("YES", "NO")
PAYOUT_BPS = 10_000
FEE_SCALE = 100_000_000


class RejectedError(Exception):
    """The order is refused: SQLSTATE and, for PR400, the field."""

    def __init__(self, code: str, column: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.column = column


@dataclass
class Order:
    """What its owner gave, and what became of it."""

    key: int
    user: int
    position: Position
    side: Side
    type: str
    price_bps: int
    size_lots: int | None
    amount_micros: int | None = None
    post_only: bool = False
    stp: str = "cancel_taker"
    status: str = ""
    filled_lots: int = 0
    remaining_lots: int = 0

    @property
    def is_bid(self) -> bool:
        """Whether it wants YES (or wants rid of NO)."""
        return (self.side == "BUY") == (self.position == "YES")

    @property
    def book_price_bps(self) -> int:
        """Its limit in YES terms."""
        return self.price_bps if self.position == "YES" else PAYOUT_BPS - self.price_bps

    def own_bps(self, book_price_bps: int) -> int:
        """A YES price in the order's own position."""
        return book_price_bps if self.position == "YES" else PAYOUT_BPS - book_price_bps


@dataclass(frozen=True)
class Fill:
    """One trade at the maker's price in YES terms."""

    maker: int
    price_bps: int
    lots: int
    kind: str
    rebate_micros: int = 0


@dataclass(frozen=True)
class Placed:
    """What the taker is answered."""

    status: str
    size_lots: int
    filled_lots: int
    remaining_lots: int
    cost_micros: int
    fee_micros: int
    fills: tuple[Fill, ...]


@dataclass
class Batch:
    """What a batch may use: the owner's cash and free shares before it, less what it used."""

    cash: int
    shares: dict[Position, int]
    keys: set[int] = field(default_factory=set)
    atomic: bool = False


@dataclass
class Sweep:
    """A walk over the book that has written nothing yet."""

    fills: list[Fill] = field(default_factory=list)
    dropped: list[Order] = field(default_factory=list)
    left: int = 0
    stopped: bool = False


def _weight(lots: int, price_bps: int) -> int:
    return lots * price_bps * (PAYOUT_BPS - price_bps)


def _ceil_div(a: int, b: int) -> int:
    return -(-a // b)


class ReferenceMarket:
    """One binary market with its users' cash and shares."""

    def __init__(self, cash: dict[int, int], fee_bps: int, rebate_bps: int) -> None:
        self.cash = dict(cash)
        self.fee_bps = fee_bps
        self.rebate_bps = rebate_bps
        self.tick_bps = 100
        self.min_lots = 100
        self.held: dict[tuple[int, Position], int] = {}
        self.spent: dict[tuple[int, Position], int] = {}  # cost - realised
        self.orders: dict[int, Order] = {}
        self.escrow = self.orders_escrow = self.fees = 0

    def locked(self, user: int, position: Position) -> int:
        """Shares that the user's open sells hold."""
        return sum(
            order.remaining_lots
            for order in self.orders.values()
            if (order.user, order.position, order.side) == (user, position, "SELL")
        )

    def place_batch(self, orders: list[Order], *, atomic: bool) -> list[Placed | RejectedError]:
        """Match orders of one user in sequence; an atomic batch is undone when one is refused."""
        before = deepcopy(self.__dict__)
        user = orders[0].user
        free = {side: self._free(user, side) for side in POSITIONS}
        batch = Batch(self.cash[user], free, atomic=atomic)
        answers: list[Placed | RejectedError] = []
        for order in orders:
            try:
                placed = self.place(order, batch)
            except RejectedError as error:
                answers.append(error)
                continue
            answers.append(placed)
            batch.keys.add(order.key)
            if order.side == "BUY":
                held = order.remaining_lots * order.price_bps
                batch.cash -= placed.cost_micros + placed.fee_micros + held
            else:
                batch.shares[order.position] -= order.filled_lots + order.remaining_lots
        if atomic and any(isinstance(answer, RejectedError) for answer in answers):
            self.__dict__.update(before)
            return [
                answer if isinstance(answer, RejectedError) else RejectedError("PR422")
                for answer in answers
            ]
        return answers

    def place(self, order: Order, batch: Batch | None = None) -> Placed:
        """Match an order; raises RejectedError, and then nothing has changed."""
        self._check(order)
        sweep = self._sweep(order, batch.keys if batch else set())
        self._judge_rest(order, sweep)
        if batch and batch.atomic and sweep.stopped:
            raise RejectedError("PR422", "self_trade_prevention")
        cost = sum(fill.lots * order.own_bps(fill.price_bps) for fill in sweep.fills)
        weight = sum(_weight(fill.lots, fill.price_bps) for fill in sweep.fills)
        fee = _ceil_div(weight * self.fee_bps, FEE_SCALE)
        if batch is None:
            batch = Batch(
                self.cash[order.user],
                {order.position: self._free(order.user, order.position)},
            )
        self._check_funds(order, batch, taking=bool(sweep.fills))
        fills = tuple(self._with_rebate(fill, fee, weight) for fill in sweep.fills)
        for dropped in sweep.dropped:
            self._release(dropped)
        for fill in fills:
            self._trade(order, fill)
        self.cash[order.user] -= fee
        self.fees += fee
        self._spend(order.user, order.position, fee)
        self.orders[order.key] = order
        if order.side == "BUY":
            self._hold(order.user, order.remaining_lots * order.price_bps)
        return Placed(
            order.status,
            order.filled_lots if order.size_lots is None else order.size_lots,
            order.filled_lots,
            order.remaining_lots,
            cost,
            fee,
            fills,
        )

    def cancel(self, key: int) -> int:
        """Release an open order and return its lots; raises RejectedError when it is final."""
        order = self.orders[key]
        if order.remaining_lots == 0:
            raise RejectedError("PR410")
        return self._release(order)

    def amend(self, key: int, size_lots: int) -> int:
        """Lower an open order's size and return the lots that leave the book."""
        order = self.orders[key]
        if order.remaining_lots == 0:
            raise RejectedError("PR410")
        size = order.filled_lots + order.remaining_lots
        if not max(order.filled_lots, self.min_lots) <= size_lots <= size:
            raise RejectedError("PR400", "size")
        cut = size - size_lots
        order.remaining_lots -= cut
        if order.remaining_lots == 0:
            order.status = "filled"
        if order.side == "BUY":
            self._hold(order.user, -cut * order.price_bps)
        return cut

    def _unit(self, price_bps: int) -> int:
        return price_bps * FEE_SCALE + _weight(1, price_bps) * self.fee_bps

    def _check(self, order: Order) -> None:
        if order.post_only and order.type != "GTC":
            raise RejectedError("PR400", "post_only")
        if not 1 <= order.price_bps < PAYOUT_BPS or order.price_bps % self.tick_bps:
            raise RejectedError("PR400", "price")
        if order.amount_micros is None:
            if order.size_lots is None or order.size_lots < self.min_lots:
                raise RejectedError("PR400", "size")
            return
        if order.side != "BUY" or order.type == "GTC":
            raise RejectedError("PR400", "amount")
        if order.amount_micros * FEE_SCALE < self.min_lots * self._unit(order.price_bps):
            raise RejectedError("PR400", "amount")

    def _book(self, order: Order) -> list[Order]:
        def crosses(maker: Order) -> bool:
            if order.is_bid:
                return maker.book_price_bps <= order.book_price_bps
            return maker.book_price_bps >= order.book_price_bps

        sign = 1 if order.is_bid else -1
        makers = [
            maker
            for maker in self.orders.values()
            if maker.remaining_lots and maker.is_bid != order.is_bid and crosses(maker)
        ]
        return sorted(makers, key=lambda maker: (sign * maker.book_price_bps, maker.key))

    def _sweep(  # noqa: C901 - the rules of the walk in the order they apply
        self, order: Order, ahead: set[int]
    ) -> Sweep:
        sweep = Sweep(left=order.size_lots or 0)
        budget = (order.amount_micros or 0) * FEE_SCALE
        by_amount = order.amount_micros is not None
        for maker in self._book(order):
            if order.post_only:
                raise RejectedError("PR422")
            if not by_amount and sweep.left == 0:
                break
            if maker.key in ahead and order.stp != "cancel_taker":
                raise RejectedError("PR422", "self_trade_prevention")
            if maker.user == order.user:
                if order.stp != "cancel_taker":
                    sweep.dropped.append(maker)
                if order.stp != "cancel_maker":
                    sweep.stopped = True
                    break
                continue
            unit = self._unit(order.own_bps(maker.book_price_bps))
            lots = min(maker.remaining_lots, budget // unit if by_amount else sweep.left)
            if lots == 0:
                break
            budget -= lots * unit
            sweep.left -= lots
            kind = "TRANSFER"
            if maker.side == order.side:
                kind = "MINT" if order.side == "BUY" else "MERGE"
            sweep.fills.append(Fill(maker.key, maker.book_price_bps, lots, kind))
        if by_amount:
            sweep.left = budget // self._unit(order.price_bps)
        return sweep

    def _judge_rest(self, order: Order, sweep: Sweep) -> None:
        order.filled_lots = sum(fill.lots for fill in sweep.fills)
        order.remaining_lots = 0
        if sweep.left == 0:
            order.status = "filled"
        elif order.type == "FOK":
            raise RejectedError("PR422")
        elif sweep.stopped or order.type == "FAK":
            order.status = "cancelled"
        else:
            order.remaining_lots = sweep.left
            order.status = "partial" if sweep.fills else "open"

    def _free(self, user: int, position: Position) -> int:
        return self.held.get((user, position), 0) - self.locked(user, position)

    def _check_funds(self, order: Order, batch: Batch, *, taking: bool) -> None:
        if order.side == "SELL":
            if batch.shares[order.position] < (order.size_lots or 0):
                raise RejectedError("PR402")
            return
        need = order.amount_micros
        if need is None:
            lots = order.size_lots or 0
            need = lots * order.price_bps
            if taking:
                need += _ceil_div(_weight(lots, order.price_bps) * self.fee_bps, FEE_SCALE)
        if batch.cash < need:
            raise RejectedError("PR402")

    def _with_rebate(self, fill: Fill, fee: int, weight: int) -> Fill:
        share = fee * self.rebate_bps * _weight(fill.lots, fill.price_bps)
        rebate = share // (weight * PAYOUT_BPS)
        return Fill(fill.maker, fill.price_bps, fill.lots, fill.kind, rebate)

    def _hold(self, user: int, micros: int) -> None:
        self.cash[user] -= micros
        self.orders_escrow += micros

    def _release(self, order: Order) -> int:
        lots, order.remaining_lots = order.remaining_lots, 0
        order.status = "cancelled"
        if order.side == "BUY":
            self._hold(order.user, -lots * order.price_bps)
        return lots

    def _spend(self, user: int, position: Position, micros: int) -> None:
        key = (user, position)
        self.spent[key] = self.spent.get(key, 0) + micros

    def _trade(self, taker: Order, fill: Fill) -> None:
        maker = self.orders[fill.maker]
        maker.remaining_lots -= fill.lots
        maker.filled_lots += fill.lots
        maker.status = "partial" if maker.remaining_lots else "filled"
        for order in (taker, maker):
            micros = fill.lots * order.own_bps(fill.price_bps)
            key = (order.user, order.position)
            sign = 1 if order.side == "BUY" else -1
            self.held[key] = self.held.get(key, 0) + sign * fill.lots
            self._spend(order.user, order.position, sign * micros)
            if order is maker and order.side == "BUY":
                self.orders_escrow -= micros  # a resting buy has paid already
            else:
                self.cash[order.user] -= sign * micros
        self.escrow += {"MINT": 1, "MERGE": -1, "TRANSFER": 0}[fill.kind] * fill.lots * PAYOUT_BPS
        self.cash[maker.user] += fill.rebate_micros
        self.fees -= fill.rebate_micros
        self._spend(maker.user, maker.position, -fill.rebate_micros)
