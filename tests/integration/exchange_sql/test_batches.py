"""Bet slips: independent and atomic, what funds them, how they are refused and repeated."""

import threading
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.integration.exchange_sql.exchange import Exchange, Refusal, Slip, refusal


def bet(market: UUID | str, **fields: Any) -> dict[str, Any]:
    """One order of a slip: 1.00 YES at 0.50 unless said otherwise."""
    order = {"market_id": str(market), "outcome": 0, "side": "BUY", "type": "GTC"}
    return order | {"price_bps": 5000, "size_lots": 100} | fields


def statuses(slip: Slip) -> list[str]:
    """Each order's status, or the code and field of its refusal."""
    return [
        f"{order['code']} {order['field']}" if order["status"] == "rejected" else order["status"]
        for order in slip.orders
    ]


def test_an_independent_slip_goes_on_after_a_refusal(exchange: Exchange) -> None:
    market, other, user = (
        exchange.market(),
        exchange.market(closes_at="2020-01-01"),
        exchange.user(),
    )
    maker = exchange.user()
    exchange.place(maker, market, position="NO", size=150)
    slip = exchange.place_batch(
        user,
        [
            bet(market),
            bet(market, price_bps=5050),
            bet(market, size_lots=200),
            bet(other),
            bet(uuid4()),
            bet("no-such-market", outcome="YES"),
            bet(market, outcome=7),
            bet(market, type="GTD"),
            bet(market, post_only=True),
        ],
    )
    assert slip.status == "partial"
    assert statuses(slip) == [
        "filled",
        "PR400 price",
        "partial",
        "PR410 None",
        "PR404 None",
        "PR404 market_id",
        "PR400 outcome",
        "PR400 expiration",
        "open",
    ]
    assert [order["index"] for order in slip.orders] == list(range(9))
    assert exchange.position(user, market) == (150, 0)
    assert exchange.audit() == []


def test_an_atomic_slip_is_all_or_nothing(exchange: Exchange) -> None:
    market, user, maker = exchange.market(), exchange.user(2_000_000), exchange.user()
    exchange.place(maker, market, position="NO", size=100)
    orders = [bet(market), bet(market, price_bps=3000), bet(market, size_lots=1000)]
    slip = exchange.place_batch(user, orders, mode="atomic")
    assert (slip.status, statuses(slip)) == ("failed", ["PR422 None", "PR422 None", "PR402 None"])
    assert exchange.cash(user) == 2_000_000
    assert exchange.one("select count(*) from orders where user_id = %s", user) == 0
    slip = exchange.place_batch(user, orders[:2], mode="atomic")
    assert (slip.status, statuses(slip)) == ("completed", ["filled", "open"])


def test_money_lasts_in_sequence_and_proceeds_fund_nothing(exchange: Exchange) -> None:
    market, user, other = exchange.market(), exchange.user(1_000_000), exchange.user()
    exchange.hand_out(market, user, other, lots=200)
    exchange.place(other, market, price=5000, size=200)  # a bid for the user's YES
    slip = exchange.place_batch(
        user,
        [
            bet(market, side="SELL", size_lots=200),
            bet(market, price_bps=1000),
            bet(market, side="SELL", price_bps=9000),
        ],
    )
    assert statuses(slip) == ["filled", "PR402 None", "PR402 None"]
    assert exchange.cash(user) == 1_000_000
    spent = exchange.place_batch(user, [bet(market, price_bps=p) for p in (6000, 5000, 4000)])
    assert statuses(spent) == ["open", "PR402 None", "open"]
    assert exchange.cash(user) == 0


def test_orders_of_a_slip_never_trade_with_or_cancel_one_another(exchange: Exchange) -> None:
    market, user = exchange.market(), exchange.user()
    first = bet(market, price_bps=6000)
    for stp, answer in (
        ("cancel_taker", "cancelled"),
        ("cancel_maker", "PR422 self_trade_prevention"),
        ("cancel_both", "PR422 self_trade_prevention"),
    ):
        second = bet(market, position="NO", self_trade_prevention=stp)
        slip = exchange.place_batch(user, [first, second])
        assert statuses(slip) == ["open", answer]
        exchange.cancel(user, UUID(slip.orders[0]["order_id"]))
        atomic = exchange.place_batch(user, [first, second], mode="atomic")
        assert atomic.status == "failed"
        assert atomic.orders[1]["field"] == "self_trade_prevention"


