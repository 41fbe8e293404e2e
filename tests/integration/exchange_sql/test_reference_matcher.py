"""The plpgsql matcher and the Python one agree, fill by fill, on whatever hypothesis invents."""

from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.integration.exchange_sql.exchange import Exchange, Refusal, refusal
from tests.reference_matcher import Fill, Order, Placed, Position, ReferenceMarket, RejectedError

type Step = dict[str, Any] | int | tuple[int, int] | tuple[bool, list[dict[str, Any]]]

USERS = 4
CASH = 90_000_000  # 90.00: small enough that funds run out in some histories


def opening_position(user: int) -> Position:
    """What a user holds from the start: half of them YES, half NO."""
    return "NO" if user % 2 else "YES"


def _order(fields: dict[str, Any]) -> dict[str, Any]:
    """Make most drawn orders valid ones: what is refused has tests of its own."""
    fields = dict(fields)
    if not fields.pop("as_drawn"):
        fields["price_bps"] -= fields["price_bps"] % 100
        fields["size_lots"] = max(fields["size_lots"], 100)
        if fields["type"] != "GTC":  # reach deep into the book
            fields["post_only"] = False
            fields["size_lots"] *= 3
        if fields["side"] == "SELL" or fields["type"] == "GTC":
            fields["amount_micros"] = None
        if fields["side"] == "SELL":
            fields["position"] = opening_position(fields["user"])
    if fields["amount_micros"] is not None:
        fields["size_lots"] = None
    return fields


orders = st.fixed_dictionaries(
    {
        "user": st.integers(0, USERS - 1),
        "position": st.sampled_from(["YES", "NO"]),
        "side": st.sampled_from(["BUY", "SELL"]),
        "type": st.sampled_from(["GTC"] * 6 + ["FOK", "FAK", "FAK"]),
        "price_bps": st.sampled_from([4000, 4500, 4800, 5000, 5000, 5200, 5500, 6000, 5050]),
        "size_lots": st.sampled_from([100, 100, 130, 150, 250, 400, 700, 99]),
        "amount_micros": st.sampled_from([None, 700_000, 2_345_678, 4_000_001]),
        "post_only": st.sampled_from([False] * 9 + [True]),
        "stp": st.sampled_from(["cancel_taker", "cancel_maker", "cancel_maker", "cancel_both"]),
        "as_drawn": st.sampled_from([False] * 9 + [True]),
    }
).map(_order)
amends = st.tuples(st.integers(0, 30), st.sampled_from([99, 100, 120, 200, 300]))
batches = st.tuples(st.booleans(), st.lists(orders, min_size=2, max_size=6))
steps = st.integers(0, 9).flatmap(
    lambda die: [st.integers(0, 30), amends, batches, orders][min(die, 3)]
)
histories = st.lists(steps, min_size=15, max_size=40)
schedules = st.sampled_from([(0, 0), (200, 2500), (333, 7777), (10_000, 10_000)])


class Answer(NamedTuple):
    """What is compared of an order, placed alone or in a batch."""

    order_id: UUID | str
    status: str
    size_lots: int
    filled_lots: int
    remaining_lots: int
    cost_micros: int
    fee_micros: int
    fills: list[dict[str, Any]]


def _slip_order(order: Order, market: UUID) -> dict[str, Any]:
    return {
        "market_id": str(market),
        "outcome": 0,
        "position": order.position,
        "side": order.side,
        "type": order.type,
        "price_bps": order.price_bps,
        "size_lots": order.size_lots,
        "amount_micros": order.amount_micros,
        "post_only": order.post_only,
        "self_trade_prevention": order.stp,
    }


