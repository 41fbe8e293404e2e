"""Each task dies at every point where it speaks to Postgres, and is delivered again: as if never.

The wire is cut before a flush or before its answer, and stays cut, which is how Postgres sees the
death of a process. The same message comes again once the lease is over, and dies one flush later.
Every workflow of the table is tried; callbacks of QStash have no slot and their own tests.
"""

import base64
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from infra.local.feed import FeedServer
from infra.local.qstash import QStashApi
from infra.local.qstash_delivery import Courier
from infra.local.qstash_engine import Engine
from infra.local.qstash_signature import SigningKeys
from presage import clock, config
from presage.edge.workflow import Callback
from presage.routes import ROUTES
from presage.workflows.groups import GROUPS
from presage.workflows.runs import LEASE_S
from tests import busy_world
from tests.busy_world import Outside
from tests.conftest import Database
from tests.end_state import Rows, end_state
from tests.harness import CURRENT_KEY, NEXT_KEY, Platform
from tests.integration.routes.conftest import ADMIN_KEY, CREDENTIAL_KEYS
from tests.proxy import FlushCounter

CALLBACKS = {"delivery_failed"}
TASKS = [stem for stem, route in ROUTES.items() if route.auth == "qstash" and stem not in CALLBACKS]
# A process that is killed looks to Postgres like a wire that is cut; a few die for good.
KILLED = ("settle_market", "sweep_fees", "sweep_outbox", "rotate_credentials", "execute_news")
PUBLISHERS = {*GROUPS, "dead_letter_retry", "schedule_watchdog"}
# An alert that was claimed is due again after up to an hour.
WAITS_S = {"send_alerts": 3_600}
MAX_DEATHS = 60
MESSAGE = {"upstash-message-id": "msg_of_this_test"}
QSTASH_TOKEN = "killed"
ROOT = Path(__file__).resolve().parents[3]
NEW_KEYS = "second:" + base64.b64encode(bytes(range(32, 64))).decode() + "," + CREDENTIAL_KEYS
EXTRA = {
    # One a slot by their key; a run that comes again later may fall into the next slot.
    "points": "select distinct m.slug, p.outcome from price_points p"
    " join markets m on m.id = p.market_id",
    "old rows": "select count(*) from price_feeds where source = 'test'",
    # A source that is asked twice tells two moments.
    "prices": "select distinct source, symbol, value from price_feeds where source <> 'test'",
    "rates": "select distinct base, quote, rate_micros, source from exchange_rates",
    "audit log": "select action, resource, count(*) from audit_log where action <> 'store_rate'"
    " group by 1, 2",
    "proposals": "select slug, proposed_payout_bps from markets",
    "escalations": "select kind, subject, level, severity, status from escalations",
    # Raised twice it counts twice, and is told once.
    "alerts": "select type, fingerprint, severity, channels, sent_at is null,"
    " acknowledgement_sent_at is null from ops_alerts",
    "deposits": "select sender_reference, status from deposits",
    "letters": "select workflow, item, status, failures, retries from dead_letters",
    "credentials": "select user_id, venue, key_id from venue_credentials",
    "sent to the chain": "select purpose, signature, status, error from chain_transactions",
    "news": "select guid, title from news_items",
    "feeds": "select url, etag from news_feeds",
    "market days": "select * from market_daily_stats",
    "user days": "select * from user_daily_stats",
    "platform days": "select day, volume_micros, fees_micros, rebates_micros, trade_count,"
    " active_users, new_users, new_markets, is_final from platform_daily_stats",
    "marks": "select * from profit_marks",
    "board": "select period, user_id, profit_micros, volume_micros, profit_rank, volume_rank,"
    " win_rate_rank from leaderboard_entries",
    "reports": "select day, facts::text, markdown, channels from daily_reports",
    "ticks": "select market_id, from_bps, to_bps, reason, status from tick_changes",
    "anchors": "select market_id, snapshot_date, cid, part, pinned_at is null from ipfs_anchors",
    # An account is looked at in the slot that it is by then.
    "chain events": "select signature, ordinal, slot, tx_index, event_type, market, data"
    " from chain_events where event_type not like '%Observed'",
    "chain markets": "select * from chain_markets",
    "chain config": "select * from chain_config",
    "differences": "select subject, field, ours, theirs from discrepancies",
    "clarifications": "select market_id, count(*) from market_clarifications group by 1",
}


