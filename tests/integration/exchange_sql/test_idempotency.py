"""A client order id is used once; a repeat answers what the first call answered."""

import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.integration.exchange_sql.exchange import Exchange, Placed, Refusal, refusal

KEY = {"client_order_id": "bet-1", "request_hash": b"h" * 32}


def test_a_repeat_answers_the_first_result_whatever_happened_since(exchange: Exchange) -> None:
    market, user, other = exchange.market(fee_bps=100), exchange.user(), exchange.user()
    exchange.place(other, market, position="NO", price=6000, size=100)
    first = exchange.place(user, market, price=5000, size=300, **KEY)
    assert (first.status, first.filled_lots, first.remaining_lots) == ("partial", 100, 200)
    exchange.place(other, market, position="NO", price=5000, size=100)
    exchange.cancel(user, first.order_id)
    exchange.owner.execute("update markets set closes_at = now() where id = %s", (market,))
    cash = exchange.cash(user)
    again = exchange.place(user, market, price=5000, size=300, **KEY)
    assert again == first._replace(replayed=True)
    assert exchange.cash(user) == cash


def test_another_body_is_a_conflict(exchange: Exchange) -> None:
    market, user = exchange.market(), exchange.user()
    exchange.place(user, market, **KEY)
    other = KEY | {"request_hash": b"g" * 32}
    assert exchange.refused(user, market, **other) == Refusal("PR411", "client_order_id")
    assert exchange.refused(user, exchange.market(), **other) == Refusal("PR411", "client_order_id")
    assert not exchange.place(exchange.user(), market, **other).replayed  # keys are one's own


def test_a_refusal_consumes_no_key(exchange: Exchange) -> None:
    market, user = exchange.market(), exchange.user(0)
    assert exchange.refused(user, market, **KEY) == Refusal("PR402", None)
    exchange.deposit(user, 10_000_000)
    assert not exchange.place(user, market, **KEY).replayed


def _at_once(calls: list[Callable[[], Placed]]) -> list[Placed | Refusal | str]:
    """What each call answered: a result, the constraint it broke, or a refusal."""
    answers: list[Any] = [None] * len(calls)
    gate = threading.Barrier(len(calls))

    def run(number: int) -> None:
        gate.wait()
        try:
            answers[number] = calls[number]()
        except psycopg.Error as error:
            answers[number] = error.diag.constraint_name or refusal(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def _caller(exchange: Exchange, user: UUID, market: UUID) -> Callable[[], Placed]:
    twin = Exchange(exchange.database, exchange.owner, exchange.worker)
    twin.people[user] = exchange.database.connect("presage_api", presage__user_id=str(user))

    def call() -> Placed:
        try:
            return twin.place(user, market, **KEY)
        finally:
            twin.people[user].close()

    return call


def test_copies_at_once_place_one_order(exchange: Exchange) -> None:
    market, user = exchange.market(), exchange.user()
    answers = _at_once([_caller(exchange, user, market) for _ in range(6)])
    placed = [answer for answer in answers if isinstance(answer, Placed)]
    assert len(placed) == 6
    assert sorted(answer.replayed for answer in placed) == [False] + [True] * 5
    assert len({answer.order_id for answer in placed}) == 1


def test_one_key_on_two_markets_at_once_is_used_once(exchange: Exchange) -> None:
    user = exchange.user()
    answers = _at_once([_caller(exchange, user, exchange.market()) for _ in range(4)])
    # The loser's unique violation names the constraint; its caller asks again and is answered.
    assert sum(isinstance(answer, Placed) and not answer.replayed for answer in answers) == 1
    for answer in answers:
        assert isinstance(answer, Placed) or answer == "orders_client_order_id_is_used_once"
    assert exchange.one("select count(*) from orders where user_id = %s", user) == 1


def test_a_transfer_moves_once_for_a_reference(exchange: Exchange) -> None:
    user = exchange.user(0)
    first = exchange.deposit(user, 5_000_000, "bank-7")
    assert exchange.deposit(user, 5_000_000, "bank-7") == first
    assert exchange.cash(user) == 5_000_000
    with pytest.raises(psycopg.Error) as caught:
        exchange.deposit(user, 6_000_000, "bank-7")
    assert refusal(caught.value) == Refusal("PR411", "reference")
