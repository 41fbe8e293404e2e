"""The wallets of a test of the local programme, and markets in the states that it needs."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from infra.local.clock import set_clock
from presage.chain import programme
from presage.chain.accounts import MarketAccount, UserPosition
from tests.cluster import SOL, Cluster, RpcFailureError

DAY_S = 86_400


@dataclass
class Scene:
    """A cluster and the wallets of one test."""

    cluster: Cluster
    creator: Keypair
    trader: Keypair

    def market(self, market: Pubkey) -> MarketAccount:
        """A market's account."""
        return self.cluster.account(MarketAccount, market)

    def position(self, market: Pubkey, user: Keypair) -> UserPosition:
        """A wallet's position."""
        address = programme.position_address(market, user.pubkey())
        return self.cluster.account(UserPosition, address)

    def days_later(self, days: float) -> None:
        """Move the clock on from the start of the module."""
        assert self.cluster.clock_file is not None
        now_ms = int(self.cluster.clock_file.read_text())
        set_clock(self.cluster.clock_file, now_ms + round(days * DAY_S * 1_000))

    def now_s(self) -> int:
        """The time on chain."""
        assert self.cluster.clock_file is not None
        return int(self.cluster.clock_file.read_text()) // 1_000

    def disputed(self) -> Pubkey:
        """A market whose proposed YES is disputed."""
        market = self.cluster.active_market(self.creator)
        self.cluster.buy(self.trader, market, SOL // 10)
        self.cluster.resolve(self.creator, market)
        self.cluster.dispute(self.trader, market)
        return market


def refused(action: Callable[[], object]) -> str:
    """The name of the programme's error that an action ends with; the number of any other."""
    with pytest.raises(RpcFailureError) as caught:
        action()
    assert caught.value.code == -32002
    assert caught.value.data is not None
    [place, error] = caught.value.data["err"]["InstructionError"]
    assert place == 0
    code = error["Custom"]
    name = programme.error_name(code)
    if name is None:
        return str(code)
    assert f"Error Code: {name}. Error Number: {code}." in "".join(caught.value.data["logs"])
    assert caught.value.data["logs"][-1].endswith(f"failed: custom program error: {code:#x}")
    return name