@dataclass(frozen=True)
class World:
    """A platform to be copied, its time, and whom its histories tell something."""

    platform: Platform
    start_ms: int
    outside: Outside


def _copy(world: World) -> Platform:
    """The same world once more, for another history."""
    database = world.platform.database
    copy = Database(database.server, f"test_{uuid4().hex}")
    copy.server.create_database(copy.name, database.name)
    with copy.connect() as owner:
        owner.execute(f"alter database {copy.name} set presage.clock = 'replay'".encode())
    world.platform.set_clock(world.start_ms)
    world.outside.forget()
    return Platform(copy, world.platform.clock_file)


def _end(world: World, platform: Platform) -> dict[str, Rows]:
    """What a history came to: its rows, and what was published and told, each once."""

    def select(query: str) -> Rows:
        with platform.database.connect() as owner:
            return owner.execute(query.encode()).fetchall()

    rows = {name: sorted(select(query), key=repr) for name, query in EXTRA.items()}
    told = [(text,) for text in sorted(world.outside.told)]
    outside = {"told": told, "published": _published()}
    return end_state(select) | rows | outside


def _published() -> Rows:
    """The messages that this history's QStash took, without their group's id."""
    if config.get("QSTASH_TOKEN") != QSTASH_TOKEN:
        return []
    found = httpx.get(
        f"{config.get('QSTASH_URL')}/v2/events",
        params={"state": "CREATED"},
        headers={"Authorization": f"Bearer {QSTASH_TOKEN}"},
    )
    bodies = [
        (one["url"], json.loads(base64.b64decode(one["body"])))
        for one in found.raise_for_status().json()["events"]
    ]
    for _, body in bodies:
        body.pop("groupRunId", None)
    return sorted((url, json.dumps(body)) for url, body in bodies)


@pytest.fixture(scope="module")
def world(module_platform: Platform) -> Iterator[World]:
    """A platform with something to do for every task, to be copied; and its time, unix ms."""
    with pytest.MonkeyPatch.context() as patch, busy_world.outside(patch) as outside:
        busy_world.fill(module_platform, module_platform.sign_in(ADMIN_KEY))
        module_platform.close()
        yield World(module_platform, clock.now_ms(), outside)