class Both:
    """One market in both worlds."""

    def __init__(self, exchange: Exchange, fee_bps: int, rebate_bps: int) -> None:
        self.exchange = exchange
        self.users = [exchange.user(CASH) for _ in range(USERS)]
        self.market = exchange.market(fee_bps=fee_bps, maker_rebate_bps=rebate_bps)
        self.model = ReferenceMarket(dict.fromkeys(range(USERS), CASH), fee_bps, rebate_bps)
        self.ids: dict[int, UUID] = {}
        self.tried = 0

    def place(self, fields: dict[str, Any]) -> None:
        """Place the same order on both sides and compare the answers."""
        self.tried += 1
        order = Order(key=self.tried, **fields)
        expected = _answer(lambda: self.model.place(order))
        actual = _answer(lambda: self._place_sql(order))
        if isinstance(expected, Placed) and isinstance(actual, Placed):
            assert [fill.maker for fill in expected.fills] == [fill.maker for fill in actual.fills]
        assert expected == actual

    def _place_sql(self, order: Order) -> Placed:
        row = self.exchange.place(
            self.users[order.user],
            self.market,
            position=order.position,
            side=order.side,
            type=order.type,
            price=order.price_bps,
            size=order.size_lots,
            amount=order.amount_micros,
            post_only=order.post_only,
            stp=order.stp,
        )
        return self._told(order, Answer(*(getattr(row, name) for name in Answer._fields)))

    def place_batch(self, drawn: list[dict[str, Any]], *, atomic: bool) -> None:
        """The same bet slip on both sides."""
        batch = []
        for fields in drawn:
            self.tried += 1
            batch.append(Order(key=self.tried, **(fields | {"user": drawn[0]["user"]})))
        expected = [
            Refusal(answer.code, answer.column) if isinstance(answer, RejectedError) else answer
            for answer in self.model.place_batch(batch, atomic=atomic)
        ]
        slip = self.exchange.place_batch(
            self.users[batch[0].user],
            [_slip_order(order, self.market) for order in batch],
            mode="atomic" if atomic else "independent",
        )
        refused = [isinstance(answer, Refusal) for answer in expected]
        status = "failed" if all(refused) else "partial" if any(refused) else "completed"
        assert slip.status == status
        for order, told in zip(batch, slip.orders, strict=True):
            if told["status"] != "rejected":
                self.ids[order.key] = UUID(told["order_id"])
        actual = [
            Refusal(told["code"], told["field"])
            if told["status"] == "rejected"
            else self._told(order, Answer(**{name: told[name] for name in Answer._fields}))
            for order, told in zip(batch, slip.orders, strict=True)
        ]
        assert expected == actual

    def _told(self, order: Order, placed: Answer) -> Placed:
        self.ids[order.key] = UUID(str(placed.order_id))
        keys = {order_id: key for key, order_id in self.ids.items()}
        fills = self.exchange.rows(
            "select * from fills where taker_order_id = %s order by id", placed.order_id
        )
        own_prices = [order.own_bps(fill["price_bps"]) for fill in fills]
        assert own_prices == [fill["price_bps"] for fill in placed.fills]
        return Placed(
            placed.status,
            placed.size_lots,
            placed.filled_lots,
            placed.remaining_lots,
            placed.cost_micros,
            placed.fee_micros,
            tuple(
                Fill(
                    keys[fill["maker_order_id"]],
                    fill["price_bps"],
                    fill["size_lots"],
                    fill["kind"],
                    fill["rebate_micros"],
                )
                for fill in fills
            ),
        )

    def cancel(self, number: int) -> None:
        """Cancel one of the orders placed so far on both sides."""
        if not self.ids:
            return
        key = sorted(self.ids)[number % len(self.ids)]
        user = self.users[self.model.orders[key].user]
        expected = _answer(lambda: self.model.cancel(key))
        actual = _answer(lambda: self.exchange.cancel(user, self.ids[key])[3])
        assert expected == actual

    def amend(self, number: int, size_lots: int) -> None:
        """Lower the size of one of the orders placed so far on both sides."""
        if not self.ids:
            return
        key = sorted(self.ids)[number % len(self.ids)]
        user = self.users[self.model.orders[key].user]
        expected = _answer(lambda: self.model.amend(key, size_lots))
        actual = _answer(lambda: self.exchange.amend(user, self.ids[key], size_lots)[5])
        assert expected == actual

    def compare(self) -> None:
        """Balances, positions, statuses and the market's accounts are equal."""
        model, exchange = self.model, self.exchange
        assert list(model.cash.values()) == [exchange.cash(user) for user in self.users]
        assert (model.escrow, model.orders_escrow, model.fees) == (
            exchange.account(self.market, "market:escrow"),
            exchange.account(self.market, "market:orders"),
            exchange.account(self.market, "market:fees"),
        )
        number = {user: index for index, user in enumerate(self.users)}
        rows = exchange.rows("select * from positions where market_id = %s", self.market)
        assert {
            key: (lots, model.locked(*key), model.spent[key]) for key, lots in model.held.items()
        } == {
            (number[row["user_id"]], row["position"]): (
                row["held_lots"],
                row["locked_lots"],
                row["cost_micros"] - row["realised_micros"],
            )
            for row in rows
        }
        rows = exchange.rows("select * from orders where market_id = %s", self.market)
        assert {
            self.ids[key]: (order.status, order.filled_lots, order.remaining_lots)
            for key, order in model.orders.items()
        } == {row["id"]: (row["status"], row["filled_lots"], row["remaining_lots"]) for row in rows}
        holders = {user for user, _position in model.held}
        assert len(holders) == exchange.one(
            "select unique_traders from market_counters where market_id = %s", self.market
        )

    def play(self, history: list[Step]) -> None:
        """An opening, then the steps; in the end both worlds are equal."""
        for user in range(USERS):  # shares to sell from the first step, and a ladder to sweep
            own = {"user": user, "position": opening_position(user)}
            self.place(OPENING | own)
            for price_bps in (5200, 5500):
                self.place(
                    OPENING | own | {"side": "SELL", "price_bps": price_bps, "size_lots": 100}
                )
        for step in history:
            if isinstance(step, int):
                self.cancel(step)
            elif isinstance(step, dict):
                self.place(step)
            elif isinstance(step[1], list):
                self.place_batch(step[1], atomic=bool(step[0]))
            else:
                self.amend(step[0], step[1])
        self.compare()

    def close(self) -> None:
        """Give the connections back."""
        for user in self.users:
            self.exchange.people.pop(user).close()


