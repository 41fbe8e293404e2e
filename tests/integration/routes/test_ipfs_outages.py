"""The IPFS node down, absent or misnamed: nothing fails by it but what is asked of it just then."""

import datetime as dt
import math
import time
import uuid

import pytest
from psycopg.types.json import Jsonb

from presage import clock
from presage.adapters import ipfs, qstash, redis
from presage.discussions import snapshots
from presage.errors import UpstreamError
from tests.harness import Platform, Wallet
from tests.integration.routes.pinning import (
    Network,
    anchors,
    letters,
    next_day,
    now_text,
    run_snapshots,
)


@pytest.fixture
def alice(platform: Platform) -> Wallet:
    return platform.sign_in()


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[qstash.Message]:
    """What a run publishes to go on with; nobody delivers it."""
    messages: list[qstash.Message] = []
    monkeypatch.setattr(qstash, "publish", messages.extend)
    return messages


def test_an_outage_of_the_node_is_no_markets_failure(
    platform: Platform,
    admin: Wallet,
    alice: Wallet,
    network: Network,
    published: list[qstash.Message],
) -> None:
    markets = sorted(platform.active_market(admin, admin) for _ in range(7))
    for one in markets:
        platform.comment(alice, one)
    next_day(platform)
    network.node.faults["add"] = ["hang", *(["500"] * 50)]  # type: ignore[list-item]
    network.node.hang_s = 0
    assert run_snapshots(platform)["counts"] == {"pinned": 1, "documents": 1}
    for _ in range(6):
        [message] = published
        published.clear()
        assert message.delay_s == snapshots.NODE_WAIT_S
        assert message.body["cursor"]["after"] == markets[0]
        platform.advance(message.delay_s)
        assert platform.deliver("discussion_snapshot", message.body).data["status"] == "completed"
    assert letters(platform) == []
    network.node.faults.clear()
    redis.flush([("FLUSHALL",)])  # the breaker's minute is over, by Redis' own clock
    [message] = published
    done = platform.deliver("discussion_snapshot", message.body).data
    assert (done["status"], done["counts"]["pinned"]) == ("completed", 6)
    assert [len(anchors(platform, one)) for one in markets] == [1] * 7


def test_a_node_that_is_down_for_hours_is_one_dead_letter(
    platform: Platform,
    admin: Wallet,
    alice: Wallet,
    network: Network,
    published: list[qstash.Message],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    markets = sorted(platform.active_market(admin, admin) for _ in range(7))
    for one in markets:
        platform.comment(alice, one)
    next_day(platform)
    network.node.faults["add"] = ["500"] * 50
    monkeypatch.setattr(snapshots, "NODE_WAITS", 1)
    run_snapshots(platform)
    [message] = published
    done = platform.deliver("discussion_snapshot", message.body).data
    assert done["status"] == "partial"
    assert letters(platform) == [(f"{markets[0]}:2026-07-24", "pending")]
    # With it the whole day is tried again.
    network.node.faults.clear()
    redis.flush([("FLUSHALL",)])
    platform.advance(300)
    assert run_snapshots(platform, slot=now_text(), again=True)["counts"]["pinned"] == 7  # type: ignore[arg-type]
    assert letters(platform) == [(f"{markets[0]}:2026-07-24", "resolved")]


def test_without_a_node_nothing_is_written_down(
    platform: Platform, market: str, alice: Wallet
) -> None:
    platform.comment(alice, market)
    next_day(platform)
    assert run_snapshots(platform)["counts"] == {"pinned": 0, "documents": 0}
    with platform.database.connect() as owner:
        assert owner.execute("select * from ipfs_anchors").fetchall() == []


@pytest.mark.parametrize(
    ("stem", "item"),
    [("discussion_snapshot", f"{uuid.UUID(int=7)}:2026-07-23"), ("cleanup", "anchor:bafkrei")],
)
def test_without_a_node_what_failed_before_is_not_taken_for_done(
    stem: str, item: str, platform: Platform
) -> None:
    with platform.database.connect() as owner:
        letter = Jsonb([{"item": item, "error": "as it was"}])
        owner.execute("select keep_dead_letters(%s, %s, false, %s)", (stem, letter, clock.now()))
    platform.advance(300)
    assert platform.deliver(stem).data["status"] == "completed"
    with platform.database.connect() as owner:
        kept = owner.execute("select item, status from dead_letters").fetchall()
    assert kept == [(item, "pending")]


def test_an_outage_of_the_node_leaves_what_is_old_for_tomorrow(
    platform: Platform, market: str, network: Network
) -> None:
    with platform.database.connect() as owner:
        for number in range(7):
            owner.execute(
                "insert into ipfs_anchors (market_id, snapshot_date, cid, part, parts,"
                " discussions_count, size_bytes, created_at, pinned_at)"
                " values (%s, '2026-01-01', %s, %s, 7, 1, 1, %s, now())",
                (market, ipfs.add(bytes([number])), number, clock.now() - dt.timedelta(days=91)),
            )
    network.node.faults["pin/rm"] = ["hang", *(["500"] * 10)]  # type: ignore[list-item]
    network.node.hang_s = 0
    done = platform.deliver("cleanup").data
    assert (done["status"], done["counts"]["ipfs_anchors"]) == ("completed", 1)
    assert letters(platform) == []
    next_day(platform)
    redis.flush([("FLUSHALL",)])
    network.node.peers.clear()
    assert platform.deliver("cleanup").data["counts"]["ipfs_anchors"] == 6
    assert (network.node.pinned, len(network.node.peers)) == (set(), 1)


def test_who_asked_nothing_does_not_speak_for_the_node(
    platform: Platform, network: Network
) -> None:
    assert platform
    network.node.faults["add"] = ["500"] * 2
    with pytest.raises(UpstreamError):
        ipfs.add(b"refused")
    added = list[str]()
    ipfs.add_all([b"too late"], added, until=time.monotonic() - 1)
    ipfs.add_all([], added, until=math.inf)
    assert (added, redis.flush([("GET", "breaker:ipfs_node:failures")])) == ([], ["1"])
    ipfs.add_all([b"in time"], added, until=math.inf)
    assert redis.flush([("GET", "breaker:ipfs_node:failures")]) == [None]


def test_an_address_that_is_none_is_a_node_that_does_not_answer(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert platform
    for address in ("http://127.0.0.1:port", "127.0.0.1:5001", "http://[::1"):
        monkeypatch.setenv("IPFS_API_URL", address)
        with pytest.raises(UpstreamError):
            ipfs.add(b"anything")
