"""Positions over HTTP: what shares cost and earned, at average cost and oldest first."""

import pytest

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


@pytest.mark.parametrize(
    ("method", "cost", "realised"), [("average", 5.0, 2.0), ("fifo", 6.0, 3.0)]
)
def test_sold_shares_leave_by_the_method_asked_for(
    method: str,
    cost: float,
    realised: float,
    platform: Platform,
    admin: Wallet,
    alice: Wallet,
    bob: Wallet,
) -> None:
    """Ten shares at 0.4, ten at 0.6; ten go at 0.7: they cost 0.5 by average, 0.4 oldest first."""
    market = platform.active_market(admin, alice)
    for price in ("0.4", "0.6"):
        platform.order(alice, market, side="BUY", price=price, size=10)
        no = f"{1 - float(price):.1f}"
        platform.order(bob, market, side="BUY", outcome="NO", price=no, size=10)
    platform.order(bob, market, side="BUY", price=0.7, size=10)
    sold = platform.order(alice, market, side="SELL", price=0.7, size=10)
    assert sold.data["status"] == "filled"
    shown = platform.call("list_positions", token=alice.token, query={"method": method}).data
    position = shown["positions"][0]
    assert (position["size"], position["cost"], position["realisedPnl"]) == (10.0, cost, realised)
    assert position["averagePrice"] == cost / 10
    assert (shown["totals"]["cost"], shown["totals"]["realisedPnl"]) == (cost, realised)
    assert platform.audit() == []