def _answer[T](call: Callable[[], T]) -> T | Refusal:
    try:
        return call()
    except RejectedError as error:
        return Refusal(error.code, error.column)
    except psycopg.Error as error:
        return refusal(error)


OPENING = {
    "side": "BUY",
    "type": "GTC",
    "price_bps": 5000,
    "size_lots": 1000,
    "amount_micros": None,
    "post_only": False,
    "stp": "cancel_taker",
}


def _play(exchange: Exchange, history: list[Step], schedule: tuple[int, int]) -> None:
    both = Both(exchange, *schedule)
    try:
        both.play(history)
    finally:
        both.close()


CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


# All or nothing twice over: a FOK of an atomic slip that meets an order of its owner.
STOPPED_FOK = OPENING | {"type": "FOK", "price_bps": 5500, "user": 1, "position": "NO"}


@given(history=histories, schedule=schedules)
@example(history=[(True, [STOPPED_FOK, STOPPED_FOK])], schedule=(0, 0))
@settings(suppress_health_check=CHECKS)
def test_sql_and_python_agree(
    exchange: Exchange, history: list[Step], schedule: tuple[int, int]
) -> None:
    _play(exchange, history, schedule)


@pytest.mark.soak
@given(history=histories, schedule=schedules)
@settings(settings.get_profile("soak"), suppress_health_check=CHECKS)
def test_sql_and_python_agree_for_long(
    exchange: Exchange, history: list[Step], schedule: tuple[int, int]
) -> None:
    _play(exchange, history, schedule)
