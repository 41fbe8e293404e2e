"""Orders over HTTP: the grid, repeats, refusals that name their field, and who sees what."""

import threading
from typing import Any

import pytest

from presage import clock
from tests.harness import Platform, Wallet


@pytest.fixture
def alice(platform: Platform) -> Wallet:
    wallet = platform.sign_in()
    platform.fund(wallet, 1_000_000_000)
    return wallet


@pytest.fixture
def bob(platform: Platform) -> Wallet:
    wallet = platform.sign_in()
    platform.fund(wallet, 1_000_000_000)
    return wallet


@pytest.fixture
def market(platform: Platform, admin: Wallet, alice: Wallet) -> str:
    return platform.active_market(admin, alice, feeBps=200, makerRebateBps=1000)


def test_both_sides_opening_mints_shares(
    platform: Platform, alice: Wallet, bob: Wallet, market: str
) -> None:
    rested = platform.order(alice, market, side="BUY", outcome="YES", price=0.45, size=10)
    assert (rested.status, rested.data["status"]) == (201, "open")
    taken = platform.order(bob, market, side="BUY", outcome="NO", price="0.60", size=4).data
    assert taken["status"] == "filled"
    # Bob pays 0.55 a share, the surplus is his; fee = ceil(400 x 5500 x 4500 x 200 / 1e8) micros.
    assert (taken["averageFillPrice"], taken["cost"], taken["fee"]) == (0.55, 2.2, 0.0198)
    assert [(fill["price"], fill["size"], fill["kind"]) for fill in taken["fills"]] == [
        (0.55, 4.0, "MINT")
    ]
    wallet = platform.call("get_wallet", token=alice.token).data
    assert wallet == {"currency": "BDT", "available": 995.50198, "locked": 2.7}
    position = platform.call("list_positions", token=bob.token).data["positions"][0]
    assert (position["position"], position["size"], position["averagePrice"]) == ("NO", 4.0, 0.55)
    assert platform.audit() == []


def test_a_repeat_answers_the_first_result(
    platform: Platform, alice: Wallet, bob: Wallet, market: str
) -> None:
    body: dict[str, Any] = {"side": "BUY", "price": 0.45, "size": 10, "clientOrderId": "mine-1"}
    first = platform.order(alice, market, **body)
    platform.order(bob, market, side="BUY", outcome="NO", price=0.55, size=10)
    again = platform.order(alice, market, **(body | {"price": "0.4500", "size": "10.0"}))
    assert again.status == 201
    assert again.data == first.data
    assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (
        None,
        "true",
    )
    other = platform.order(alice, market, **(body | {"size": 11}))
    assert (other.status, other.body["code"]) == (409, "IDEMPOTENCY_CONFLICT")
    platform.advance(86_400)
    assert platform.order(alice, market, **body).data == first.data
    assert len(platform.call("list_orders", token=alice.token).data) == 1


def test_the_header_may_name_the_order(platform: Platform, alice: Wallet, market: str) -> None:
    body = {"marketId": market, "side": "BUY", "price": 0.45, "size": 1}
    headers = {"idempotency-key": "from-header"}
    placed = platform.call("place_order", token=alice.token, body=body, headers=headers)
    assert placed.data["clientOrderId"] == "from-header"
    clash = platform.call(
        "place_order", token=alice.token, body=body | {"clientOrderId": "b"}, headers=headers
    )
    assert (clash.status, clash.body["details"]["field"]) == (400, "clientOrderId")


def test_a_refusal_uses_no_key_up(platform: Platform, alice: Wallet, market: str) -> None:
    body: dict[str, Any] = {"side": "BUY", "price": 0.45, "clientOrderId": "k"}
    assert platform.order(alice, market, size=1_000_000, **body).status == 402
    assert platform.order(alice, market, size=1, **body).status == 201


