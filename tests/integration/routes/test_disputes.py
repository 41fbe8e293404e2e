"""Disputes over HTTP: who may raise one, what it costs, and both ways it ends."""

from typing import Any

import pytest

from tests.harness import Answer, Platform, Wallet


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
def market(platform: Platform, admin: Wallet, alice: Wallet, bob: Wallet) -> str:
    """Alice holds 200 YES at 0.4, bob 200 NO at 0.6; NO is proposed."""
    market = platform.active_market(admin, alice, disputeWindowS=3600)
    platform.order(alice, market, side="BUY", price=0.4, size=200)
    platform.order(bob, market, side="BUY", outcome="NO", price=0.6, size=200)
    platform.advance(86_400)
    body = {"outcome": "NO"}
    platform.call("resolve_market", token=admin.token, market_id=market, body=body)
    return market


def _decide(platform: Platform, admin: Wallet, market: str, **body: Any) -> Answer:
    return platform.call("decide_dispute", token=admin.token, market_id=market, body=body)


def _balances(platform: Platform, *wallets: Wallet) -> list[float]:
    return [platform.call("get_wallet", token=wallet.token).data["available"] for wallet in wallets]


def test_an_upheld_dispute_turns_the_outcome_and_gives_the_bond_back(
    platform: Platform, admin: Wallet, alice: Wallet, bob: Wallet, market: str
) -> None:
    raised = platform.dispute(alice, market)
    assert (raised.status, raised.data["state"], raised.data["bond"]) == (201, "DISPUTED", 2.0)
    assert platform.dispute(alice, market).headers["idempotent-replayed"] == "true"
    assert platform.dispute(bob, market).status == 409
    assert _balances(platform, alice) == [918.0]
    # Nothing becomes final by itself any more.
    platform.advance(3600)
    assert platform.deliver("market_monitor").data["counts"] == {
        "finalized": 0,
        "concluded": 0,
        "sent": 0,
        "cancelled": 0,
    }
    decided = _decide(platform, admin, market, upheld=True, outcome="YES", reason="Corrected.")
    assert (decided.status, decided.data["state"]) == (200, "FINALIZED")
    platform.deliver("settle_market")
    assert _balances(platform, alice, bob) == [1120.0, 880.0]
    assert platform.audit() == []


def test_a_refused_dispute_costs_its_bond(
    platform: Platform, admin: Wallet, alice: Wallet, bob: Wallet, market: str
) -> None:
    platform.dispute(alice, market)
    wrong = _decide(platform, admin, market, upheld=False, outcome="YES")
    assert (wrong.status, wrong.body["code"]) == (400, "VALIDATION_FAILED")
    assert _decide(platform, admin, market, upheld=False).data["isUpheld"] is False
    platform.deliver("settle_market")
    assert _balances(platform, alice, bob) == [918.0, 1080.0]
    assert platform.deliver("sweep_fees").data["counts"]["sweptMicros"] == 2_000_000
    assert platform.audit() == []


def test_only_a_holder_inside_the_window_may_dispute(
    platform: Platform, alice: Wallet, market: str
) -> None:
    stranger = platform.sign_in()
    platform.fund(stranger, 100_000_000)
    assert platform.dispute(stranger, market).status == 403
    platform.advance(3600)
    late = platform.dispute(alice, market)
    assert (late.status, late.body["code"]) == (409, "INVALID_STATE")
