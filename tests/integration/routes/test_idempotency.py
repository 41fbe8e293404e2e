"""Fifty copies at once of each call that moves money: one effect, one answer for all."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import Answer, Platform, Wallet

COPIES = 50
# What may be sent ten times a minute: nine copies, and one with another body.
FEW = 9

type Call = tuple[str, dict[str, Any], dict[str, Any]]


@pytest.fixture
def alice(platform: Platform) -> Wallet:
    wallet = platform.sign_in()
    platform.fund(wallet, 1_000_000_000)
    return wallet


def _place(market: str) -> Call:
    return "place_order", {"marketId": market, "side": "BUY", "price": 0.4, "size": 10}, {}


def _slip(market: str) -> Call:
    order = {"marketId": market, "side": "BUY", "price": 0.4, "size": 10}
    return "place_orders", {"orders": [order, order]}, {}


def _split(market: str) -> Call:
    return "split_position", {"marketId": market, "size": 10}, {}


def _merge(market: str) -> Call:
    return "merge_position", {"marketId": market, "size": 5}, {}


def _convert(market: str) -> Call:
    return "convert_position", {"marketId": market, "outcome": "0", "size": 5}, {}


def _dispute(market: str) -> Call:
    return "dispute_market", {"reason": "The scorecard was corrected."}, {"market_id": market}


def _deposit(_market: str) -> Call:
    return "create_deposit", {"method": "bank", "amount": 10, "senderReference": "TXN-1"}, {}


def _withdraw(_market: str) -> Call:
    return "create_withdrawal", {"method": "bank", "amount": 10, "destination": "123456"}, {}


MAKERS = [_place, _slip, _split, _merge, _convert, _dispute, _deposit, _withdraw]


@pytest.mark.parametrize("make", MAKERS)
def test_copies_have_one_effect_and_one_answer(
    make: Callable[[str], Call], platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    market = _prepare(platform, admin, alice, make)
    stem, body, path = make(market)
    answers: list[Answer] = []
    copies = FEW if make in {_dispute, _deposit, _withdraw} else COPIES
    ready = threading.Barrier(copies)

    def send() -> None:
        try:
            ready.wait(30)
            answers.append(_send(platform, alice, stem, body, path))
        finally:
            platform.close()

    threads = [threading.Thread(target=send) for _ in range(copies)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status for answer in answers} == {201}, [a.body for a in answers]
    assert len(answers) == copies
    assert all(answer.data == answers[0].data for answer in answers)
    first = [answer for answer in answers if "idempotent-replayed" not in answer.headers]
    assert len(first) == 1
    other = _send(platform, alice, stem, body | _changed(body), path)
    assert (other.status, other.body["code"]) == (409, "IDEMPOTENCY_CONFLICT")
    assert platform.audit() == []


def _send(
    platform: Platform, wallet: Wallet, stem: str, body: dict[str, Any], path: dict[str, Any]
) -> Answer:
    headers = {"idempotency-key": "the-same"}
    return platform.call(stem, token=wallet.token, body=body, headers=headers, **path)


def _changed(body: dict[str, Any]) -> dict[str, Any]:
    if "orders" in body:
        return {"orders": body["orders"][:1]}
    if "amount" in body:
        return {"amount": "11"}
    return {"reason": "Another reason altogether."} if "reason" in body else {"size": 3}


def _prepare(platform: Platform, admin: Wallet, alice: Wallet, make: Callable[[str], Call]) -> str:
    """A market in which the call can succeed: with shares to give, or an outcome to dispute."""
    if make is _convert:
        market = platform.cities(admin, alice)
    else:
        market = platform.active_market(admin, alice, disputeWindowS=3600)
    body: dict[str, Any] = {"marketId": market, "outcome": "0", "size": 20}
    if make in {_merge, _convert, _dispute}:
        headers = {"idempotency-key": "before"}
        split = platform.call("split_position", token=alice.token, body=body, headers=headers)
        assert split.status == 201, split.body
    if make is _dispute:
        platform.advance(86_400)
        outcome = {"outcome": "NO"}
        platform.call("resolve_market", token=admin.token, market_id=market, body=outcome)
    return market
