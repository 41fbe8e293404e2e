"""Tasks killed between two of their writes: nothing is kept, and the next delivery does it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from infra.local.feed import FeedServer
from infra.local.news_feed import NewsFeed, Story, rss
from infra.local.rate_feed import RateFeed, Venues
from presage import clock
from presage.workflows.runs import LEASE_S
from tests.harness import NOON_MS, Platform, Wallet

ROOT = Path(__file__).resolve().parents[3]
WAITERS = "from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
DAY_S = 86_400


@dataclass(frozen=True)
class Case:
    """A task, the table whose lock stops it in the middle, and the rows that it leaves in all."""

    stem: str
    stopped_at: str
    rows: dict[str, int]


CASES = [
    Case("update_exchange_rate", "audit_log", {"exchange_rates": 1}),
    Case(
        "analytics_daily",
        "user_daily_stats",
        {"market_daily_stats": 1, "user_daily_stats": 2, "platform_daily_stats": 2},
    ),
    Case(
        "leaderboard_refresh",
        "leaderboard_entries",
        # Who traded has a place by volume in each of the four periods.
        {"leaderboard_entries": 8, "platform_daily_stats": 2},
    ),
    Case("daily_report", "daily_reports", {"daily_reports": 1, "platform_daily_stats": 2}),
    Case("execute_news", "news_feeds", {"news_items": 1, "news_feeds": 1}),
    Case(
        "tick_adjustment", "market_clarifications", {"tick_changes": 1, "market_clarifications": 1}
    ),
]


@pytest.fixture
def world(platform: Platform, admin: Wallet, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """A day on which two people traded, and feeds that have something to say."""
    far = clock.from_ms(NOON_MS + 30 * DAY_S * 1000).isoformat()
    market = platform.active_market(admin, admin, closesAt=far)
    for outcome in ("YES", "NO"):
        wallet = platform.sign_in()
        platform.fund(wallet, 100_000_000)
        platform.order(wallet, market, side="BUY", outcome=outcome, price=0.5, size=10)
    feed = NewsFeed()
    story = Story("a", "https://news.example/a", "About a", "All of a.", clock.now())
    feed.documents["/rss"] = lambda: rss([story])
    platform.advance(DAY_S - timedelta(hours=11).total_seconds())  # an hour after midnight
    with FeedServer(Venues(feed, RateFeed(clock.now_ms))) as server:
        for name in ("BINANCE_P2P_URL", "COINGECKO_URL"):
            monkeypatch.setenv(name, server.url)
        monkeypatch.setenv("NEWS_FEEDS", f"{server.url}/rss")
        yield platform


def _rows(platform: Platform, case: Case) -> dict[str, int]:
    with platform.database.connect() as owner:
        counts = {}
        for table in case.rows:
            row = owner.execute(f"select count(*) from {table}".encode()).fetchone()  # noqa: S608
            counts[table] = int(row[0]) if row else 0
    return counts


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_task_killed_in_the_middle_is_done_once(case: Case, world: Platform) -> None:
    _start_and_kill(world, case)
    kept = _rows(world, case)
    # Days are rolled up in a transaction each before what follows them.
    expected = dict.fromkeys(case.rows, 0)
    if case.stem in {"leaderboard_refresh", "daily_report"}:
        expected["platform_daily_stats"] = 2
    assert kept == expected
    assert world.deliver(case.stem).status == 503
    world.advance(LEASE_S)
    done = world.deliver(case.stem)
    assert (done.status, done.data["status"], done.data["duplicate"]) == (200, "completed", False)
    assert _rows(world, case) == case.rows
    assert world.deliver(case.stem).data["duplicate"] is True
    with world.database.connect() as owner:  # an operator has it run again
        owner.execute("delete from workflow_runs")
    again = dict(case.rows)
    if case.stem == "update_exchange_rate":
        again["exchange_rates"] += 1  # what was observed then, and what is now
    assert world.deliver(case.stem).data["duplicate"] is False
    assert _rows(world, case) == again
    assert world.audit() == []


def _start_and_kill(platform: Platform, case: Case) -> None:
    """Start the delivery in a process of its own, hold a table against it, and kill it there."""
    program = (
        "from pathlib import Path; from tests.conftest import Database;"
        "from tests.harness import Platform;"
        f"print(Platform(None, Path({str(platform.clock_file)!r})).deliver({case.stem!r}))"
    )
    with platform.database.connect() as holder:
        holder.autocommit = False
        holder.execute(f"lock table {case.stopped_at} in share mode".encode())
        child = subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": f"{ROOT}/shared:{ROOT}"},
            stdout=subprocess.DEVNULL,
        )
        _wait_for_waiter(platform)
        child.send_signal(signal.SIGKILL)
        child.wait(10)
        # Its backend would finish the statement that it has been sent: end that too.
        with platform.database.connect() as killer:
            killer.execute(f"select pg_terminate_backend(pid) {WAITERS}".encode())
        holder.rollback()
    assert child.returncode == -signal.SIGKILL


def _wait_for_waiter(platform: Platform) -> None:
    with platform.database.connect() as watcher:
        for _ in range(400):
            row = watcher.execute(f"select count(*) {WAITERS}".encode()).fetchone()
            if row and row[0]:
                return
            time.sleep(0.05)
    raise psycopg.OperationalError("the task never reached the locked table")
