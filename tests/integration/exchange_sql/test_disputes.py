"""A proposed outcome, a dispute with its bond, a decision: where state and money go."""

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.integration.exchange_sql.exchange import Exchange, Refusal, refusal

DISPUTE = "select * from dispute_market(%s, %s, %s, %s, %s, 'request', 'ip', now())"
DECIDE = "select * from decide_dispute(%s, %s, %s, 'because', 'request', 'ip', now())"
UPHELD, REFUSED = True, False
MOVE = "select * from move_market(%s, %s, 'because', %s, null, null, null, 'request', 'ip', now())"


def proposed(exchange: Exchange, yes: UUID, no: UUID, lots: int = 1000, **columns: Any) -> UUID:
    """A closed market for whose YES an outcome was proposed by a workflow."""
    market = exchange.market(**columns)
    exchange.hand_out(market, yes, no, lots=lots)
    exchange.owner.execute("update markets set closes_at = now() where id = %s", (market,))
    exchange.work(MOVE, market, "RESOLVING", [10_000, 0])
    return market


def dispute(
    exchange: Exchange, user: UUID, market: UUID, *, key: str = "k", reason: str = "wrong"
) -> tuple[Any, ...]:
    """dispute_market by a user, without the dispute's id and the time."""
    cursor = exchange.people[user].execute(DISPUTE, (market, reason, key, b"h", uuid4()))
    row = cursor.fetchone()
    assert row is not None
    return (*row[3:6], row[7])


def refused(exchange: Exchange, user: UUID, market: UUID, **request: str) -> Refusal:
    with pytest.raises(psycopg.Error) as caught:
        dispute(exchange, user, market, **request)
    return refusal(caught.value)


def refused_work(exchange: Exchange, query: str, *parameters: object) -> Refusal:
    with pytest.raises(psycopg.Error) as caught:
        exchange.work(query, *parameters)
    return refusal(caught.value)


def test_an_upheld_dispute_flips_the_outcome_and_returns_the_bond(exchange: Exchange) -> None:
    yes, no = exchange.user(), exchange.user()
    market = proposed(exchange, yes, no, lots=30_000)
    before = exchange.cash(no)
    bond = 3_000_000  # 1 % of 300.00
    assert dispute(exchange, no, market) == ("RESOLVING", "DISPUTED", bond, False)
    assert dispute(exchange, no, market) == ("RESOLVING", "DISPUTED", bond, True)
    assert exchange.cash(no) == before - bond
    assert exchange.account(market, "market:bonds") == bond
    assert exchange.audit() == []
    assert refused_work(exchange, MOVE, market, "FINALIZED", None) == Refusal("PR410", "state")
    unfit = Refusal("PR400", "payout_bps")
    for payout in (None, [10_000, 0], [5000, 5001], [10_000]):
        assert refused_work(exchange, DECIDE, market, payout, UPHELD) == unfit
    decided = exchange.work(DECIDE, market, [0, 10_000], UPHELD)[0]
    assert (decided.state, decided.is_upheld, decided.bond_micros) == ("FINALIZED", True, bond)
    assert decided.final_payout_bps == [0, 10_000]
    exchange.work("select * from settle_market(%s, 100, now())", market)
    assert exchange.cash(no) == before + 300_000_000
    assert refused_work(exchange, DECIDE, market, [0, 10_000], UPHELD) == Refusal("PR410", "state")
    states = exchange.rows(
        "select to_state from market_state_changes where market_id = %s order by id", market
    )
    assert [row["to_state"] for row in states] == ["RESOLVING", "DISPUTED", "FINALIZED"]


def test_a_refused_dispute_costs_its_bond(exchange: Exchange) -> None:
    yes, no = exchange.user(), exchange.user()
    market = proposed(exchange, yes, no, fee_bps=0)
    before = exchange.cash(no)
    assert dispute(exchange, no, market)[2] == 1_000_000  # the least
    decided = exchange.work(DECIDE, market, None, REFUSED)[0]
    assert decided.final_payout_bps == [10_000, 0]
    assert exchange.cash(no) == before - 1_000_000
    assert exchange.account(market, "market:fees") == 1_000_000
    assert exchange.account(market, "market:bonds") == 0


def test_who_may_dispute_and_when(exchange: Exchange) -> None:
    yes, no, stranger, poor = (exchange.user() for _ in range(4))
    market = proposed(exchange, yes, no)
    assert refused(exchange, stranger, market) == Refusal("PR403", None)
    assert refused(exchange, no, market, reason="") == Refusal("PR400", "reason")
    assert refused(exchange, no, market, key="") == Refusal("PR400", "idempotency_key")
    assert refused(exchange, no, uuid4()) == Refusal("PR404", None)
    assert refused(exchange, no, exchange.market()) == Refusal("PR410", "state")
    late = proposed(exchange, yes, no, dispute_window_s=0)
    assert refused(exchange, no, late) == Refusal("PR410", "dispute_window_s")
    costly = proposed(exchange, yes, poor)
    exchange.work(
        "select post_transfer('user:cash', %s, 'external', null, null, %s, 'out', %s, now())",
        poor,
        exchange.cash(poor) - 999_999,
        str(poor),
    )
    assert refused(exchange, poor, costly) == Refusal("PR402", None)
    dispute(exchange, yes, market)
    assert refused(exchange, no, market) == Refusal("PR410", "state")


def test_only_staff_decide_and_only_a_dispute(exchange: Exchange) -> None:
    yes, no = exchange.user(), exchange.user()
    market = proposed(exchange, yes, no)
    decision = (market, [0, 10_000], UPHELD)
    assert refused_work(exchange, DECIDE, *decision) == Refusal("PR410", "state")
    assert refused_work(exchange, DECIDE, uuid4(), None, REFUSED) == Refusal("PR404", None)
    dispute(exchange, no, market)
    with exchange.database.connect("presage_admin", presage__user_id=str(no)) as connection:
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(DECIDE, decision)
        assert caught.value.sqlstate == "PR403"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        exchange.people[no].execute(DECIDE, decision)
    exchange.owner.execute("update users set role = 'admin' where id = %s", (no,))
    with exchange.database.connect("presage_admin", presage__user_id=str(no)) as connection:
        connection.execute(DECIDE, decision)
    audited = exchange.rows("select * from audit_log where action = 'decide_dispute'")
    assert no in {row["actor_id"] for row in audited}


def test_a_proposed_vector_must_fit_the_market(exchange: Exchange) -> None:
    market = exchange.market(labels=("a", "b", "c"), closes_at="2020-01-01")
    for payout in (None, [10_000, 0], [5000, 5000, 1], [10_001, -1, 0]):
        assert refused_work(exchange, MOVE, market, "RESOLVING", payout) == Refusal(
            "PR400", "payout_bps"
        )
    assert exchange.work(MOVE, market, "RESOLVING", [3334, 3333, 3333])[0].state == "RESOLVING"
