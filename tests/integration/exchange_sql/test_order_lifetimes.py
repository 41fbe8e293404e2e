"""Orders that end by themselves, and orders made smaller: who gets back what, and when."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest

from tests.integration.exchange_sql.exchange import Exchange, Refusal, refusal

EXPIRE = "select expire_orders(%s, %s)"


def test_an_order_good_till_a_date_rests_until_then(exchange: Exchange) -> None:
    market, user, other = exchange.market(), exchange.user(), exchange.user()
    now = datetime.now(UTC)
    end = now + timedelta(minutes=2)
    for size in (100, 200):
        exchange.place(user, market, type="GTD", size=size, expires_at=end)
    assert exchange.work(EXPIRE, 10, now + timedelta(seconds=119))[0][0] == 0
    assert exchange.place(other, market, position="NO", size=100).status == "filled"
    late = exchange.place(other, market, position="NO", now=end)
    assert (late.status, late.filled_lots) == ("open", 0)
    statuses = exchange.rows("select status from orders where user_id = %s order by seq", user)
    assert [row["status"] for row in statuses] == ["filled", "expired"]


def test_expired_orders_are_released_some_at_a_time(exchange: Exchange) -> None:
    user, other = exchange.user(), exchange.user()
    before = exchange.cash(user)
    end = datetime.now(UTC) + timedelta(minutes=2)
    for _ in range(3):
        exchange.place(user, exchange.market(), type="GTD", expires_at=end)
    kept = exchange.place(other, exchange.market())
    assert [exchange.work(EXPIRE, 2, end)[0][0] for _ in range(3)] == [2, 1, 0]
    assert exchange.cash(user) == before
    assert exchange.one("select status from orders where id = %s", kept.order_id) == "open"


def test_a_lowered_order_keeps_its_turn_and_gives_back_the_rest(exchange: Exchange) -> None:
    market, user, other, taker = exchange.market(), *(exchange.user() for _ in range(3))
    before = exchange.cash(user)
    key = {"client_order_id": "a", "request_hash": b"h" * 32}
    first = exchange.place(user, market, size=500, **key)
    exchange.place(other, market, size=500)
    answer = (first.order_id, "open", 300, 0, 300, 200, 1_000_000)
    assert exchange.amend(user, first.order_id, 300) == answer
    assert exchange.amend(user, first.order_id, 300) == (*answer[:5], 0, 0)  # a repeat
    assert exchange.cash(user) == before - 1_500_000
    exchange.place(taker, market, position="NO", size=200)
    assert exchange.amend(user, first.order_id, 200)[1:] == ("filled", 200, 200, 0, 100, 500_000)
    assert exchange.cash(user) == before - 1_000_000
    assert exchange.place(user, market, size=500, **key) == first._replace(replayed=True)


def test_a_lowered_sale_unlocks_its_shares(exchange: Exchange) -> None:
    market, user = exchange.market(), exchange.user()
    exchange.hand_out(market, user, exchange.user())
    sale = exchange.place(user, market, side="SELL", price=6000, size=800)
    assert exchange.amend(user, sale.order_id, 100)[4:] == (100, 700, 0)
    assert exchange.position(user, market) == (1000, 100)


def test_only_an_open_order_of_ones_own_is_lowered(exchange: Exchange) -> None:
    market, user, other = exchange.market(), exchange.user(), exchange.user()
    order = exchange.place(user, market, size=500).order_id
    exchange.place(other, market, position="NO", size=200)
    cases = [
        (user, 501, Refusal("PR400", "size")),
        (user, 199, Refusal("PR400", "size")),
        (user, 99, Refusal("PR400", "size")),
        (other, 300, Refusal("PR404", None)),
    ]
    for who, size, expected in cases:
        with pytest.raises(psycopg.Error) as caught:
            exchange.amend(who, order, size)
        assert refusal(caught.value) == expected
    exchange.cancel(user, order)
    for missing, code in ((order, "PR410"), (uuid4(), "PR404")):
        with pytest.raises(psycopg.Error) as caught:
            exchange.amend(user, missing, 300)
        assert caught.value.sqlstate == code
