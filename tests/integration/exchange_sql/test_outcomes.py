"""Markets of many outcomes, and shares made and unmade without a counterparty."""

import threading
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.integration.exchange_sql.exchange import Changed, Exchange, Refusal, refusal

CREATE = "select * from create_outcomes(%s, %s, %s, 'request', 'ip', now())"
THREE = [
    {"label": "Dhaka", "label_bn": "ঢাকা", "probability_bps": 5000},
    {"label": "Khulna", "label_bn": "খুলনা", "probability_bps": 3500},
    {"label": "OTHER", "label_bn": "অন্যান্য", "probability_bps": 2000},
]
LABELS = ("Dhaka", "Khulna", "OTHER")


def exhaustive(exchange: Exchange, **columns: Any) -> UUID:
    return exchange.market(labels=LABELS, is_exhaustive=True, **columns)


def admin(exchange: Exchange) -> psycopg.Connection:
    """A connection of the admin zone, speaking for an admin."""
    user = exchange.user(0)
    exchange.owner.execute("update users set role = 'admin' where id = %s", (user,))
    return exchange.database.connect("presage_admin", presage__user_id=str(user))


def held(exchange: Exchange, user: UUID, market: UUID) -> dict[tuple[int, str], int]:
    rows = exchange.rows(
        "select * from positions where user_id = %s and market_id = %s and held_lots > 0",
        user,
        market,
    )
    return {(row["outcome"], row["position"]): row["held_lots"] for row in rows}


def refused_change(exchange: Exchange, user: UUID, *request: Any, **key: Any) -> Refusal:
    with pytest.raises(psycopg.Error) as caught:
        exchange.change(user, *request, **key)
    return refusal(caught.value)


def settle(exchange: Exchange, market: UUID, payout: list[int]) -> None:
    exchange.owner.execute(
        "update markets set state = 'FINALIZED', final_payout_bps = %s where id = %s",
        (payout, market),
    )
    for _ in range(10):
        if exchange.work("select * from settle_market(%s, 100, now())", market)[0].done:
            return
    raise AssertionError("not settled")


def test_an_untraded_market_gets_outcomes(exchange: Exchange) -> None:
    market = exchange.market()
    with admin(exchange) as connection:
        for _ in range(2):  # once more replaces them
            rows = connection.execute(CREATE, (market, Jsonb(THREE), True)).fetchall()
    assert rows == [
        (0, "Dhaka", "ঢাকা", 5000),
        (1, "Khulna", "খুলনা", 3500),
        (2, "OTHER", "অন্যান্য", 2000),
    ]
    row = exchange.rows("select * from markets where id = %s", market)[0]
    assert (row["market_type"], row["is_exhaustive"]) == ("multi_outcome", True)
    assert exchange.one("select count(*) from audit_log where resource_id = %s", str(market)) == 2
    assert exchange.place(exchange.user(), market, outcome=2).status == "open"


@pytest.mark.parametrize(
    ("outcomes", "exhaustive", "column"),
    [
        (THREE[:1], False, "outcomes"),
        ([{"label": str(n)} for n in range(51)], False, "outcomes"),
        ({"label": "x"}, False, "outcomes"),
        (THREE[:2], True, "outcomes"),
        ([{"label": "a"}, {"label": "A"}], False, "label"),
        ([{"label": ""}, {"label": "a"}], False, "label"),
        ([{"label": "a", "probability_bps": 6000}, THREE[0]], False, "probability"),
        ([{"label": "a", "probability_bps": -1}, THREE[0]], False, "probability"),
    ],
)
def test_outcomes_that_do_not_fit_are_refused(
    exchange: Exchange, outcomes: Any, *, exhaustive: bool, column: str
) -> None:
    with admin(exchange) as connection, pytest.raises(psycopg.Error) as caught:
        connection.execute(CREATE, (exchange.market(), Jsonb(outcomes), exhaustive))
    assert refusal(caught.value) == Refusal("PR400", column)


def test_outcomes_come_before_trading_and_from_an_admin(exchange: Exchange) -> None:
    user = exchange.user()
    ordered, split = exchange.market(), exchange.market()
    exchange.place(user, ordered)
    exchange.change(user, split, "split", 0, 100)
    cases = [
        (ordered, "PR410"),
        (split, "PR410"),
        (exchange.market(state="RESOLVING"), "PR410"),
        (exchange.market(resolution_rule=Jsonb({"kind": "price_at"})), "PR422"),
        (exchange.market(venue="polymarket"), "PR422"),
        (uuid4(), "PR404"),
    ]
    with admin(exchange) as connection:
        for market, code in cases:
            with pytest.raises(psycopg.Error) as caught:
                connection.execute(CREATE, (market, Jsonb(THREE), False))
            assert caught.value.sqlstate == code
    with exchange.database.connect("presage_admin", presage__user_id=str(user)) as connection:
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(CREATE, (exchange.market(), Jsonb(THREE), False))
        assert caught.value.sqlstate == "PR403"


