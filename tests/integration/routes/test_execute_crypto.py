"""execute_crypto against a feed that speaks the venues' formats, and groups against QStash."""

import os
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local.feed import FeedServer, FeedTick, PriceFeed
from infra.local.homes import PROJECT_ROOT
from infra.local.ports import free_port, wait_accepting
from infra.local.process import ChildProcess
from presage import clock
from presage.workflows.groups import GROUPS
from tests.harness import NOON_MS, Platform, Wallet

OPEN_S, CLOSE_S = 300, 600
STRIKE = "65000"


class Ticks:
    """Seconds after noon and their prices; a test adds what it needs before the feed is asked."""

    def __init__(self) -> None:
        self.all: list[FeedTick] = []
        self.feed = PriceFeed([], "BTC/USD", clock.now_ms)

    def add(self, second: float, value: str, *, lag_ms: int = 1_500) -> None:
        """A tick observed then and received `lag_ms` later."""
        moment = NOON_MS + round(second * 1_000)
        self.all.append(FeedTick(recv_ms=moment + lag_ms, feed_ms=moment, value=Decimal(value)))


@pytest.fixture
def qstash(platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A QStash on the platform's clock, which delivers only when told to."""
    port = free_port()
    emulator = ChildProcess(
        name="qstash",
        argv=[
            *(sys.executable, "-m", "infra.local.qstash", "--port", str(port), "--token", "t"),
            *("--current-key", os.environ["QSTASH_CURRENT_SIGNING_KEY"]),
            *("--next-key", os.environ["QSTASH_NEXT_SIGNING_KEY"]),
        ],
        log_file=tmp_path / "qstash.log",
        env=os.environ
        | {
            "PYTHONPATH": f"{PROJECT_ROOT}/shared:{PROJECT_ROOT}",
            "PRESAGE_CLOCK_FILE": str(platform.clock_file),
        },
        cwd=PROJECT_ROOT,
    )
    emulator.start()
    try:
        emulator.wait_ready(lambda: wait_accepting(port, 0.0), 20)
        monkeypatch.setenv("QSTASH_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("QSTASH_TOKEN", "t")
        yield f"http://127.0.0.1:{port}"
    finally:
        emulator.stop(grace_s=5)


@pytest.fixture
def ticks(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ticks]:  # noqa: ARG001 - its clock
    """Ticks for the feed that the platform asks; the feed starts at its first question."""
    held = Ticks()
    with FeedServer(held.feed) as server:
        monkeypatch.setenv("BINANCE_URL", server.url)
        monkeypatch.setenv("COINBASE_URL", server.url)
        monkeypatch.setenv("PRICE_SYMBOLS", "BTC/USD")
        yield held


def _serve(ticks: Ticks) -> None:
    """Hand the feed its ticks."""
    fresh = PriceFeed(ticks.all, "BTC/USD", clock.now_ms)
    vars(ticks.feed).update(vars(fresh))


@pytest.fixture
def trader(platform: Platform) -> Wallet:
    return platform.sign_in()


def _market(platform: Platform, admin: Wallet, trader: Wallet, **rule: Any) -> str:
    moment = {name: clock.from_ms(NOON_MS + s * 1000).isoformat() for name, s in
              (("open", OPEN_S), ("close", CLOSE_S))}  # fmt: skip
    return platform.active_market(
        admin,
        trader,
        closesAt=moment["close"],
        disputeWindowS=3600,
        resolutionRule={
            "kind": "price_at",
            "symbol": "BTC/USD",
            "reference": "strike",
            "strike": STRIKE,
            "openAt": moment["open"],
            "closeAt": moment["close"],
        }
        | rule,
    )


def _at(platform: Platform, second: float) -> None:
    platform.set_clock(NOON_MS + round(second * 1000))


def _counts(platform: Platform) -> dict[str, int]:
    answer = platform.deliver("execute_crypto")
    counts = answer.data["counts"]
    assert isinstance(counts, dict)
    return counts


def _proposed(platform: Platform, market: str) -> tuple[Any, Any]:
    with platform.database.connect() as owner:
        row = owner.execute(
            "select state, proposed_payout_bps, resolution_evidence from markets where id = %s",
            (market,),
        ).fetchone()
    assert row is not None
    assert row[2] is None or row[2]["close"]["symbol"] == "BTC/USD"
    return row[0], row[1]


@pytest.mark.usefixtures("qstash")
def test_the_price_at_the_close_decides(
    platform: Platform, admin: Wallet, trader: Wallet, ticks: Ticks
) -> None:
    market = _market(platform, admin, trader)
    ticks.add(CLOSE_S - 2, "64000")
    ticks.add(CLOSE_S, "64999", lag_ms=1_000)
    ticks.add(CLOSE_S, "65000", lag_ms=4_000)  # the correction of the same second wins
    ticks.add(CLOSE_S + 1, "60000", lag_ms=5_000)
    _serve(ticks)
    # At the close itself the last tick known is too old to be trusted: look again soon.
    _at(platform, CLOSE_S)
    assert _counts(platform)["pending"] == 1
    _at(platform, CLOSE_S + 300)
    assert _counts(platform)["proposed"] == 1
    assert _proposed(platform, market) == ("RESOLVING", [10_000, 0])
    shown = platform.call("get_market", market_id=market).data
    assert shown["resolutionRule"]["strike"] == STRIKE
    assert shown["resolutionEvidence"]["reference"] == STRIKE
    assert Decimal(shown["resolutionEvidence"]["close"]["value"]) == Decimal(65000)


@pytest.mark.usefixtures("qstash")
def test_the_price_at_the_open_may_be_the_reference(
    platform: Platform, admin: Wallet, trader: Wallet, ticks: Ticks
) -> None:
    market = _market(platform, admin, trader, reference="price_at_open")
    ticks.add(OPEN_S - 3, "65000")
    ticks.add(OPEN_S + 1, "1")
    ticks.add(CLOSE_S, "64999.99")
    ticks.add(CLOSE_S + 2, "70000")
    _serve(ticks)
    _at(platform, CLOSE_S + 10)
    assert _counts(platform)["proposed"] == 1
    assert _proposed(platform, market) == ("RESOLVING", [0, 10_000])


@pytest.mark.usefixtures("qstash")
def test_a_gap_at_a_bound_asks_a_human_once(
    platform: Platform, admin: Wallet, trader: Wallet, ticks: Ticks
) -> None:
    market = _market(platform, admin, trader)
    ticks.add(CLOSE_S - 6, "66000")
    ticks.add(CLOSE_S + 1, "66000")
    _serve(ticks)
    _at(platform, CLOSE_S + 10)
    assert _counts(platform)["escalated"] == 1
    assert _proposed(platform, market) == ("ACTIVE", None)
    _at(platform, CLOSE_S + 310)
    assert _counts(platform)["escalated"] == 0
    with platform.database.connect() as owner:
        asked = owner.execute("select kind, subject, status from escalations").fetchall()
    assert asked == [("resolution", market, "open")]


@pytest.mark.usefixtures("qstash")
def test_a_symbol_nobody_prices_asks_a_human(
    platform: Platform, admin: Wallet, trader: Wallet, ticks: Ticks
) -> None:
    unknown = [_market(platform, admin, trader, symbol="XYZ/USD") for _ in range(6)]
    known = _market(platform, admin, trader)
    ticks.add(CLOSE_S, "65001")
    ticks.add(CLOSE_S + 1, "65001")
    _serve(ticks)
    _at(platform, CLOSE_S + 10)
    # Refusals of a symbol are no outage: they keep no other market from its price.
    counts = _counts(platform)
    assert (counts["escalated"], counts["proposed"]) == (len(unknown), 1)
    assert _proposed(platform, known)[0] == "RESOLVING"


def test_a_pending_market_is_looked_at_again_by_itself(
    platform: Platform, admin: Wallet, trader: Wallet, ticks: Ticks, qstash: str
) -> None:
    _market(platform, admin, trader)
    ticks.add(CLOSE_S, "65001")
    ticks.add(CLOSE_S + 1, "65001")
    _serve(ticks)
    _at(platform, CLOSE_S)
    for _ in range(2):
        # The slot's other delivery publishes nothing twice.
        platform.deliver("execute_crypto")
    headers = {"Authorization": "Bearer t"}
    events = httpx.get(f"{qstash}/v2/events", headers=headers).json()["events"]
    assert len({event["messageId"] for event in events}) == 1


@pytest.mark.usefixtures("qstash")
def test_spot_prices_are_kept_with_their_median(platform: Platform, ticks: Ticks) -> None:
    ticks.add(0, "65000.5")
    _serve(ticks)
    _at(platform, 10)
    assert _counts(platform)["ticks"] == 3
    with platform.database.connect() as owner:
        kept = owner.execute("select source, value from price_feeds order by source").fetchall()
    assert kept == [(source, Decimal("65000.5")) for source in ("binance", "coinbase", "median")]
    _at(platform, 400)
    # The last tick is older than a minute: stale is as good as none.
    assert _counts(platform)["ticks"] == 0


@pytest.mark.usefixtures("qstash")
def test_an_outage_is_recorded_retried_and_then_left_alone(
    platform: Platform, admin: Wallet, trader: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BINANCE_URL", "COINBASE_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("PRICE_SYMBOLS", "BTC/USD")
    market = _market(platform, admin, trader)
    _at(platform, CLOSE_S + 100)
    for _ in range(2):
        answer = platform.deliver("execute_crypto")
        assert (answer.status, answer.data["status"]) == (200, "partial")
        platform.advance(300)
    with platform.database.connect() as owner:
        letters = owner.execute("select item, failures from dead_letters order by item").fetchall()
    assert (f"market:{market}", 2) in letters
    assert ("spot:binance:BTC/USD", 2) in letters
    assert _proposed(platform, market) == ("ACTIVE", None)


def test_a_group_publishes_each_task_once(platform: Platform, qstash: str) -> None:
    first = platform.deliver("group_fast")
    tasks = len(GROUPS["group_fast"])
    assert first.data["counts"] == {"published": tasks}
    platform.deliver("group_fast")
    headers = {"Authorization": "Bearer t"}
    events = httpx.get(f"{qstash}/v2/events", headers=headers).json()["events"]
    assert len({event["messageId"] for event in events}) == tasks


def test_a_group_whose_publishing_failed_tries_again(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QSTASH_URL", "http://127.0.0.1:9")
    failed = platform.deliver("group_daily")
    assert (failed.status, failed.body["code"]) == (502, "UPSTREAM_ERROR")
    with platform.database.connect() as owner:
        runs = owner.execute("select status from workflow_runs").fetchall()
    assert runs == [("failed",)]
