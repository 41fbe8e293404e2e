"""Snapshots of discussions: pinned under the CID that we compute, read back and proved by it."""

import datetime as dt
import hashlib
import json
import math
import time
from dataclasses import dataclass
from typing import Any

import pytest

from infra.local.ipfs import Fault, IpfsNode, file_cid, raw_cid
from presage import clock
from presage.adapters import ipfs, redis
from presage.discussions import snapshots
from presage.errors import UpstreamError
from tests.harness import NOON_MS, Answer, Platform, Wallet
from tests.integration.routes.pinning import (
    DAY_S,
    Network,
    anchors,
    next_day,
    now_text,
    run_snapshots,
)

BLOCK = 262_144


@dataclass
class Hurry:
    """A clock by which all time is over once the node was asked so often."""

    node: IpfsNode
    often: int

    def monotonic(self) -> float:
        """Now, or behind all that is to come."""
        return time.monotonic() if len(self.node.asked) < self.often else math.inf


@pytest.fixture
def market(platform: Platform, admin: Wallet) -> str:
    far = clock.from_ms(NOON_MS + 200 * DAY_S * 1000).isoformat()
    return platform.active_market(admin, admin, closesAt=far)


@pytest.fixture
def alice(platform: Platform) -> Wallet:
    return platform.sign_in()


def _get(platform: Platform, cid: str) -> Answer:
    return platform.call("get_ipfs", cid=cid)


def _say_much(platform: Platform, wallet: Wallet, market: str, count: int) -> None:
    """More than a person may say in a minute: five thousand characters of three bytes each time."""
    with platform.database.connect() as owner:
        owner.execute(
            "insert into comments (market_id, user_id, content, created_at)"
            " select %s, %s, repeat('ক', 5000), %s from generate_series(1, %s)",
            (market, wallet.user_id, clock.now(), count),
        )


def test_a_days_discussion_is_pinned_as_canonical_json(
    platform: Platform, market: str, alice: Wallet, network: Network
) -> None:
    said = platform.comment(alice, market, 'এক "two"\n').data["id"]
    taken_back = platform.comment(alice, market, "never mind").data["id"]
    platform.call("delete_comment", token=alice.token, id=taken_back)
    next_day(platform)
    platform.comment(platform.sign_in(), market, "of the next day")
    assert run_snapshots(platform)["counts"] == {"pinned": 1, "documents": 1}
    # RFC 8785 by hand.
    document = (
        '{"discussions":[{"content":"এক \\"two\\"","created_at":"2026-07-24T12:00:00.000Z",'
        f'"id":{said},"user_wallet":"{alice.address}"}}],"discussions_count":1,'
        f'"market_id":"{market}","snapshot_date":"2026-07-24"}}'
    ).encode()
    (anchor,) = anchors(platform, market)
    assert anchor == {
        "id": anchor["id"],
        "marketId": market,
        "snapshotDate": "2026-07-24",
        "cid": raw_cid(document),
        "parts": 1,
        "discussionsCount": 1,
        "sizeBytes": len(document),
        "createdAt": anchor["createdAt"],
    }
    assert network.node.pinned == {raw_cid(document)}
    shown = _get(platform, anchor["cid"])
    assert shown.text.encode() == document
    assert shown.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert shown.headers["etag"] == f'"{anchor["cid"]}"'


def test_a_day_is_pinned_once_and_a_silent_day_not_at_all(
    platform: Platform, market: str, alice: Wallet, network: Network
) -> None:
    platform.comment(alice, market)
    for pinned in (1, 0, 0):
        next_day(platform)
        assert run_snapshots(platform)["counts"]["pinned"] == pinned
    platform.advance(300)
    again = run_snapshots(platform, slot="2026-07-25T00:05:00.000007Z", again=True)  # type: ignore[arg-type]
    assert again["counts"]["pinned"] == 0
    platform.comment(platform.sign_in(), market, "back")
    next_day(platform)
    assert run_snapshots(platform)["counts"]["pinned"] == 1
    assert [one["snapshotDate"] for one in anchors(platform, market)] == [
        *("2026-07-27", "2026-07-24"),
    ]
    assert [one["discussionsCount"] for one in anchors(platform, market)] == [2, 1]
    assert len(network.node.pinned) == 2


