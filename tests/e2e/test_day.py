"""A day by the clock: every group and task at its times, once; the same end with faults."""

import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from croniter import croniter

from infra import schedules
from infra.local import operations
from infra.local.client import ApiClient, Wallet
from infra.local.clock import set_clock
from infra.local.feed import FeedServer, FeedTick, PriceFeed
from infra.local.rate_feed import RateFeed, Venues
from infra.local.stack import ANY_PORTS, Stack
from presage.workflows.groups import GROUPS
from tests.end_state import end_state

# Half a minute before the hour: every schedule's first slot lies ahead.
START = datetime(2026, 7, 23, 22, 59, 30, tzinfo=UTC)
SYMBOL = "BTC/USD"
ADMIN, ALICE, BOB = (Wallet(f"day {name}") for name in ("admin", "alice", "bob"))
# Long enough for a daily task at midnight to fail for good: its deliveries take QStash 33 minutes,
# four times, with 5, 10 and 20 minutes between.
NIGHT_MIN = 290
QUIET_MIN = 80
FAULTS = {"fail": 10, "lose_answer": 5, "duplicate": 20, "seed": 20}
FAILING = "cleanup_expired_deposits"


@dataclass
class Night:
    """A stack whose schedules run while the clock is driven."""

    stack: Stack
    now: datetime
    counts: Counter[str] = field(default_factory=Counter)

    def drive(self, minutes: int) -> None:
        """Let so many minutes pass, one at a time, and QStash deliver what is due at each."""
        for _ in range(minutes):
            self.now = (self.now + timedelta(minutes=1)).replace(second=0)
            self.counts += Counter(self.stack.advance(round(self.now.timestamp() * 1000)))

    def faults(self, **faults: float) -> None:
        """Have the emulator fail deliveries or double them, by chances in percent."""
        httpx.post(
            f"{self.stack.qstash_url}/_local/faults",
            json=faults,
            headers={"Authorization": f"Bearer {self.stack.env['QSTASH_TOKEN']}"},
        ).raise_for_status()

    def select(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows as the owner sees them."""
        with psycopg.connect(self.stack.database_urls["owner"], autocommit=True) as owner:
            return owner.execute(statement.encode()).fetchall()

    def end(self) -> dict[str, list[tuple[Any, ...]]]:
        """What the night has come to."""
        return end_state(self.select)

    def audit(self) -> list[Any]:
        """What the books say against themselves."""
        return operations.audit(self.stack.env, round(self.now.timestamp() * 1000))


@contextmanager
def _night(folder: Path) -> Iterator[Night]:
    clock_file = folder / "clock"
    start_ms = round(START.timestamp() * 1000)
    set_clock(clock_file, start_ms)
    ticks = [
        FeedTick(moment, moment, Decimal(60_000 + number % 7))
        for number, moment in enumerate(range(start_ms - 60_000, start_ms + 26 * 3_600_000, 20_000))
    ]

    def at_ms() -> int:
        return int(clock_file.read_text(encoding="ascii"))

    with ExitStack() as kept:
        feed = kept.enter_context(
            FeedServer(Venues(PriceFeed(ticks, SYMBOL, at_ms), RateFeed(at_ms)))
        )
        stack = kept.enter_context(
            Stack(
                folder / "state",
                ports=ANY_PORTS,
                clock_file=clock_file,
                durable=False,
                env={
                    "BOOTSTRAP_ADMIN": ADMIN.address,
                    "BINANCE_URL": feed.url,
                    "COINBASE_URL": feed.url,
                    "BINANCE_P2P_URL": feed.url,
                    "COINGECKO_URL": feed.url,
                    "PRICE_SYMBOLS": SYMBOL,
                    "POWERTOOLS_LOG_LEVEL": "WARNING",
                },
                stage="test",
                access_log=False,
                keep=False,
            )
        )
        schedules.sync_stage(stack.env)
        _people(stack)
        yield Night(stack, START)


def _people(stack: Stack) -> None:
    """Markets that close and are decided, orders that rest and expire, followers."""
    start_ms = round(START.timestamp() * 1000)
    with ExitStack() as kept:
        admin, alice, bob = (
            kept.enter_context(ApiClient(stack.base_url).sign_in(one))
            for one in (ADMIN, ALICE, BOB)
        )
        funds = {alice.user_id: 1_000_000_000, bob.user_id: 1_000_000_000}
        operations.deposit(stack.env, start_ms, funds, "day")
        for slug, hours in (("decided", 1.5), ("undecided", 2.0), ("open", 100.0)):
            market = _market(admin, slug, START + timedelta(hours=hours))
            for client, outcome in ((alice, "YES"), (bob, "NO")):
                client.post(f"/markets/{market}/follow", {})
                client.place_order(_order(market, f"{slug} {outcome}", outcome, "0.5", 20))
            alice.place_order(_order(market, f"{slug} rests", "YES", "0.2", 5))
            until = {"type": "GTD", "expiration": (START + timedelta(hours=1)).isoformat()}
            bob.place_order(_order(market, f"{slug} expires", "NO", "0.3", 5) | until)


def _market(admin: ApiClient, slug: str, closes: datetime) -> str:
    rule = {
        "kind": "price_at",
        "symbol": SYMBOL,
        "comparison": "gte",
        "reference": "strike",
        "strike": "50000",
        "openAt": START.isoformat(),
        "closeAt": closes.isoformat(),
        "toleranceS": 30,
    }
    proposal: dict[str, Any] = {
        "slug": slug,
        "question": f"Will it be {slug}?",
        "closesAt": closes.isoformat(),
        "disputeWindowS": 300,
    }
    market = admin.propose_market(
        proposal | ({"resolutionRule": rule} if slug == "decided" else {})
    )
    admin.approve_market(market, 200, 2000)
    admin.activate_market(market)
    return market


def _order(market: str, key: str, outcome: str, price: str, size: int) -> dict[str, Any]:
    return {
        "marketId": market,
        "clientOrderId": key,
        "outcome": outcome,
        "side": "BUY",
        "price": price,
        "size": size,
    }


def _slots(until: datetime) -> dict[str, set[datetime]]:
    """Every slot of every schedule and task up to a moment, from the file and the groups alone."""
    found: dict[str, set[datetime]] = {}
    text = schedules.SCHEDULES_FILE.read_text(encoding="utf-8")
    for row in tomllib.loads(text)["schedule"]:
        ticks = croniter(row["cron"], START)
        slots: set[datetime] = set()
        while (slot := ticks.get_next(datetime)) <= until:
            slots.add(slot)
        for stem in (row["stem"], *GROUPS.get(row["stem"], ())):
            found.setdefault(stem, set()).update(slots)
    return found


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """A night without faults, at its end."""
    with _night(tmp_path_factory.mktemp("calm")) as night:
        night.drive(NIGHT_MIN)
        yield night


def _assert_each_slot_is_done_once(night: Night) -> None:
    done: dict[str, list[datetime]] = {}
    for name, slot, status in night.select(
        "select name, slot, status from workflow_runs where part = 0"
    ):
        assert status == "completed", (name, slot, status)
        done.setdefault(name, []).append(slot)
    expected = _slots(night.now)
    assert {name: sorted(slots) for name, slots in done.items()} == {
        name: sorted(slots) for name, slots in expected.items()
    }
    assert night.select("select max(attempt) from workflow_runs") == [(1,)]
    assert night.select("select item from dead_letters") == []
    assert night.select("select fingerprint from ops_alerts") == []
    assert night.audit() == []


def test_a_night_completes_each_slot_of_each_task_once(calm: Night) -> None:
    _assert_each_slot_is_done_once(calm)
    markets = {slug: rest for slug, *rest in calm.end()["markets"]}
    assert markets["decided"] == ["FINALIZED", "halted", [10_000, 0], True]
    assert markets["undecided"] == ["ACTIVE", "halted", None, False]
    assert [row[3] for row in calm.end()["notifications"] if row[0] == "market_closing_soon"] == [
        1
    ] * 4


@pytest.mark.soak
def test_a_day_completes_each_slot_of_each_task_once(tmp_path: Path) -> None:
    with _night(tmp_path) as night:
        began = time.monotonic()
        night.drive(24 * 60)
        assert time.monotonic() - began < 120
        _assert_each_slot_is_done_once(night)


def test_faults_change_nothing_but_the_task_that_always_fails(calm: Night, tmp_path: Path) -> None:
    with _night(tmp_path) as night:
        with psycopg.connect(night.stack.database_urls["owner"], autocommit=True) as owner:
            owner.execute("alter function public.expire_deposits rename to hidden")
        night.faults(**FAULTS)
        night.drive(NIGHT_MIN - QUIET_MIN)
        assert night.counts["failed"] > night.counts["delivered"] / 20
        night.faults()
        night.drive(QUIET_MIN)
        assert night.end() == calm.end()
        assert night.audit() == []
        open_letters = night.select(
            "select payload ->> 'stem', status, retries from dead_letters"
            " where status <> 'resolved'"
        )
        assert open_letters == [(FAILING, "manual_review", 3)]
        failed = night.select(
            "select name, count(*) from workflow_runs where status = 'failed' group by name"
        )
        assert failed == [(FAILING, 1)]
