"""What place_order refuses, with its SQLSTATE and the field it names; refusals change nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.integration.exchange_sql.exchange import DEFAULTS, PLACE, Exchange, Refusal

NOW = datetime.now(UTC)
LATER = NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("fields", "column"),
    [
        ({"position": "MAYBE"}, "position"),
        ({"position": None}, "position"),
        ({"side": "HOLD"}, "side"),
        ({"side": None}, "side"),
        ({"type": "ICEBERG"}, "type"),
        ({"type": "GTD"}, "expiration"),
        ({"type": "GTD", "expires_at": NOW + timedelta(seconds=59)}, "expiration"),
        ({"type": "GTC", "expires_at": LATER}, "expiration"),
        ({"type": "GTD", "size": None, "amount": 10**7, "expires_at": LATER}, "amount"),
        ({"type": None}, "type"),
        ({"stp": "never"}, "self_trade_prevention"),
        ({"client_order_id": ""}, "client_order_id"),
        ({"client_order_id": "x" * 129}, "client_order_id"),
        ({"type": "FOK", "post_only": True}, "post_only"),
        ({"type": "FAK", "post_only": True}, "post_only"),
        ({"price": None}, "price"),
        ({"price": 0}, "price"),
        ({"price": 10_000}, "price"),
        ({"price": 5050}, "price"),
        ({"size": None}, "size"),
        ({"size": 99}, "size"),
        ({"size": -100}, "size"),
        ({"size": 10**12}, "size"),
        ({"type": "FAK", "amount": 10_000_000}, "amount"),
        ({"type": "GTC", "size": None, "amount": 10_000_000}, "amount"),
        ({"type": "FAK", "side": "SELL", "size": None, "amount": 10_000_000}, "amount"),
        ({"type": "FAK", "size": None, "amount": 509_999}, "amount"),
        ({"type": "FAK", "size": None, "amount": 0}, "amount"),
        ({"type": "FAK", "size": None, "amount": 10**16}, "amount"),
        ({"outcome": 1}, "outcome"),
        ({"outcome": None}, "outcome"),
    ],
)
def test_a_field_that_does_not_fit_is_named(
    exchange: Exchange, fields: dict[str, Any], column: str
) -> None:
    market = exchange.market(fee_bps=400)  # 100 lots at 0.50 cost 0.50 and a fee of 0.01
    assert exchange.refused(exchange.user(), market, **fields) == Refusal("PR400", column)


@pytest.mark.parametrize(
    ("columns", "fields"),
    [
        ({"state": "PROPOSED"}, {}),
        ({"state": "RESOLVING"}, {}),
        ({"state": "CANCELLED"}, {}),
        ({"venue": "polymarket"}, {}),
        ({"closes_at": NOW - timedelta(seconds=1)}, {}),
        ({"opens_at": NOW + timedelta(hours=1)}, {}),
        ({"closes_at": NOW + timedelta(hours=1)}, {"now": NOW + timedelta(hours=1)}),
        ({"trading_status": "halted"}, {}),
        ({"trading_status": "cancel_only"}, {}),
        ({"trading_status": "post_only"}, {}),
        ({"trading_status": "post_only"}, {"post_only": None}),
    ],
)
def test_a_market_that_does_not_trade_refuses(
    exchange: Exchange, columns: dict[str, Any], fields: dict[str, Any]
) -> None:
    market = exchange.market(**columns)
    assert exchange.refused(exchange.user(), market, **fields) == Refusal("PR410", None)


def test_a_post_only_market_takes_post_only_orders(exchange: Exchange) -> None:
    market = exchange.market(trading_status="post_only")
    assert exchange.place(exchange.user(), market, post_only=True).status == "open"


def test_a_slow_clock_does_not_reopen_a_market(exchange: Exchange) -> None:
    market = exchange.market(closes_at=datetime.now(UTC) - timedelta(seconds=1))
    early = datetime.now(UTC) - timedelta(hours=1)
    assert exchange.refused(exchange.user(), market, now=early) == Refusal("PR410", None)


def test_a_replay_lives_in_its_own_time(own_exchange: Exchange) -> None:
    own_exchange.owner.execute(
        f"alter database {own_exchange.database.name} set presage.clock = 'replay'"
    )
    past = datetime(2026, 7, 24, 6, 0, tzinfo=UTC)
    market = own_exchange.market(closes_at=past + timedelta(minutes=5))
    user = own_exchange.user()
    placed = own_exchange.place(user, market, now=past)
    assert placed.created_at == past
    late = past + timedelta(minutes=5)
    assert own_exchange.refused(user, market, now=late) == Refusal("PR410", None)


def test_there_must_be_a_market_and_a_user(exchange: Exchange) -> None:
    user = exchange.user()
    assert exchange.refused(user, user) == Refusal("PR404", None)
    order = DEFAULTS | {"market": exchange.market(), "order_id": user, "now": NOW}
    for actor in ("", "00000000-0000-0000-0000-000000000000"):
        nobody = exchange.database.connect("presage_api", presage__user_id=actor)
        with pytest.raises(psycopg.Error) as caught:
            nobody.execute(PLACE, order)
        nobody.close()
        assert caught.value.sqlstate == "PR401"


def test_a_closed_only_account_sells_and_cancels_but_never_buys(exchange: Exchange) -> None:
    market, user, other = exchange.market(), exchange.user(), exchange.user()
    exchange.hand_out(market, user, other)
    exchange.owner.execute("update users set closed_only = true where id = %s", (user,))
    assert exchange.refused(user, market) == Refusal("PR403", None)
    sold = exchange.place(user, market, side="SELL", price=6000)
    assert exchange.cancel(user, sold.order_id)[1] == "cancelled"


def test_a_buy_needs_its_cost_at_the_limit_and_the_fee_only_while_it_takes(
    exchange: Exchange,
) -> None:
    market, maker = exchange.market(fee_bps=1000), exchange.user()
    exchange.place(maker, market, position="NO", price=5000, size=100)
    # 200 lots at 0.60 cost 1.20, the fee at the limit is ceil(0.1 x 0.24 x 2) = 0.048.
    assert exchange.refused(exchange.user(1_247_999), market, price=6000, size=200) == Refusal(
        "PR402", None
    )
    taker = exchange.user(1_248_000)
    placed = exchange.place(taker, market, price=6000, size=200)
    assert (placed.status, placed.cost_micros, placed.fee_micros) == ("partial", 500_000, 25_000)
    assert exchange.cash(taker) == 1_248_000 - 500_000 - 25_000 - 600_000
    resting = exchange.place(exchange.user(1_000_000), market, price=5000, size=200)
    assert resting.status == "open"
    assert exchange.refused(exchange.user(0), market) == Refusal("PR402", None)


def test_a_sale_needs_shares_that_no_other_sale_holds(exchange: Exchange) -> None:
    market, user = exchange.market(), exchange.user()
    exchange.hand_out(market, user, exchange.user(), lots=300)
    exchange.place(user, market, side="SELL", price=6000, size=200)
    assert exchange.refused(user, market, side="SELL", price=6000, size=101) == Refusal(
        "PR402", None
    )
    assert exchange.refused(user, market, side="SELL", position="NO") == Refusal("PR402", None)
    assert exchange.position(user, market) == (300, 200)


def test_what_cannot_be_done_is_unprocessable_and_leaves_nothing(exchange: Exchange) -> None:
    market, user, maker = exchange.market(), exchange.user(), exchange.user()
    exchange.place(maker, market, position="NO", price=5000, size=150)
    before = exchange.cash(user)
    assert exchange.refused(user, market, type="FOK", size=200) == Refusal("PR422", None)
    assert exchange.refused(user, market, post_only=True) == Refusal("PR422", None)
    assert exchange.refused(
        user, market, type="FOK", size=None, amount=2_000_000, price=5000
    ) == Refusal("PR422", None)
    assert exchange.cash(user) == before
    assert exchange.one("select count(*) from orders where user_id = %s", user) == 0


def test_an_amount_is_filled_when_the_rest_buys_no_lot(exchange: Exchange) -> None:
    market, user, maker = exchange.market(), exchange.user(), exchange.user()
    exchange.place(maker, market, position="NO", price=5000, size=1000)
    placed = exchange.place(user, market, type="FOK", size=None, amount=1_004_999, price=5000)
    assert (placed.status, placed.size_lots, placed.cost_micros) == ("filled", 200, 1_000_000)


def test_an_order_stops_when_it_meets_too_many_others(exchange: Exchange) -> None:
    market, maker, taker = exchange.market(min_size_lots=1), exchange.user(), exchange.user()
    for _ in range(1001):
        exchange.place(maker, market, position="NO", size=1)
    fok = exchange.refused(taker, market, type="FOK", size=1001)
    assert fok == Refusal("PR422", None)
    placed = exchange.place(taker, market, size=1001)
    assert (placed.status, len(placed.fills)) == ("cancelled", 1000)


def test_the_largest_amount_at_the_least_price_fits(exchange: Exchange) -> None:
    market, maker = (
        exchange.market(tick_size_bps=1, min_size_lots=1, fee_bps=10_000),
        exchange.user(),
    )
    exchange.place(maker, market, position="NO", price=9999, size=100)
    order = {"type": "FAK", "size": None, "price": 1}
    most = 9 * 10**14
    assert exchange.place(exchange.user(10**15), market, amount=most, **order).filled_lots == 100
    assert exchange.refused(exchange.user(), market, amount=most + 1, **order) == Refusal(
        "PR400", "amount"
    )