def test_more_than_a_block_is_several_documents_that_lead_to_each_other(
    platform: Platform, market: str, alice: Wallet, network: Network
) -> None:
    _say_much(platform, alice, market, 40)
    next_day(platform)
    assert run_snapshots(platform)["counts"] == {"pinned": 1, "documents": 3}
    (anchor,) = anchors(platform, market)
    assert (anchor["parts"], anchor["discussionsCount"]) == (3, 40)
    assert anchor["sizeBytes"] == sum(map(len, network.node.blocks.values()))
    cid, seen, pages = anchor["cid"], list[int](), list[int]()
    while cid:
        text = _get(platform, cid).text
        assert len(text.encode()) <= BLOCK
        document = json.loads(text)
        assert (document["discussions_count"], document["pages"]) == (40, 3)
        seen += [one["id"] for one in document["discussions"]]
        pages.append(document["page"])
        cid = document.get("next")
    assert pages == [1, 2, 3]
    assert seen == sorted(seen)
    assert len(seen) == 40


def test_a_discussion_beyond_all_measure_is_not_even_loaded(
    platform: Platform,
    admin: Wallet,
    market: str,
    alice: Wallet,
    network: Network,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = platform.active_market(admin, admin)
    large, small = sorted((market, other))
    _say_much(platform, alice, large, 60)
    platform.comment(alice, small)
    next_day(platform)
    monkeypatch.setattr(snapshots, "MAX_PAGES", 3)
    made = list[str]()
    blocks_of = snapshots.blocks_of

    def loaded(market_id: Any, *given: Any) -> list[snapshots.Block]:
        made.append(str(market_id))
        return blocks_of(market_id, *given)

    monkeypatch.setattr(snapshots, "blocks_of", loaded)
    done = run_snapshots(platform)
    assert (done["status"], done["counts"]) == ("partial", {"pinned": 1, "documents": 1})
    assert made == [small]
    assert len(network.node.pinned) == 1
    with platform.database.connect() as owner:
        (error,) = owner.execute("select error from dead_letters").fetchone() or ("",)
    assert "too large" in error


def test_one_market_that_fails_is_tried_again_alone(
    platform: Platform, admin: Wallet, market: str, alice: Wallet, network: Network
) -> None:
    other = platform.active_market(admin, admin)
    markets = sorted((market, other))
    for one in markets:
        platform.comment(alice, one)
    next_day(platform)
    network.node.faults["add"] = ["other cid"]
    done = run_snapshots(platform)
    assert (done["status"], done["counts"]) == ("partial", {"pinned": 1, "documents": 1})
    assert [len(anchors(platform, one)) for one in markets] == [0, 1]
    with platform.database.connect() as owner:
        letters = owner.execute("select workflow, item from dead_letters").fetchall()
        planned = owner.execute("select cid from ipfs_anchors where pinned_at is null").fetchall()
    assert letters == [("discussion_snapshot", f"{markets[0]}:2026-07-24")]
    # What is not pinned is not served.
    assert [_get(platform, cid).status for (cid,) in planned] == [404]
    platform.advance(300)
    slot = clock.from_ms(clock.now_ms()).isoformat()
    again = run_snapshots(platform, slot=slot, again=True)  # type: ignore[arg-type]
    assert again["counts"] == {"pinned": 1, "documents": 1}
    assert [len(anchors(platform, one)) for one in markets] == [1, 1]


def test_a_day_that_an_admin_retries_later_is_the_day_that_is_pinned(
    platform: Platform, admin: Wallet, market: str, alice: Wallet, network: Network
) -> None:
    platform.comment(alice, market, "of the first day")
    next_day(platform)
    network.node.faults["add"] = ["500"] * 8
    for minutes in (5, 10, 20, 40):
        assert run_snapshots(platform, slot=now_text(), again=True)["status"] == "partial"  # type: ignore[arg-type]
        platform.advance(60 * minutes)
        redis.flush([("FLUSHALL",)])
    [letter] = platform.call("list_dead_letters", token=admin.token).data
    assert (letter["item"], letter["status"]) == (f"{market}:2026-07-24", "manual_review")
    # It waits for a human; the days that follow do not wait for it.
    platform.comment(platform.sign_in(), market, "of the second day")
    next_day(platform)
    assert run_snapshots(platform)["counts"]["pinned"] == 1
    assert [one["snapshotDate"] for one in anchors(platform, market)] == ["2026-07-25"]
    next_day(platform, 3)
    again = platform.call("retry_dead_letter", token=admin.token, letter_id=letter["id"])
    assert again.status == 200
    platform.advance(60)
    assert run_snapshots(platform, slot=now_text(), again=True)["counts"]["pinned"] == 1  # type: ignore[arg-type]
    listed = anchors(platform, market)
    assert [(one["snapshotDate"], one["discussionsCount"]) for one in listed] == [
        ("2026-07-25", 2),
        ("2026-07-24", 1),
    ]
    [letter] = platform.call("list_dead_letters", token=admin.token).data
    assert letter["status"] == "resolved"


def test_a_try_goes_on_where_the_last_one_ended(
    platform: Platform, market: str, alice: Wallet, network: Network
) -> None:
    _say_much(platform, alice, market, 40)
    next_day(platform)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ipfs, "time", Hurry(network.node, 2))
        assert run_snapshots(platform)["counts"]["pinned"] == 0
    assert network.node.asked == ["add", "add"]
    assert anchors(platform, market) == []
    platform.advance(300)
    assert run_snapshots(platform, slot=now_text(), again=True)["counts"]["pinned"] == 1  # type: ignore[arg-type]
    assert network.node.asked == ["add"] * 3
    (anchor,) = anchors(platform, market)
    assert (anchor["parts"], len(network.node.pinned)) == (3, 3)
    assert anchor["sizeBytes"] == sum(map(len, network.node.blocks.values()))


