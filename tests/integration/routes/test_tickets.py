"""Tickets for the WebSocket: good once, within a minute, and only their hash is kept."""

import threading

import pytest

from presage import clock
from presage.identity import sessions
from tests.harness import Platform, Wallet

CONSUME = "select user_id, address, role from consume_ws_ticket(%s, %s)"


@pytest.fixture
def alice(platform: Platform) -> Wallet:
    return platform.sign_in()


def test_a_ticket_is_good_once(platform: Platform, alice: Wallet) -> None:
    made = platform.call("create_ws_ticket", token=alice.token)
    assert made.status == 201
    assert made.data["expiresAt"] == "2026-07-24T12:01:00+00:00"
    shown = (sessions.hash_token(made.data["ticket"]), clock.now())
    with platform.database.connect("presage_api") as api:
        taken = api.execute(CONSUME, shown).fetchall()
        assert taken == [(alice.user_id, alice.address, "user")]
        assert api.execute(CONSUME, shown).fetchall() == []
    with platform.database.connect() as owner:
        row = owner.execute("select ws_tickets::text from ws_tickets").fetchone()
    assert row is not None
    assert made.data["ticket"] not in row[0]


def test_a_read_key_may_listen(platform: Platform, alice: Wallet) -> None:
    key = platform.api_key(alice, "read")
    assert platform.call("create_ws_ticket", token=key).status == 201


def test_a_ticket_ends_after_a_minute(platform: Platform, alice: Wallet) -> None:
    ticket = platform.call("create_ws_ticket", token=alice.token).data["ticket"]
    platform.advance(60)
    with platform.database.connect("presage_worker") as worker:
        shown = (sessions.hash_token(ticket), clock.now())
        assert worker.execute(CONSUME, shown).fetchall() == []
        unknown = (sessions.hash_token("unknown"), clock.now())
        assert worker.execute(CONSUME, unknown).fetchall() == []


def test_one_of_fifty_concurrent_uses_wins(platform: Platform, alice: Wallet) -> None:
    ticket = platform.call("create_ws_ticket", token=alice.token).data["ticket"]
    shown = (sessions.hash_token(ticket), clock.now())
    taken: list[int] = []
    at_once = threading.Barrier(50)

    def use() -> None:
        with platform.database.connect("presage_api") as api:
            at_once.wait()
            taken.append(len(api.execute(CONSUME, shown).fetchall()))

    threads = [threading.Thread(target=use) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [0] * 49 + [1]


def test_tickets_are_limited(platform: Platform, alice: Wallet) -> None:
    # The first call finds no copy of the session in Redis to be counted by.
    assert platform.call("get_wallet", token=alice.token).status == 200
    statuses = [platform.call("create_ws_ticket", token=alice.token).status for _ in range(31)]
    assert statuses == [201] * 30 + [429]