@pytest.mark.parametrize(
    ("fields", "status", "code", "field"),
    [
        ({"price": 0.455}, 400, "VALIDATION_FAILED", "price"),
        ({"price": 0.00005}, 400, "VALIDATION_FAILED", "price"),
        ({"price": 1}, 400, "VALIDATION_FAILED", "price"),
        ({"price": True}, 400, "VALIDATION_FAILED", "price"),
        ({"size": 0.005}, 400, "VALIDATION_FAILED", "size"),
        ({"size": 0.5}, 400, "VALIDATION_FAILED", "size"),
        ({"size": -1}, 400, "VALIDATION_FAILED", "size"),
        ({"side": "HOLD"}, 400, "VALIDATION_FAILED", "side"),
        ({"type": "STOP"}, 400, "VALIDATION_FAILED", "type"),
        ({"outcome": "MAYBE"}, 400, "VALIDATION_FAILED", "outcome"),
        ({"outcome": "NO", "position": "YES"}, 400, "VALIDATION_FAILED", "position"),
        ({"clientOrderId": None}, 400, "VALIDATION_FAILED", "clientOrderId"),
        ({"clientOrderId": "x" * 129}, 400, "VALIDATION_FAILED", "clientOrderId"),
        ({"prize": 0.4}, 400, "VALIDATION_FAILED", "prize"),
        ({"amount": 5}, 400, "VALIDATION_FAILED", "body"),
        ({"size": None, "amount": 5}, 400, "VALIDATION_FAILED", "body"),
        ({"postOnly": True, "type": "FOK"}, 400, "VALIDATION_FAILED", "body"),
        ({"marketId": "nope"}, 400, "VALIDATION_FAILED", "marketId"),
        (
            {"marketId": "00000000-0000-4000-8000-000000000000"},
            404,
            "NOT_FOUND",
            "marketId",
        ),
        ({"size": 10_000}, 402, "INSUFFICIENT_FUNDS", None),
        ({"side": "SELL"}, 402, "INSUFFICIENT_FUNDS", None),
        ({"type": "FOK"}, 422, "UNPROCESSABLE", None),
    ],
)
def test_refusals_name_their_field_and_change_nothing(
    fields: dict[str, Any],
    status: int,
    code: str,
    field: str | None,
    platform: Platform,
    alice: Wallet,
    market: str,
) -> None:
    body = {"side": "BUY", "price": 0.45, "size": 10, "clientOrderId": "r"} | fields
    refused = platform.order(alice, market, **body)
    assert (refused.status, refused.body["code"]) == (status, code), refused.body
    if field is not None:
        assert refused.body["details"]["field"] == field
    assert platform.call("list_orders", token=alice.token).data == []
    assert platform.call("get_wallet", token=alice.token).data["available"] == 1000.0


def test_nobody_trades_after_the_close(platform: Platform, alice: Wallet, market: str) -> None:
    platform.advance(86_400)
    refused = platform.order(alice, market, side="BUY", price=0.45, size=10)
    assert (refused.status, refused.body["code"]) == (409, "INVALID_STATE")


def test_a_gtd_order_rests_until_its_expiration(
    platform: Platform, alice: Wallet, bob: Wallet, market: str
) -> None:
    soon = clock.from_ms(clock.now_ms() + 120_000).isoformat()
    body: dict[str, Any] = {"side": "BUY", "price": 0.45, "size": 10, "type": "GTD"}
    for wrong in ({}, {"expiration": clock.from_ms(clock.now_ms() + 59_000).isoformat()}):
        assert platform.order(alice, market, **(body | wrong)).status == 400
    good_till_cancelled = body | {"type": "GTC", "expiration": soon}
    assert platform.order(alice, market, **good_till_cancelled).status == 400
    order = platform.order(alice, market, **(body | {"expiration": soon})).data["id"]
    shown = platform.call("get_order", token=alice.token, order_id=order).data
    assert shown["expiration"] == soon
    platform.advance(121)
    # No workflow has run yet, and still nobody trades with it.
    late = platform.order(bob, market, side="BUY", outcome="NO", price=0.55, size=1)
    assert late.data["status"] == "open"
    platform.deliver("expire_orders")
    assert platform.call("get_order", token=alice.token, order_id=order).data["status"] == "expired"
    assert platform.call("get_wallet", token=alice.token).data["available"] == 1000.0
    assert platform.audit() == []


def test_the_sweep_releases_what_nobody_met(platform: Platform, alice: Wallet, market: str) -> None:
    soon = clock.from_ms(clock.now_ms() + 60_000).isoformat()
    for price in (0.1, 0.2):
        platform.order(alice, market, side="BUY", price=price, size=1, type="GTD", expiration=soon)
    platform.advance(60)
    assert platform.deliver("expire_orders").data["counts"] == {"expired": 2}