@contextmanager
def _history(world: World, stem: str, patch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """A copy of the world that handlers are logged in to, with a QStash of its own if need be."""
    platform = _copy(world)
    match stem:
        case "audit_books":
            with platform.database.connect() as owner:
                owner.execute("update accounts set balance_micros = balance_micros + 1")
        case "rotate_credentials":
            patch.setenv("CREDENTIAL_KEYS", NEW_KEYS)
    _use(platform, patch)
    try:
        if stem not in PUBLISHERS:
            yield platform
            return
        keys = SigningKeys(CURRENT_KEY, NEXT_KEY)
        with FeedServer(QStashApi(Engine(Courier(keys)), QSTASH_TOKEN)) as qstash:
            patch.setenv("QSTASH_URL", qstash.url)
            patch.setenv("QSTASH_TOKEN", QSTASH_TOKEN)
            yield platform
    finally:
        platform.close()
        platform.database.server.drop_database(platform.database.name)


@contextmanager
def _through(platform: Platform, patch: pytest.MonkeyPatch) -> Iterator[FlushCounter]:
    with FlushCounter(platform.database.server.port) as wire:
        parts = urlsplit(platform.database.url("presage_worker"))
        host = parts.netloc.replace(f":{parts.port}", f":{wire.port}")
        patch.setenv("DATABASE_URL_WORKER", parts._replace(netloc=host).geturl())
        platform.close()
        try:
            yield wire
        finally:
            wire.arm(None)
            platform.close()


def _die_and_come_again(platform: Platform, stem: str, wire: FlushCounter, *, after: bool) -> int:
    """Deliver one message until it is done, dying later each time; how often it died.

    One flush later at first; past the eighth some are left out, by the task's name.
    """
    dice = random.Random(stem)  # noqa: S311 - repeatable
    flush = 1
    for deaths in range(MAX_DEATHS):
        platform.close()
        wire.arm(flush, after=after)
        answer = platform.deliver(stem, **MESSAGE)
        if not wire.is_cut:
            assert answer.status == 200, answer.body
            return deaths
        assert answer.status in {500, 503}
        flush += dice.randint(1, 1 + flush // 8)
        platform.advance(WAITS_S.get(stem, LEASE_S))
    raise AssertionError(f"{stem} never came to its end")


@pytest.mark.parametrize("stem", TASKS)
def test_a_task_that_dies_anywhere_loses_and_doubles_nothing(
    stem: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.outside.forget()
    before = _end(world, world.platform)
    ends = []
    for after in (None, False, True):
        with _history(world, stem, monkeypatch) as platform:
            if after is None:
                assert platform.deliver(stem).data["status"] == "completed"
            else:
                with _through(platform, monkeypatch) as wire:
                    assert _die_and_come_again(platform, stem, wire, after=after) >= 3
            _use(platform, monkeypatch)
            ends.append(_end(world, platform))
            assert bool(platform.audit()) is (stem == "audit_books")
    # Who adds a workflow gives it something to do in the busy world.
    assert ends[0] != before
    assert ends[1] == ends[0]
    assert ends[2] == ends[0]


@pytest.mark.parametrize("stem", KILLED)
def test_a_task_whose_process_is_killed_comes_to_the_same_end(
    stem: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL at one of its flushes, drawn by the task's name; another process takes over."""
    ends = []
    for killed in (True, False):
        with _history(world, stem, monkeypatch) as platform:
            if killed:
                with _through(platform, monkeypatch) as wire:
                    flush = random.Random(stem).randint(4, 5)  # noqa: S311 - repeatable
                    _kill_at(wire, platform, stem, flush)
                _use(platform, monkeypatch)
                assert platform.deliver(stem, **MESSAGE).status == 503
                platform.advance(LEASE_S)
            assert platform.deliver(stem, **MESSAGE).data["duplicate"] is False
            ends.append(_end(world, platform))
            assert platform.audit() == []
            assert platform.deliver(stem, **MESSAGE).data["duplicate"] is True
    assert ends[0] == ends[1]


def test_callbacks_are_no_workflows(module_platform: Platform) -> None:
    assert all(isinstance(module_platform.handler(stem), Callback) for stem in CALLBACKS)


def _use(platform: Platform, patch: pytest.MonkeyPatch) -> None:
    """Have handlers log in to this platform's database."""
    platform.close()
    for name, url in platform.database.urls.items():
        patch.setenv(name, url)


def _kill_at(wire: FlushCounter, platform: Platform, stem: str, flush: int) -> None:
    """Deliver in a process of its own, and kill that when it is about to speak so often."""
    program = (
        "from pathlib import Path; from tests.harness import Platform;"
        f"Platform(None, Path({str(platform.clock_file)!r})).deliver({stem!r}, **{MESSAGE!r})"
    )
    wire.arm(flush)
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}/shared:{ROOT}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not wire.is_cut and child.poll() is None:
        time.sleep(0.001)
    child.send_signal(signal.SIGKILL)
    child.wait(10)
    assert (wire.is_cut, child.returncode) == (True, -signal.SIGKILL)