def test_a_run_asks_the_node_over_one_connection(
    platform: Platform, admin: Wallet, market: str, alice: Wallet, network: Network
) -> None:
    _say_much(platform, alice, market, 40)
    platform.comment(alice, platform.active_market(admin, admin))
    next_day(platform)
    assert run_snapshots(platform)["counts"] == {"pinned": 2, "documents": 4}
    assert len(network.node.peers) == 1


@pytest.mark.parametrize("fault", ["500", "hang"])
def test_a_node_that_fails_once_is_asked_again(
    fault: Any, platform: Platform, market: str, alice: Wallet, network: Network
) -> None:
    platform.comment(alice, market)
    next_day(platform)
    network.node.faults["add"] = [fault]
    assert run_snapshots(platform)["counts"]["pinned"] == 1
    assert network.node.asked == ["add", "add"]


def test_a_hundred_markets_a_run(
    platform: Platform, admin: Wallet, alice: Wallet, network: Network, monkeypatch: Any
) -> None:
    monkeypatch.setattr(snapshots, "MARKETS_PER_RUN", 2)
    monkeypatch.setenv("QSTASH_URL", "http://127.0.0.1:9")
    for _ in range(3):
        platform.comment(alice, platform.active_market(admin, admin))
    next_day(platform)
    first = platform.deliver("discussion_snapshot")
    assert first.status == 502  # it could not publish what follows, and says so
    assert len(network.node.pinned) == 2
    platform.advance(60)
    assert run_snapshots(platform)["counts"]["pinned"] == 1


