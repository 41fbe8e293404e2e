"""Bet slips over HTTP: refusals order by order, all or nothing, repeats, and what they cost."""

from typing import Any

import pytest

from tests.harness import Answer, Platform, Wallet


@pytest.fixture
def alice(platform: Platform) -> Wallet:
    wallet = platform.sign_in()
    platform.fund(wallet, 100_000_000)
    return wallet


@pytest.fixture
def market(platform: Platform, admin: Wallet, alice: Wallet) -> str:
    return platform.active_market(admin, alice)


def _slip(
    platform: Platform,
    wallet: Wallet,
    orders: list[dict[str, Any]],
    *,
    key: str = "slip-1",
    mode: str = "independent",
) -> Answer:
    body = {"mode": mode, "orders": orders}
    return platform.call(
        "place_orders", token=wallet.token, body=body, headers={"idempotency-key": key}
    )


def _buy(market: str, price: float, size: float, **fields: Any) -> dict[str, Any]:
    return {"marketId": market, "side": "BUY", "price": price, "size": size} | fields


def test_independent_orders_are_taken_while_funds_last(
    platform: Platform, alice: Wallet, market: str
) -> None:
    slip = _slip(
        platform,
        alice,
        [
            _buy(market, 0.5, 100, clientOrderId="mine"),
            _buy(market, 0.5, 1000),
            _buy(market, 0.455, 1),
            _buy(market, 0.4, 100, outcome="MAYBE"),
            _buy(market, 0.4, 100),
        ],
    )
    assert (slip.status, slip.data["status"]) == (201, "partial")
    assert [(one["status"], one["code"], one["field"]) for one in slip.data["orders"]] == [
        ("open", None, None),
        ("rejected", "INSUFFICIENT_FUNDS", None),
        ("rejected", "VALIDATION_FAILED", "price"),
        ("rejected", "VALIDATION_FAILED", "outcome"),
        ("open", None, None),
    ]
    assert slip.data["orders"][0]["clientOrderId"] == "mine"
    assert platform.call("get_wallet", token=alice.token).data == {
        "currency": "BDT",
        "available": 10.0,
        "locked": 90.0,
    }
    assert platform.audit() == []


def test_an_atomic_slip_is_all_or_nothing(platform: Platform, alice: Wallet, market: str) -> None:
    orders = [_buy(market, 0.5, 100), _buy(market, 0.5, 101)]
    failed = _slip(platform, alice, orders, mode="atomic")
    assert (failed.status, failed.data["status"]) == (201, "failed")
    assert platform.call("list_orders", token=alice.token).data == []
    done = _slip(platform, alice, orders[:1] * 2, mode="atomic", key="slip-2")
    assert done.data["status"] == "completed"
    assert platform.call("get_wallet", token=alice.token).data["available"] == 0.0


def test_a_repeat_answers_the_first_slip(platform: Platform, alice: Wallet, market: str) -> None:
    orders = [_buy(market, 0.5, 10), _buy(market, 0.5, 1000)]
    first = _slip(platform, alice, orders)
    again = _slip(platform, alice, orders)
    assert again.data == first.data
    assert again.headers["idempotent-replayed"] == "true"
    clash = _slip(platform, alice, orders[:1])
    assert (clash.status, clash.body["code"]) == (409, "IDEMPOTENCY_CONFLICT")
    assert len(platform.call("list_orders", token=alice.token).data) == 1


def test_a_slip_costs_its_size(platform: Platform, alice: Wallet, market: str) -> None:
    before = int(platform.call("get_wallet", token=alice.token).headers["ratelimit-remaining"])
    slip = _slip(platform, alice, [_buy(market, 0.1, 1)] * 7)
    assert int(slip.headers["ratelimit-remaining"]) == before - 7


@pytest.mark.parametrize("count", [0, 21])
def test_a_slip_holds_one_to_twenty(
    count: int, platform: Platform, alice: Wallet, market: str
) -> None:
    refused = _slip(platform, alice, [_buy(market, 0.1, 1)] * count)
    assert (refused.status, refused.body["details"]["field"]) == (400, "orders")


def test_a_bad_order_is_named_by_its_place(platform: Platform, alice: Wallet, market: str) -> None:
    refused = _slip(platform, alice, [_buy(market, 0.1, 1), _buy(market, 2, 1)])
    assert (refused.status, refused.body["details"]["field"]) == (400, "orders.1.price")
