"""Holders of a market on Solana are told of its end, once, and may claim."""

from typing import Any

import pytest
from solders.keypair import Keypair

from infra.local.deliveries import GENESIS_S, Raw, market, of_events, wallet
from presage.chain.events import (
    MarketActivated,
    MarketCreated,
    MarketFinalized,
    MarketResolved,
    SharesBought,
    SharesSold,
)
from presage.chain.programme import platform_market_id
from tests.harness import Platform, Wallet

THIS = market("ends")
MARKET_ID = str(platform_market_id(THIS))
CREATOR = wallet("creator")
CID = b"QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"
UNIT = 1_000_000_000


class Holder:
    """A wallet of Solana that is signed in."""

    def __init__(self, platform: Platform) -> None:
        key = Keypair()
        self.raw = bytes(key.pubkey())
        self.wallet: Wallet = platform.sign_in_with_solana(key)


def _trade(kind: type[Any], who: bytes, slot: int, *, is_yes: bool = True) -> Raw:
    event = kind(THIS, who, is_yes, UNIT, UNIT, UNIT // 2, GENESIS_S)
    return of_events(event, name=f"trade {slot}", slot=slot)


def _end() -> Raw:
    return of_events(
        MarketResolved(THIS, CREATOR, outcome=True, evidence_hash=CID, timestamp=GENESIS_S),
        MarketFinalized(THIS, final_outcome=True, was_disputed=False, timestamp=GENESIS_S),
        name="end",
        slot=3_000,
    )


def _told(platform: Platform, who: Wallet) -> list[tuple[str, str]]:
    shown = platform.call("list_notifications", token=who.token).data
    return [(one["type"], one["marketId"]) for one in shown]


@pytest.fixture
def traded(platform: Platform) -> dict[str, Holder]:
    """Who bought, who bought the losing side and follows, who follows, and who sold again."""
    people = {name: Holder(platform) for name in ("winner", "loser", "follower", "seller")}
    platform.index(
        of_events(
            MarketCreated(THIS, CREATOR, 10**11, 0, GENESIS_S),
            MarketActivated(THIS, CREATOR, 10**10, GENESIS_S),
            name="begin",
            slot=1_001,
        ),
        _trade(SharesBought, people["winner"].raw, 1_002),
        _trade(SharesBought, people["loser"].raw, 1_003, is_yes=False),
        _trade(SharesBought, people["seller"].raw, 1_004),
        _trade(SharesSold, people["seller"].raw, 1_005),
        _trade(SharesBought, wallet("stranger"), 1_006),
    )
    for name in ("loser", "follower"):
        done = platform.call("follow_market", token=people[name].wallet.token, market_id=MARKET_ID)
        assert done.status == 200, done.body
    return people


def test_holders_are_told_once(platform: Platform, traded: dict[str, Holder]) -> None:
    platform.deliver("sweep_outbox")
    assert _told(platform, traded["winner"].wallet) == []
    for _ in range(2):  # delivered twice, swept twice
        platform.index(_end())
        platform.deliver("sweep_outbox")
        platform.advance(61)
    end = ("market_resolved", MARKET_ID)
    told = {name: _told(platform, one.wallet) for name, one in traded.items()}
    assert told == {"winner": [end], "loser": [end], "follower": [end], "seller": []}
    with platform.database.connect() as owner:
        row = owner.execute("select count(*) from notifications").fetchone()
    assert row == (3,)


def test_claims_open_with_the_end(platform: Platform, traded: dict[str, Holder]) -> None:
    def claims() -> bool:
        platform.advance(60)
        return bool(platform.call("get_market", market_id=MARKET_ID).data["claimsEnabled"])

    assert traded
    assert not claims()
    platform.index(_end())
    assert claims()


def test_holders_of_a_native_market_are_told_of_their_payout_only(
    platform: Platform, admin: Wallet, traded: dict[str, Holder]
) -> None:
    """Whoever makes a market on chain may give it the id of one of ours: nobody is told for it."""
    with platform.database.connect() as owner:
        owner.execute("update markets set venue = 'native' where id = %s", (MARKET_ID,))
        owner.execute(
            "insert into outbox (topic, market_id, payload, created_at)"
            """ values ('market_state', %s, '{"newState": "FINALIZED"}', now())""",
            (MARKET_ID,),
        )
    platform.deliver("sweep_outbox")
    assert _told(platform, traded["winner"].wallet) == []
    assert _told(platform, traded["loser"].wallet) == [("market_resolved", MARKET_ID)]
    assert _told(platform, admin) == []