def test_a_share_is_split_and_merged(exchange: Exchange) -> None:
    market, user = exchange.market(), exchange.user()
    before = exchange.cash(user)
    split = exchange.change(user, market, "split", 0, 300)
    assert (split.amount_micros, split.replayed) == (-3_000_000, False)
    assert held(exchange, user, market) == {(0, "YES"): 300, (0, "NO"): 300}
    exchange.place(user, market, side="SELL", price=9000, size=200)
    assert refused_change(exchange, user, market, "merge", 0, 101) == Refusal("PR402", None)
    assert exchange.change(user, market, "merge", 0, 100).amount_micros == 1_000_000
    assert exchange.cash(user) == before - 2_000_000
    assert exchange.account(market, "market:escrow") == 2_000_000
    rows = exchange.rows("select * from positions where user_id = %s", user)
    assert [(row["cost_micros"], row["realised_micros"]) for row in rows] == [(1_000_000, 0)] * 2
    assert (
        exchange.one("select unique_traders from market_counters where market_id = %s", market) == 1
    )


def test_sets_are_completed_converted_and_redeemed(exchange: Exchange) -> None:
    market, user = exhaustive(exchange), exchange.user()
    before = exchange.cash(user)
    exchange.change(user, market, "split", 1, 200)
    converted = exchange.change(user, market, "convert", 1, 200)
    assert converted.amount_micros == 0
    assert held(exchange, user, market) == {(0, "YES"): 200, (1, "YES"): 200, (2, "YES"): 200}
    rows = exchange.rows("select sum(cost_micros) c from positions where user_id = %s", user)
    assert rows[0]["c"] == 2_000_000
    assert exchange.change(user, market, "redeem", None, 200).amount_micros == 2_000_000
    assert exchange.cash(user) == before
    exchange.change(user, market, "complete", None, 100)
    assert held(exchange, user, market) == {(n, "YES"): 100 for n in range(3)}
    assert exchange.audit() == []
    settle(exchange, market, [0, 0, 10_000])
    assert exchange.cash(user) == before


def test_a_set_may_be_redeemed_that_was_minted_in_pieces(exchange: Exchange) -> None:
    market, yes, no = exhaustive(exchange), exchange.user(), exchange.user()
    for outcome in range(3):
        exchange.place(yes, market, outcome=outcome, price=3000, size=200)
        exchange.place(no, market, outcome=outcome, position="NO", price=7000, size=200)
    exchange.change(yes, market, "redeem", None, 200)  # c is below zero now
    assert exchange.audit() == []
    before = exchange.cash(no)
    settle(exchange, market, [3334, 3333, 3333])
    assert exchange.cash(no) == before + 200 * 20_000
    assert exchange.account(market, "market:escrow") == 0


def test_void_is_equal_shares_with_the_remainder_first(exchange: Exchange) -> None:
    for market, payout in (
        (exchange.market(), [5000, 5000]),
        (exhaustive(exchange), [3334, 3333, 3333]),
        (exchange.market(labels=tuple("abcdefg")), [1429] * 4 + [1428] * 3),
        (uuid4(), None),
    ):
        assert exchange.one("select void_payout(%s)", market) == payout


def test_changes_that_do_not_fit_are_refused(exchange: Exchange) -> None:
    user, poor, closed = exchange.user(), exchange.user(0), exchange.user(closed_only=True)
    binary, many = exchange.market(), exhaustive(exchange)
    over, halted = exchange.market(closes_at="2020-01-01"), exchange.market(trading_status="halted")
    cases: list[tuple[UUID, tuple[Any, ...], Refusal]] = [
        (user, (binary, "steal", 0, 1), Refusal("PR400", "kind")),
        (user, (binary, "split", None, 1), Refusal("PR400", "outcome")),
        (user, (binary, "split", 1, 1), Refusal("PR400", "outcome")),
        (user, (many, "redeem", 0, 1), Refusal("PR400", "outcome")),
        (user, (many, "split", 0, 0), Refusal("PR400", "size")),
        (user, (many, "split", 0, 10**12), Refusal("PR400", "size")),
        (user, (over, "split", 0, 1), Refusal("PR410", None)),
        (user, (halted, "split", 0, 1), Refusal("PR410", None)),
        (user, (uuid4(), "split", 0, 1), Refusal("PR404", None)),
        (user, (binary, "complete", None, 1), Refusal("PR422", None)),
        (user, (binary, "merge", 0, 1), Refusal("PR402", None)),
        (user, (many, "redeem", None, 1), Refusal("PR402", None)),
        (user, (many, "convert", 0, 1), Refusal("PR402", None)),
        (poor, (binary, "split", 0, 1), Refusal("PR402", None)),
        (closed, (binary, "split", 0, 1), Refusal("PR403", None)),
    ]
    for who, request, expected in cases:
        assert refused_change(exchange, who, *request) == expected, request
    assert refused_change(exchange, user, binary, "split", 0, 1, key="x" * 129) == Refusal(
        "PR400", "idempotency_key"
    )


def test_a_change_happens_once_for_a_key(exchange: Exchange) -> None:
    market, user = exchange.market(), exchange.user(1_000_000)
    assert refused_change(exchange, user, market, "split", 0, 200, key="k") == Refusal(
        "PR402", None
    )
    answers: list[Changed] = []

    def split() -> None:
        twin = Exchange(exchange.database, exchange.owner, exchange.worker)
        twin.people[user] = exchange.database.connect("presage_api", presage__user_id=str(user))
        answers.append(twin.change(user, market, "split", 0, 100, key="k"))
        twin.people[user].close()

    threads = [threading.Thread(target=split) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 5
    assert len({answer._replace(replayed=False) for answer in answers}) == 1
    assert exchange.cash(user) == 0
    other = {"key": "k", "request_hash": b"g" * 32}
    assert refused_change(exchange, user, market, "merge", 0, 100, **other) == Refusal(
        "PR411", "idempotency_key"
    )
