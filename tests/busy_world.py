"""A platform on which every scheduled task has something to do, and the outside that they ask."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
import pytest
from solders.system_program import TransferParams, transfer

from infra.local.feed import FeedServer, FeedTick, PriceFeed
from infra.local.ipfs import IpfsNode, raw_cid
from infra.local.news_feed import NewsFeed, Story, rss
from infra.local.rate_feed import RateFeed, Venues
from presage import clock, config
from presage.call import Call
from presage.chain import sending
from presage.ops import alerts
from presage.routes import ROUTES
from tests.alert_receiver import ROUTING_KEY, SLACK_PATH, Receiver, serve_receiver
from tests.cluster import AUTHORITY, Cluster
from tests.harness import NOON_MS, Platform, Wallet

HOUR_S = 3_600
# An hour after midnight, when a deposit of the first noon has expired.
START_S = 37 * HOUR_S
# How long a simulation may go on asking for prices.
PRICED_S = 2 * HOUR_S
KEYS = ("0x" + "b1" * 32, "0x" + "c1" * 32)
OLD_SNAPSHOT = b"{}"
# Hours to the close: those that end, one that closes within the hour, one that goes on.
CLOSES_H = {"final": 2, "due": 2, "closed": 2, "priced": 2, "open": 37.5, "far": 720}


@dataclass(frozen=True)
class Outside:
    """Whom a history tells something: what they were told is kept until `forget`."""

    receiver: Receiver
    ipfs: IpfsNode

    def forget(self) -> None:
        """Begin another history, whose node has pinned the oldest snapshot alone."""
        self.receiver.slack.clear()
        self.receiver.pagerduty.clear()
        self.ipfs.blocks.clear()
        self.ipfs.pinned.clear()
        self.ipfs.pinned.add(raw_cid(OLD_SNAPSHOT))

    @property
    def told(self) -> set[str]:
        """What was told, each once: nobody can post to Slack once for sure, PagerDuty folds."""
        told = {body["text"] for body in self.receiver.slack}
        told |= {f"{body['event_action']} {body['dedup_key']}" for body in self.receiver.pagerduty}
        return told | {f"pinned {cid}" for cid in self.ipfs.pinned}


@contextmanager
def outside(patch: pytest.MonkeyPatch) -> Iterator[Outside]:
    """Prices, rates, news, a chain, Slack, PagerDuty and an IPFS node, which always answer.

    What was told is kept. The chain lives in real time: histories begin again, and it cannot.
    """
    moments = [NOON_MS + 2 * HOUR_S * 1_000 + by for by in (-1_000, 0, 1_000)]
    start_ms = NOON_MS + START_S * 1_000
    moments += range(start_ms, start_ms + PRICED_S * 1_000, 20_000)
    ticks = [FeedTick(recv_ms=one, feed_ms=one, value=Decimal("65000.5")) for one in moments]
    news = NewsFeed()
    story = Story("a", "https://news.example/a", "About a", "All of a.", clock.from_ms(start_ms))
    news.documents["/rss"] = lambda: rss([story])
    rates = RateFeed(clock.now_ms)
    with (
        FeedServer(Venues(PriceFeed(ticks, "BTC/USD", clock.now_ms), rates)) as prices,
        FeedServer(news) as stories,
        serve_receiver() as receiver,
        Cluster() as cluster,
        FeedServer(node := IpfsNode()) as ipfs,
    ):
        for name, value in cluster.environment.items():
            patch.setenv(name, value)
        # A market that no delivery told of, final for long.
        cluster.create_market(cluster.wallet(10))
        cluster.advance_slots(400)
        for name in ("BINANCE_URL", "COINBASE_URL", "BINANCE_P2P_URL", "COINGECKO_URL"):
            patch.setenv(name, prices.url)
        patch.setenv("PRICE_SYMBOLS", "BTC/USD")
        patch.setenv("NEWS_FEEDS", f"{stories.url}/rss")
        patch.setenv("SLACK_WEBHOOK_URL", receiver.url + SLACK_PATH)
        patch.setenv("PAGERDUTY_ROUTING_KEY", ROUTING_KEY)
        patch.setenv("PAGERDUTY_URL", receiver.url)
        patch.setenv("IPFS_API_URL", ipfs.url)
        yield Outside(receiver, node)


def fill(platform: Platform, admin: Wallet) -> None:
    """Live through a day and a half, on which no task ran."""
    traders = [platform.sign_in(key) for key in KEYS]
    for trader in traders:
        platform.fund(trader, 100_000_000)
    markets = {slug: _market(platform, admin, traders, slug) for slug in CLOSES_H}
    _vote(platform, traders)
    _send(platform)
    _ask(platform, traders[0])
    platform.advance(2 * HOUR_S)
    for slug in ("final", "due"):
        _done(platform, "resolve_market", admin, markets[slug], {"outcome": "YES"})
        platform.advance(HOUR_S / 2)
    _done(platform, "finalize_market", admin, markets["final"])
    platform.advance(22 * HOUR_S)
    _trade(platform, [platform.sign_in(key) for key in KEYS], markets["far"], "again")
    for market in ("far", "open"):
        said = platform.comment(platform.sign_in(KEYS[0]), markets[market])
        assert said.status == 201, said.body
    platform.dead_letter("daily_report", "2026-07-20:slack")
    _lose_message(platform)
    # More than one chunk to clean up.
    with platform.database.connect() as owner:
        owner.execute(
            "insert into price_feeds select 'test', 'BTC/USD', %s::timestamptz"
            " - interval '91 days' - n * interval '1 second', 1, now()"
            " from generate_series(1, 6000) as n",
            (clock.now(),),
        )
        owner.execute(
            "insert into ipfs_anchors (market_id, snapshot_date, cid, part, parts,"
            " discussions_count, size_bytes, created_at, pinned_at)"
            " values (%s, '2026-01-01', %s, 0, 1, 1, 2, %s, now())",
            (markets["far"], raw_cid(OLD_SNAPSHOT), clock.now() - dt.timedelta(days=91)),
        )
    platform.set_clock(NOON_MS + START_S * 1_000)
    worker = platform.as_zone("worker")
    alerts.raise_alert(worker, "audit_failed", {}, "test")
    alerts.raise_alert(worker, "workflow_failed", {}, "test")
    _take_up(platform, worker)


def _market(platform: Platform, admin: Wallet, traders: list[Wallet], slug: str) -> str:
    closes = clock.from_ms(NOON_MS + round(CLOSES_H[slug] * HOUR_S * 1_000)).isoformat()
    rule = {
        "kind": "price_at",
        "symbol": "BTC/USD",
        "reference": "strike",
        "strike": "65000",
        "openAt": clock.now().isoformat(),
        "closeAt": closes,
    }
    market = platform.active_market(
        admin,
        admin,
        slug=slug,
        closesAt=closes,
        disputeWindowS=3600,
        feeBps=200,
        **({"resolutionRule": rule} if slug == "priced" else {}),
    )
    for trader in traders:
        platform.call("follow_market", token=trader.token, market_id=market, body={})
    _trade(platform, traders, market, slug)
    return market


def _trade(platform: Platform, traders: list[Wallet], market: str, name: str) -> None:
    """A trade between the two, and of each an order that rests and one that expires."""
    until = clock.from_ms(clock.now_ms() + HOUR_S * 1_000).isoformat()
    choices: dict[str, dict[str, Any]] = {
        "trades": {"price": 0.5, "size": 10},
        "rests": {"price": 0.2, "size": 3},
        "expires": {"price": 0.1, "size": 3, "type": "GTD", "expiration": until},
    }
    for trader, outcome in zip(traders, ("YES", "NO"), strict=True):
        for kind, fields in choices.items():
            fields["clientOrderId"] = f"{name} {outcome} {kind}"
            placed = platform.order(trader, market, side="BUY", outcome=outcome, **fields)
            assert placed.status == 201, placed.body


def _vote(platform: Platform, traders: list[Wallet]) -> None:
    """A proposal that ten wallets like, eight of which exist in the database only."""
    body = {"slug": "voted", "closesAt": clock.from_ms(NOON_MS + 30 * 86_400_000).isoformat()}
    market = platform.proposed_market(traders[0], **body)
    for trader in traders:
        like = {"marketId": market, "vote": "like"}
        assert platform.call("vote_on_proposal", token=trader.token, body=like).status == 200
    with platform.database.connect() as owner:
        owner.execute(
            "with wallets as ("
            "  insert into users (id, address, chain, created_at)"
            "  select gen_random_uuid(), 'voter ' || i, 'solana', now()"
            "  from generate_series(1, 8) as i returning id, address)"
            " insert into votes (id, market_id, user_id, wallet, kind, vote, created_at)"
            " select gen_random_uuid(), %s, id, address, 'proposal', true, now() from wallets",
            (market,),
        )


def _send(platform: Platform) -> None:
    """A transaction of ours that has become final, long ago, and nobody here knows it."""
    to = AUTHORITY.pubkey()
    pay = transfer(TransferParams(from_pubkey=to, to_pubkey=to, lamports=1))
    assert sending.submit(platform.as_zone("worker"), "test", None, [pay]).status == "sent"
    control = f"{config.get('SOLANA_RPC_URL')}/_local/slots"
    httpx.post(control, json={"advance": 400}).raise_for_status()


def _ask(platform: Platform, trader: Wallet) -> None:
    """What waits for humans: a ticket, a deposit, credentials under a key that is replaced."""
    words = {"title": "My deposit", "message": "It is not there."}
    secret = {"apiKey": "key", "apiSecret": "secret", "passphrase": "pass"}
    asked = [
        platform.deposit(trader),
        platform.call("create_ticket", token=trader.token, body=words),
        platform.call("link_polymarket", token=trader.token, body=secret),
    ]
    assert [answer.status for answer in asked] == [201, 201, 200]


def _lose_message(platform: Platform) -> None:
    """QStash gives a message up."""
    lost = {
        "sourceMessageId": "msg_lost",
        "url": config.get("PUBLIC_BASE_URL") + ROUTES["cleanup"].path,
        "status": 500,
        "createdAt": clock.now_ms(),
    }
    assert platform.deliver("delivery_failed", lost).status == 200


def _take_up(platform: Platform, worker: Call) -> None:
    """Somebody acknowledges an alert that went everywhere."""
    alerts.raise_alert(worker, "audit_failed", {}, "taken up")
    with platform.database.connect() as owner:
        owner.execute(
            "update ops_alerts set sent_at = now(), channels = '{slack,pagerduty}',"
            " acknowledged_at = now(), acknowledged_by = (select id from users limit 1)"
            " where fingerprint = 'audit_failed:taken up'"
        )


def _done(
    platform: Platform, stem: str, admin: Wallet, market: str, body: dict[str, str] | None = None
) -> None:
    answer = platform.call(stem, token=admin.token, market_id=market, body=body)
    assert answer.status == 200, answer.body