def test_what_a_gateway_tampered_with_is_dropped_and_the_next_is_asked(
    platform: Platform, market: str, alice: Wallet, network: Network
) -> None:
    platform.comment(alice, market)
    next_day(platform)
    run_snapshots(platform)
    cid = anchors(platform, market)[0]["cid"]
    faults: list[Fault] = ["tamper", "500", "hang", "huge", "redirect"]
    for fault in faults:
        redis.flush([("FLUSHALL",)])  # a breaker would leave it alone at the fifth
        network.first.faults["ipfs"] = [fault]
        shown = _get(platform, cid)
        assert (shown.status, raw_cid(shown.text.encode())) == (200, cid)
    assert network.second.asked == ["ipfs"] * len(faults)
    redis.flush([("FLUSHALL",)])
    network.first.faults["ipfs"], network.second.faults["ipfs"] = ["tamper"], ["tamper"]
    refused = _get(platform, cid)
    assert (refused.status, refused.body["code"]) == (502, "UPSTREAM_ERROR")
    # Five failures leave it alone for a minute; the other serves.
    network.first.faults["ipfs"] = ["500"] * 9
    before = len(network.first.asked)
    for _ in range(6):
        assert _get(platform, cid).status == 200
    assert len(network.first.asked) == before + 4


def test_only_what_we_published_is_served(
    platform: Platform, market: str, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = raw_cid(b"anything")
    network.node.blocks[stranger] = b"anything"
    assert _get(platform, stranger).status == 404
    for text in ("x", stranger.upper(), stranger[:-1] + "b", "Qm" + "1" * 44, "b" * 59):
        assert _get(platform, text).status == 400, text
    assert network.first.asked == []
    assert anchors(platform, market) == []
    monkeypatch.setenv("IPFS_GATEWAYS", "")
    assert _get(platform, stranger).status == 404


def test_after_ninety_days_it_is_unpinned_and_forgotten(
    platform: Platform, market: str, alice: Wallet, network: Network
) -> None:
    platform.comment(alice, market)
    next_day(platform)
    run_snapshots(platform)
    (old,) = anchors(platform, market)
    next_day(platform, 60)
    platform.comment(platform.sign_in(), market, "later")
    next_day(platform)
    run_snapshots(platform)
    next_day(platform, 28)
    platform.deliver("cleanup")
    assert old["cid"] in network.node.pinned
    next_day(platform, 2)
    network.node.faults["pin/rm"] = ["500", "500"]
    failed = platform.deliver("cleanup").data
    assert (failed["status"], failed["counts"]["ipfs_anchors"]) == ("partial", 0)
    next_day(platform)
    assert platform.deliver("cleanup").data["counts"]["ipfs_anchors"] == 1
    (young,) = anchors(platform, market)
    assert network.node.pinned == {young["cid"]}
    assert _get(platform, old["cid"]).status == 404


def test_a_document_that_a_younger_snapshot_has_stays_pinned(
    platform: Platform, market: str, network: Network
) -> None:
    cid = ipfs.add(b"shared")
    with platform.database.connect() as owner:
        for day, age in (("2026-01-01", 91), ("2026-04-20", 10)):
            owner.execute(
                "insert into ipfs_anchors (market_id, snapshot_date, cid, part, parts,"
                " discussions_count, size_bytes, created_at, pinned_at)"
                " values (%s, %s, %s, 0, 1, 1, 6, %s, now())",
                (market, day, cid, clock.now() - dt.timedelta(days=age)),
            )
    assert platform.deliver("cleanup").data["counts"]["ipfs_anchors"] == 1
    assert network.node.pinned == {cid}


def test_a_block_may_be_pinned_as_a_file_of_version_zero(
    platform: Platform, network: Network
) -> None:
    assert platform
    for data in (b"", b"hello world\n", hashlib.shake_256(b"x").digest(BLOCK)):
        cid = ipfs.add(data, version=0)
        assert cid == file_cid(data)
        assert ipfs.fetch(cid) == data
    assert len(network.node.pinned) == 3
    ipfs.unpin(cid)
    ipfs.unpin(cid)  # again is done already
    assert len(network.node.pinned) == 2
    with pytest.raises(ValueError, match="do not fit"):
        ipfs.add(bytes(BLOCK + 1))
    network.node.faults["pin/rm"] = ["500", "500"]
    with pytest.raises(UpstreamError):
        ipfs.unpin(cid)
