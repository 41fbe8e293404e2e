"""Money in and out: fifty copies of a call have one effect, and no history breaks the books."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.exchange_sql.exchange import Exchange, Refusal, refusal
from tests.integration.exchange_sql.teller import (
    DECIDE_DEPOSIT,
    DECIDE_WITHDRAWAL,
    Teller,
    deposit,
    row,
    withdraw,
)

COPIES = 50
CASH = 10_000_000
EXPECTED = {"PR402", "PR409", "PR410", "PR422"}

type Call = Callable[[psycopg.Connection], tuple[Any, ...]]


@pytest.fixture(scope="module")
def teller(exchange: Exchange) -> Teller:
    teller = Teller(exchange, exchange.user(0))
    teller.set_rate(121_350_000)
    return teller


@pytest.fixture
def user(exchange: Exchange) -> UUID:
    return exchange.user(CASH)


def _at_once(exchange: Exchange, role: str, user: UUID, call: Call, copies: int) -> list[Any]:
    """What each copy answered on a connection of its own: a row, or a refusal."""
    answers: list[Any] = [None] * copies
    gate = threading.Barrier(copies)

    def run(number: int, connection: psycopg.Connection) -> None:
        gate.wait(30)
        try:
            answers[number] = call(connection)
        except psycopg.Error as error:
            answers[number] = refusal(error)

    with ExitStack() as stack:
        connections = [
            stack.enter_context(exchange.database.connect(role, presage__user_id=str(user)))
            for _ in range(copies)
        ]
        threads = [
            threading.Thread(target=run, args=(number, connection))
            for number, connection in enumerate(connections)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return answers


def test_copies_of_a_deposit_are_one(exchange: Exchange, teller: Teller, user: UUID) -> None:
    def send(connection: psycopg.Connection) -> tuple[Any, ...]:
        return deposit(connection, 5_000_000, key="same", reference="REF-SAME", now=teller.now)

    answers = _at_once(exchange, "presage_api", user, send, COPIES)
    assert len(set(answers)) == 1, set(answers)
    assert isinstance(answers[0], tuple)
    assert answers[0][1:] == ("pending", 5_000_000)
    assert exchange.one("select count(*) from deposits where user_id = %s", user) == 1
    with pytest.raises(psycopg.Error) as caught:
        deposit(exchange.people[user], 5_000_000, key="same", request_hash=b"g" * 32)
    assert refusal(caught.value) == Refusal("PR411", "idempotency_key")


def test_one_reference_at_once_is_one_deposit(exchange: Exchange, teller: Teller) -> None:
    """Two people claim one payment many times each: one claim stands."""
    users = [exchange.user(0) for _ in range(2)]
    number = iter(range(10_000))
    lock = threading.Lock()
    spellings = ["REF-1", "ref-1", "Ref1", "R.E.F 1"]

    def send(connection: psycopg.Connection) -> tuple[Any, ...]:
        with lock:
            mine = next(number)
        connection.execute(
            "select set_config('presage.user_id', %s, false)", (str(users[mine % 2]),)
        )
        return deposit(connection, 5_000_000, reference=spellings[mine % 4], now=teller.now)

    answers = _at_once(exchange, "presage_api", users[0], send, COPIES)
    assert sum(isinstance(answer, tuple) and len(answer) == 3 for answer in answers) == 1
    assert answers.count(Refusal("PR409", "sender_reference")) == COPIES - 1


def test_verifying_at_once_credits_once(exchange: Exchange, teller: Teller, user: UUID) -> None:
    case = teller.deposit(user)

    def send(connection: psycopg.Connection) -> tuple[Any, ...]:
        return row(connection, DECIDE_DEPOSIT, (case, True, None, teller.now))

    answers = _at_once(exchange, "presage_admin", teller.admin, send, COPIES)
    assert len(set(answers)) == 1
    assert answers[0][:2] == (case, "verified")
    assert exchange.cash(user) == CASH + 5_000_000
    assert _audited(exchange, case) == ["create_deposit", "verify_deposit"]


def test_a_deposit_verified_and_rejected_at_once_is_one_of_them(
    exchange: Exchange, teller: Teller, user: UUID
) -> None:
    case = teller.deposit(user)
    number = iter(range(10_000))
    lock = threading.Lock()

    def send(connection: psycopg.Connection) -> tuple[Any, ...]:
        with lock:
            is_verified = next(number) % 2 == 0
        told = (case, is_verified, None if is_verified else "lost", teller.now)
        return row(connection, DECIDE_DEPOSIT, told)

    answers = _at_once(exchange, "presage_admin", teller.admin, send, 20)
    assert answers.count(Refusal("PR410", "status")) == 10
    status = exchange.one("select status from deposits where id = %s", case)
    assert exchange.cash(user) == CASH + (5_000_000 if status == "verified" else 0)


def test_copies_of_a_withdrawal_are_one(exchange: Exchange, teller: Teller, user: UUID) -> None:
    def send(connection: psycopg.Connection) -> tuple[Any, ...]:
        return withdraw(connection, 2_000_000, key="same", now=teller.now)

    answers = _at_once(exchange, "presage_api", user, send, COPIES)
    assert len(set(answers)) == 1
    assert answers[0][1:] == ("pending", 2_000_000)
    assert exchange.cash(user) == CASH - 2_000_000


def test_withdrawals_at_once_never_take_more_than_there_is(
    exchange: Exchange, teller: Teller, user: UUID
) -> None:
    def send(connection: psycopg.Connection) -> tuple[Any, ...]:
        return withdraw(connection, 3_000_000, now=teller.now)

    answers = _at_once(exchange, "presage_api", user, send, 20)
    assert answers.count(Refusal("PR402", None)) == 17
    assert exchange.cash(user) == CASH - 3 * 3_000_000


@pytest.mark.parametrize("is_completed", [True, False])
def test_deciding_a_withdrawal_at_once_happens_once(
    is_completed: bool, exchange: Exchange, teller: Teller, user: UUID
) -> None:
    case = teller.withdraw(user)
    told = (case, is_completed, "paid-1" if is_completed else None, "no such number", teller.now)

    def send(connection: psycopg.Connection) -> tuple[Any, ...]:
        return row(connection, DECIDE_WITHDRAWAL, told)

    answers = _at_once(exchange, "presage_admin", teller.admin, send, COPIES)
    assert len(set(answers)) == 1
    assert answers[0][:2] == (case, "completed" if is_completed else "rejected")
    assert exchange.cash(user) == CASH - (2_000_000 if is_completed else 0)
    assert len(_audited(exchange, case)) == 2


def test_no_more_than_ten_wait_whoever_hurries(exchange: Exchange, teller: Teller) -> None:
    hasty = exchange.user(0)

    def send(connection: psycopg.Connection) -> tuple[Any, ...]:
        return deposit(connection, 5_000_000, now=teller.now)

    answers = _at_once(exchange, "presage_api", hasty, send, 25)
    assert answers.count(Refusal("PR422", None)) == 15
    assert exchange.one("select count(*) from deposits where user_id = %s", hasty) == 10


def _audited(exchange: Exchange, case: UUID) -> list[str]:
    rows = exchange.rows(
        "select action from audit_log where resource_id = %s order by id", str(case)
    )
    return [one["action"] for one in rows]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("deposit", "deposit", "deposit_usdt", "verify", "verify", "reject"),
                *("withdraw", "withdraw", "withdraw_usdt", "complete", "return", "order"),
                *("repeat", "wait", "wait", "expire", "expire", "set_rate"),
            ]
        ),
        st.integers(0, 20),
        st.sampled_from([1_000_000, 2_500_000, 3_333_333, 9_990_000]),
    ),
    min_size=10,
    max_size=40,
)


class Story:
    """One person's money, kept twice: in the database and by what each step should do."""

    def __init__(self, teller: Teller, market: UUID) -> None:
        self.teller, self.market = teller, market
        self.user = teller.exchange.user(CASH)
        self.started = teller.now
        self.deposits: list[UUID] = []
        self.withdrawals: list[UUID] = []
        self.first: dict[str, Any] = {}

    def step(self, name: str, number: int, micros: int) -> None:
        """One step; a refusal is one that is due."""
        try:
            getattr(self, f"_{name}")(number, micros)
        except psycopg.Error as error:
            assert error.sqlstate in EXPECTED, error  # noqa: PT017 - any other is a failure

    def check(self) -> None:
        """What the tables of deposits and withdrawals say is what the balance is."""
        exchange = self.teller.exchange
        available = exchange.cash(self.user)
        locked = exchange.one(
            "select coalesce(sum(remaining_lots * price_bps), 0) from orders where user_id = %s",
            self.user,
        )
        credited = exchange.one(
            "select coalesce(sum(credited_micros), 0) from deposits"
            " where user_id = %s and status = 'verified'",
            self.user,
        )
        out = exchange.one(
            "select coalesce(sum(amount_micros), 0) from withdrawals"
            " where user_id = %s and status in ('pending', 'completed')",
            self.user,
        )
        assert available + locked == CASH + credited - out
        assert exchange.audit() == []

    def _deposit(self, _number: int, micros: int) -> None:
        self.first = {"key": str(len(self.deposits)), "reference": f"{self.user} {self.teller.now}"}
        self.deposits.append(self.teller.deposit(self.user, micros, **self.first))

    def _deposit_usdt(self, _number: int, micros: int) -> None:
        usdt = {"method": "usdt", "currency": "USDT"}
        self.deposits.append(self.teller.deposit(self.user, micros, **usdt))

    def _repeat(self, _number: int, micros: int) -> None:
        if self.first:
            again = self.teller.deposit(self.user, micros, **self.first)
            assert again in self.deposits

    def _verify(self, number: int, _micros: int) -> None:
        if self.deposits:
            self.teller.verify(self.deposits[number % len(self.deposits)])

    def _reject(self, number: int, _micros: int) -> None:
        if self.deposits:
            self.teller.reject(self.deposits[number % len(self.deposits)])

    def _withdraw(self, _number: int, micros: int) -> None:
        self.withdrawals.append(self.teller.withdraw(self.user, micros))

    def _withdraw_usdt(self, _number: int, micros: int) -> None:
        self.withdrawals.append(self.teller.withdraw(self.user, micros, method="usdt"))

    def _complete(self, number: int, _micros: int) -> None:
        if self.withdrawals:
            self.teller.complete(self.withdrawals[number % len(self.withdrawals)])

    def _return(self, number: int, _micros: int) -> None:
        if self.withdrawals:
            self.teller.reject_withdrawal(self.withdrawals[number % len(self.withdrawals)])

    def _order(self, _number: int, _micros: int) -> None:
        self.teller.exchange.place(self.user, self.market, price=1000, size=300)

    def _wait(self, number: int, _micros: int) -> None:
        self.teller.now += timedelta(hours=2 * number)

    def _set_rate(self, number: int, micros: int) -> None:
        self.teller.set_rate(micros * (1 + number))

    def _expire(self, _number: int, _micros: int) -> None:
        self.teller.expire(2)


@given(steps=STEPS)
def test_no_history_of_money_in_and_out_breaks_the_books(
    steps: list[tuple[str, int, int]], exchange: Exchange, teller: Teller
) -> None:
    began = teller.now
    story = Story(teller, exchange.market())
    try:
        for name, number, micros in steps:
            story.step(name, number, micros)
            story.check()
    finally:
        teller.now = began
        exchange.people.pop(story.user).close()


def test_the_stories_reach_what_they_are_there_for(exchange: Exchange) -> None:
    """Runs after the property, in its database: every end of a deposit and a withdrawal came up."""
    ends = exchange.rows("select status, count(*) from deposits group by status")
    assert {one["status"] for one in ends} == {"pending", "verified", "rejected", "expired"}
    ends = exchange.rows("select status, count(*) from withdrawals group by status")
    assert {one["status"] for one in ends} == {"pending", "completed", "rejected"}
    assert exchange.one("select count(*) from deposits where rate_micros is not null") > 5
