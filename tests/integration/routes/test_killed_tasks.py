"""Each task dies at every point where it speaks to Postgres, and is delivered again: as if never.

The wire is cut before a flush or before its answer, and stays cut, which is how Postgres sees the
death of a process. The same message comes again once the lease is over, and dies one flush later.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from presage import clock
from presage.workflows.runs import LEASE_S
from tests.conftest import Database
from tests.end_state import Rows, end_state
from tests.harness import Platform, Wallet
from tests.integration.routes.conftest import ADMIN_KEY
from tests.proxy import FlushCounter

TASKS = (
    "settle_market",
    "market_monitor",
    "market_close_check",
    "expire_orders",
    "sweep_fees",
    "price_snapshot",
    "cleanup",
    "sweep_outbox",
)
MAX_DEATHS = 40
MESSAGE = {"upstash-message-id": "msg_of_this_test"}
ROOT = Path(__file__).resolve().parents[3]
KEYS = ("0x" + "b1" * 32, "0x" + "c1" * 32)
EXTRA = {
    # One a slot by their key; a run that comes again later may fall into the next slot.
    "points": "select distinct m.slug, p.outcome from price_points p"
    " join markets m on m.id = p.market_id",
    "old rows": "select count(*) from price_feeds",
}


def _copy(database: Database) -> Database:
    """The same world once more, for another history."""
    copy = Database(database.server, f"test_{uuid4().hex}")
    copy.server.create_database(copy.name, database.name)
    with copy.connect() as owner:
        owner.execute(f"alter database {copy.name} set presage.clock = 'replay'".encode())
    return copy


def _select(platform: Platform) -> Callable[[str], Rows]:
    def select(query: str) -> Rows:
        with platform.database.connect() as owner:
            return owner.execute(query.encode()).fetchall()

    return select


def _end(platform: Platform) -> dict[str, Rows]:
    select = _select(platform)
    return end_state(select) | {name: sorted(select(query)) for name, query in EXTRA.items()}


@pytest.fixture(scope="module")
def world(module_platform: Platform) -> tuple[Platform, int]:
    """A platform with something to do for every task, to be copied; and its time, unix ms."""
    _fill(module_platform)
    module_platform.close()
    return module_platform, clock.now_ms()


def _fill(platform: Platform) -> None:
    admin = platform.sign_in(ADMIN_KEY)
    traders = [platform.sign_in(key) for key in KEYS]
    for trader in traders:
        platform.fund(trader, 100_000_000)
    markets = {
        slug: _market(platform, admin, traders, slug, hours)
        for slug, hours in (("final", 2), ("due", 2), ("closed", 2), ("open", 4))
    }
    platform.advance(7_200)
    for slug in ("final", "due"):
        platform.call(
            "resolve_market",
            token=admin.token,
            market_id=markets[slug],
            body={"outcome": "YES"},
        )
        platform.advance(1_800)
    done = platform.call("finalize_market", token=admin.token, market_id=markets["final"])
    assert done.status == 200, done.body
    platform.advance(1_800)
    # More than one chunk to clean up.
    with platform.database.connect() as owner:
        owner.execute(
            "insert into price_feeds select 'test', 'BTC/USD', %s::timestamptz"
            " - interval '91 days' - n * interval '1 second', 1, now()"
            " from generate_series(1, 6000) as n",
            (clock.now(),),
        )


def _market(platform: Platform, admin: Wallet, traders: list[Wallet], slug: str, hours: int) -> str:
    closes = clock.from_ms(clock.now_ms() + hours * 3_600_000).isoformat()
    market = platform.active_market(
        admin, admin, slug=slug, closesAt=closes, disputeWindowS=3600, feeBps=200
    )
    until = clock.from_ms(clock.now_ms() + 3_600_000).isoformat()
    for number, (trader, outcome) in enumerate(zip(traders, ("YES", "NO"), strict=True)):
        platform.call("follow_market", token=trader.token, market_id=market, body={})
        choices: dict[str, dict[str, Any]] = {
            "trades": {"price": 0.5, "size": 10},
            "rests": {"price": 0.2, "size": 3},
            "expires": {"price": 0.1, "size": 3, "type": "GTD", "expiration": until},
        }
        for name, fields in choices.items():
            fields["clientOrderId"] = f"{slug} {number} {name}"
            placed = platform.order(trader, market, side="BUY", outcome=outcome, **fields)
            assert placed.status == 201, placed.body
    return market


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
    """Deliver one message until it is done, dying one flush later each time; how often it died."""
    for deaths in range(MAX_DEATHS):
        platform.close()
        wire.arm(deaths + 1, after=after)
        answer = platform.deliver(stem, **MESSAGE)
        if not wire.is_cut:
            assert answer.status == 200, answer.body
            return deaths
        assert answer.status in {500, 503}
        platform.advance(LEASE_S)
    raise AssertionError(f"{stem} never came to its end")


@pytest.mark.parametrize("stem", TASKS)
def test_a_task_that_dies_anywhere_loses_and_doubles_nothing(
    stem: str, world: tuple[Platform, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, start_ms = world
    before = _end(platform)
    ends = []
    for after in (None, False, True):
        other = Platform(_copy(platform.database), platform.clock_file)
        platform.set_clock(start_ms)
        _use(other, monkeypatch)
        if after is None:
            assert other.deliver(stem).status == 200
        else:
            with _through(other, monkeypatch) as wire:
                assert _die_and_come_again(other, stem, wire, after=after) >= 3
        _use(other, monkeypatch)
        ends.append(_end(other))
        assert other.audit() == []
        _drop(other)
    assert ends[0] != before
    assert ends[1] == ends[0]
    assert ends[2] == ends[0]


@pytest.mark.parametrize("stem", TASKS)
def test_a_task_whose_process_is_killed_comes_to_the_same_end(
    stem: str, world: tuple[Platform, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL at one of its flushes, drawn by the task's name; another process takes over."""
    platform, start_ms = world
    platform.set_clock(start_ms)
    killed, calm = (Platform(_copy(platform.database), platform.clock_file) for _ in range(2))
    _use(killed, monkeypatch)
    with _through(killed, monkeypatch) as wire:
        _kill_at(wire, killed, stem, random.Random(stem).randint(4, 5))  # noqa: S311 - repeatable
    _use(killed, monkeypatch)
    assert killed.deliver(stem, **MESSAGE).status == 503
    killed.advance(LEASE_S)
    ends = []
    for one in (killed, calm):
        _use(one, monkeypatch)
        assert one.deliver(stem, **MESSAGE).data["duplicate"] is False
        ends.append(_end(one))
        assert one.audit() == []
        _drop(one)
    assert ends[0] == ends[1]


def _use(platform: Platform, patch: pytest.MonkeyPatch) -> None:
    """Have handlers log in to this platform's database."""
    platform.close()
    for name, url in platform.database.urls.items():
        patch.setenv(name, url)


def _drop(platform: Platform) -> None:
    platform.close()
    platform.database.server.drop_database(platform.database.name)


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
