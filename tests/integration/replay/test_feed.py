"""The price feed, read by the adapter that reads the real venues, and by hand where it does not."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from infra.local.feed import FeedServer, FeedTick, PriceFeed, TickStore, read_ticks
from infra.local.valkey import Valkey
from presage.adapters import redis, spot_prices
from presage.errors import UpstreamError
from tests.integration.local.conftest import run_module

NOON = datetime(2026, 7, 24, 12, tzinfo=UTC)
NOON_MS = 1_784_894_400_000
EXACT = Decimal("65048.078902260626123456")


def tick(second: int, value: str | Decimal, *, lag_ms: int = 1_500) -> FeedTick:
    """A tick of that second after noon, received a little later."""
    moment = NOON_MS + second * 1_000
    return FeedTick(recv_ms=moment + lag_ms, feed_ms=moment, value=Decimal(value))


@dataclass
class Venue:
    """A running feed whose clock the test moves."""

    now_ms: int = NOON_MS
    url: str = ""

    def get(self, path: str, **query: str | int) -> httpx.Response:
        """One GET."""
        return httpx.get(self.url + path, params=query)

    def klines(self, **query: str | int) -> list[list[object]]:
        """One-second klines of the pair."""
        asked = {"symbol": "BTCUSDT", "interval": "1s"} | query
        found: list[list[object]] = self.get("/api/v3/klines", **asked).raise_for_status().json()
        return found


TICKS = [
    tick(0, EXACT),
    tick(1, "65001"),
    tick(2, "65002"),
    tick(2, "65002.5", lag_ms=4_000),  # a correction
    tick(5, "65005"),  # after a gap
    tick(3, "64999", lag_ms=9_000),  # late, and received after newer ones
]


@pytest.fixture
def venue() -> Iterator[Venue]:
    venue = Venue()
    with FeedServer(PriceFeed(TICKS, "BTC/USD", lambda: venue.now_ms)) as server:
        venue.url = server.url
        yield venue


@pytest.fixture(scope="module")
def breaker_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The bridge that keeps the adapter's breaker."""
    folder = tmp_path_factory.mktemp("bridge")
    with (
        Valkey() as valkey,
        run_module(
            "infra.local.upstash", folder, "--redis-port", str(valkey.port), "--token", "t"
        ) as port,
    ):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def adapter(venue: Venue, breaker_state: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Venue]:
    """The real adapter, pointed at the feed."""
    for name, value in {
        "BINANCE_URL": venue.url,
        "COINBASE_URL": venue.url,
        "UPSTASH_REDIS_REST_URL": breaker_state,
        "UPSTASH_REDIS_REST_TOKEN": "t",
    }.items():
        monkeypatch.setenv(name, value)
    redis.close()
    yield venue
    redis.close()