def test_own_orders_from_before_the_slip_are_cancelled_once(exchange: Exchange) -> None:
    market, user = exchange.market(), exchange.user()
    before = exchange.cash(user)
    old = exchange.place(user, market, position="NO", size=100)
    slip = exchange.place_batch(
        user, [bet(market, self_trade_prevention="cancel_maker") for _ in range(2)]
    )
    assert statuses(slip) == ["open", "open"]
    assert exchange.one("select status from orders where id = %s", old.order_id) == "cancelled"
    assert exchange.cash(user) == before - 1_000_000


def test_a_slip_reaches_over_markets_and_takes_names(exchange: Exchange) -> None:
    markets, user, other = [exchange.market() for _ in range(3)], exchange.user(), exchange.user()
    many = exchange.market(labels=("Dhaka", "Khulna"))
    for market in markets:
        exchange.place(other, market, position="NO", size=300)
    orders = [bet(market, size_lots=200) for market in markets * 2]
    orders += [bet(many, outcome="Khulna"), bet(markets[0], outcome="NO", price_bps=4000)]
    slip = exchange.place_batch(user, orders)
    assert statuses(slip) == ["filled"] * 3 + ["partial"] * 3 + ["open", "open"]
    assert [exchange.position(user, market) for market in markets] == [(300, 0)] * 3
    assert exchange.audit() == []


def test_a_repeat_answers_the_first_result_and_another_body_is_a_conflict(
    exchange: Exchange,
) -> None:
    market, user, other = exchange.market(fee_bps=100), exchange.user(), exchange.user()
    exchange.place(other, market, position="NO", size=150)
    orders = [
        bet(market, client_order_id="a"),
        bet(market, size_lots=300),
        bet(market, price_bps=1),
    ]
    first = exchange.place_batch(user, orders, key="slip")
    assert (first.status, first.replayed) == ("partial", False)
    exchange.place(other, market, position="NO", size=150)
    exchange.people[user].execute("select cancel_orders(null, now())")
    cash = exchange.cash(user)
    assert exchange.place_batch(user, orders, key="slip") == first._replace(replayed=True)
    with pytest.raises(psycopg.Error) as caught:
        exchange.place_batch(user, orders, key="slip", request_hash=b"g" * 32)
    assert refusal(caught.value) == Refusal("PR411", "batch_key")
    # An order of an earlier slip keeps its first answer in a new one; another body does not.
    again = exchange.place_batch(user, [orders[0], bet(market, client_order_id="a", size_lots=200)])
    assert again.orders[0] == first.orders[0]
    assert statuses(again)[1] == "PR411 client_order_id"
    assert exchange.cash(user) == cash


@pytest.mark.parametrize(
    ("orders", "mode", "key", "column"),
    [
        (1, "any", "k", "mode"),
        (0, "atomic", "k", "orders"),
        (21, "atomic", "k", "orders"),
        (1, "atomic", "", "batch_key"),
        (1, "atomic", "x" * 129, "batch_key"),
    ],
)
def test_a_slip_of_the_wrong_shape_is_refused(
    exchange: Exchange, orders: int, mode: str, key: str, column: str
) -> None:
    user, slip = exchange.user(), [bet(exchange.market())] * orders
    with pytest.raises(psycopg.Error) as caught:
        exchange.people[user].execute(
            "select place_orders(%s, %s, %s, %s, %s, now())",
            (mode, Jsonb(slip), key, b"h", uuid4()),
        )
    assert refusal(caught.value) == Refusal("PR400", column)


def test_copies_of_a_slip_at_once_place_it_once(exchange: Exchange) -> None:
    market, user = exchange.market(), exchange.user()
    slips: list[Slip] = []

    def place() -> None:
        twin = Exchange(exchange.database, exchange.owner, exchange.worker)
        twin.people[user] = exchange.database.connect("presage_api", presage__user_id=str(user))
        slips.append(twin.place_batch(user, [bet(market), bet(market)], key="once"))
        twin.people[user].close()

    threads = [threading.Thread(target=place) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(slip.replayed for slip in slips) == [False] + [True] * 5
    assert exchange.one("select count(*) from orders where user_id = %s", user) == 2