def test_an_order_can_be_made_smaller_and_keeps_its_place(
    platform: Platform, alice: Wallet, bob: Wallet, market: str
) -> None:
    body: dict[str, Any] = {"side": "BUY", "price": 0.45, "size": 10, "clientOrderId": "first"}
    placed = platform.order(alice, market, **body)
    order = placed.data["id"]
    platform.order(bob, market, side="BUY", price=0.45, size=10)
    platform.order(
        bob,
        market,
        side="BUY",
        outcome="NO",
        price=0.55,
        size=2,
        selfTradePrevention="cancel_maker",
    )

    def amend(size: float, wallet: Wallet = alice) -> Any:
        return platform.call("amend_order", token=wallet.token, order_id=order, body={"size": size})

    smaller = amend(6).data
    assert (smaller["size"], smaller["filledSize"], smaller["remainingSize"]) == (6.0, 2.0, 4.0)
    assert (smaller["releasedSize"], smaller["releasedAmount"]) == (4.0, 1.8)
    assert amend(6).status == 200
    for size, wallet, status in ((7, alice, 400), (1, alice, 400), (5, bob, 404)):
        assert amend(size, wallet).status == status
    taken = platform.order(bob, market, side="BUY", outcome="NO", price=0.55, size=4)
    assert taken.data["status"] == "filled"
    assert platform.call("get_order", token=alice.token, order_id=order).data["status"] == "filled"
    assert amend(2).status == 409
    # What was first answered stays what it was.
    assert platform.order(alice, market, **body).data == placed.data
    assert platform.audit() == []


def test_orders_are_listed_by_page_and_filter(
    platform: Platform, alice: Wallet, market: str
) -> None:
    placed = [
        platform.order(alice, market, side="BUY", price=price, size=1).data["id"]
        for price in ("0.10", "0.20", "0.30", "0.40", "0.50")
    ]
    platform.call("cancel_order", token=alice.token, order_id=placed[0])
    seen: list[str] = []
    cursor = None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = platform.call("list_orders", token=alice.token, query=query)
        seen += [order["id"] for order in page.data]
        cursor = page.body["pagination"]["nextCursor"]
        if not cursor:
            break
    assert seen == placed[::-1]
    cancelled = platform.call("list_orders", token=alice.token, query={"status": "cancelled"}).data
    assert [order["id"] for order in cancelled] == placed[:1]
    later = clock.from_ms(clock.now_ms() + 1).isoformat()
    assert platform.call("list_orders", token=alice.token, query={"from": later}).data == []
    bad = platform.call("list_orders", token=alice.token, query={"cursor": "WzFd!"})
    assert (bad.status, bad.body["details"]["field"]) == (400, "cursor")


def test_orders_are_their_owners_business(
    platform: Platform, alice: Wallet, bob: Wallet, market: str
) -> None:
    order = platform.order(alice, market, side="BUY", price=0.45, size=10).data["id"]
    for stem in ("get_order", "cancel_order"):
        assert platform.call(stem, token=bob.token, order_id=order).status == 404
        assert platform.call(stem, order_id=order).status == 401
    assert platform.call("list_orders", token=bob.token).data == []
    assert platform.call("get_order", token=alice.token, order_id=order).data["status"] == "open"


def test_the_kill_switch_wants_to_know_what(platform: Platform, alice: Wallet, market: str) -> None:
    for price in (0.1, 0.2, 0.3):
        platform.order(alice, market, side="BUY", price=price, size=1)
    assert platform.call("cancel_orders", token=alice.token).status == 400
    both = {"all": "true", "marketId": market}
    assert platform.call("cancel_orders", token=alice.token, query=both).status == 400
    killed = platform.call("cancel_orders", token=alice.token, query={"marketId": market}).data
    assert killed["count"] == 3
    assert sum(order["releasedAmount"] for order in killed["cancelled"]) == pytest.approx(0.6)
    assert platform.call("get_wallet", token=alice.token).data["available"] == 1000.0
    again = platform.call("cancel_orders", token=alice.token, query={"all": "true"}).data
    assert again == {"cancelled": [], "count": 0, "more": False}


def test_two_users_at_once_never_meet(
    platform: Platform, alice: Wallet, bob: Wallet, market: str
) -> None:
    """Threads of one process serve two users in turn: neither sees a thing of the other."""
    for wallet, price in ((alice, 0.11), (bob, 0.12)):
        platform.order(wallet, market, side="BUY", price=price, size=1)
    wrong: list[object] = []
    barrier = threading.Barrier(4)

    def look(mine: Wallet, other: Wallet) -> None:
        try:
            barrier.wait(10)
            for _ in range(15):
                for wallet, price in ((mine, None), (other, None)):
                    expected = 0.11 if wallet is alice else 0.12
                    orders = platform.call("list_orders", token=wallet.token).data
                    who = platform.call("get_session", token=wallet.token).data["user"]["address"]
                    if [o["price"] for o in orders] != [expected] or who != wallet.address:
                        wrong.append((wallet, price, orders, who))
        finally:
            platform.close()

    threads = [
        threading.Thread(target=look, args=pair) for pair in ((alice, bob), (bob, alice)) * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