def test_the_adapter_reads_the_ticks_as_they_were_received(adapter: Venue) -> None:
    def history() -> list[tuple[int, Decimal]]:
        found = spot_prices.binance_history("BTC/USD", NOON, NOON + timedelta(seconds=10))
        return [((one.observed_at - NOON) // timedelta(seconds=1), one.value) for one in found]

    assert history() == []
    adapter.now_ms = NOON_MS + 1_500
    assert history() == [(0, EXACT)]
    adapter.now_ms = NOON_MS + 4_000
    assert history() == [(0, EXACT), (1, Decimal(65001)), (2, Decimal(65002))]
    adapter.now_ms = NOON_MS + 7_000
    corrected = [(0, EXACT), (1, Decimal(65001)), (2, Decimal("65002.5")), (5, Decimal(65005))]
    assert history() == corrected
    adapter.now_ms = NOON_MS + 12_000
    assert history() == [*corrected[:3], (3, Decimal(64999)), corrected[3]]


def test_the_adapter_reads_the_spot_of_both_venues(adapter: Venue) -> None:
    adapter.now_ms = NOON_MS + 60_000
    for spot in (spot_prices.binance_spot, spot_prices.coinbase_spot):
        found = spot("BTC/USD")
        assert (found.observed_at, found.value) == (NOON + timedelta(seconds=5), Decimal(65005))


def test_before_the_first_tick_there_is_no_price(adapter: Venue) -> None:
    for spot in (spot_prices.binance_spot, spot_prices.coinbase_spot):
        with pytest.raises(UpstreamError):
            spot("BTC/USD")
    assert adapter.klines() == []


def test_seconds_without_a_tick_carry_the_price_in_klines_without_trades(venue: Venue) -> None:
    venue.now_ms = NOON_MS + 9_000
    klines = venue.klines(startTime=NOON_MS, endTime=NOON_MS + 4_000)
    assert [(kline[0], kline[6], kline[4], kline[8]) for kline in klines] == [
        (NOON_MS, NOON_MS + 999, "65001", 1),
        (NOON_MS + 1_000, NOON_MS + 1_999, "65002.5", 1),
        (NOON_MS + 2_000, NOON_MS + 2_999, "65002.5", 0),
        (NOON_MS + 3_000, NOON_MS + 3_999, "65002.5", 0),
        (NOON_MS + 4_000, NOON_MS + 4_999, "65005", 1),
    ]
    assert all(len(kline) == 12 for kline in klines)


def test_klines_honour_their_bounds(venue: Venue) -> None:
    venue.now_ms = NOON_MS + 9_000

    def opens(**query: int) -> list[int]:
        return [(int(str(kline[0])) - NOON_MS) // 1_000 for kline in venue.klines(**query)]

    assert opens() == list(range(-1, 10))
    assert opens(limit=2) == [8, 9]
    assert opens(startTime=NOON_MS + 1, limit=2) == [1, 2]
    assert opens(endTime=NOON_MS + 3_999, limit=3) == [1, 2, 3]
    assert opens(startTime=NOON_MS + 60_000) == []
    assert opens(startTime=0, endTime=NOON_MS - 1) == [-1]


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("/api/v3/klines", {"symbol": "BTCUSDT", "interval": "1m"}, 400, -1120),
        ("/api/v3/klines", {"symbol": "NOUSDT", "interval": "1s"}, 400, -1121),
        ("/api/v3/klines", {"interval": "1s"}, 400, -1102),
        ("/api/v3/klines", {"symbol": "BTCUSDT", "interval": "1s", "limit": "x"}, 400, -1100),
        ("/api/v3/ticker/24hr", {"symbol": "NOUSDT"}, 400, -1121),
        ("/products/NO-USD/ticker", {}, 404, None),
        ("/nothing", {}, 404, None),
    ],
)
def test_the_feed_refuses_as_the_venues_do(
    venue: Venue, path: str, query: dict[str, str], status: int, code: int | None
) -> None:
    answer = venue.get(path, **query)
    assert (answer.status_code, answer.json().get("code")) == (status, code)


def test_a_clock_that_goes_back_unsees() -> None:
    store = TickStore(TICKS)
    store.advance(NOON_MS + 60_000)
    assert store.last() == (NOON_MS + 5_000, Decimal(65005))
    store.advance(NOON_MS + 1_500)
    assert store.last() == (NOON_MS, EXACT)


def test_recorded_ticks_are_read_exactly(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv.gz"
    rows = (
        "feed_ts_ms,value,full_accuracy_value,server_ts_ms,recv_ms\n"
        f"{NOON_MS},65048.078,65048078902260626123456,{NOON_MS + 900},{NOON_MS + 1_500}\n"
    )
    path.write_bytes(gzip.compress(rows.encode()))
    assert read_ticks(path) == [tick(0, EXACT)]


def test_a_file_without_the_columns_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv.gz"
    path.write_bytes(gzip.compress(b"time,price\n1,2\n"))
    with pytest.raises(ValueError, match=r"prices\.csv\.gz: no column 'recv_ms'"):
        read_ticks(path)
