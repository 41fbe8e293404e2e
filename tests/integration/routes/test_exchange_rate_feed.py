"""update_exchange_rate against stand-ins that speak the venues' formats, faults included."""

from collections.abc import Iterator

import pytest

from infra.local.feed import FeedServer
from infra.local.rate_feed import Fault, RateFeed
from presage import clock
from presage.adapters import http_json
from presage.routes import ROUTES
from presage.workflows.groups import GROUPS
from tests.harness import Platform, Wallet


@pytest.fixture
def rates(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[RateFeed]:  # noqa: ARG001 - its clock
    feed = RateFeed(clock.now_ms)
    with FeedServer(feed) as server:
        monkeypatch.setenv("BINANCE_P2P_URL", server.url)
        monkeypatch.setenv("COINGECKO_URL", server.url)
        yield feed


def _stored(platform: Platform) -> list[tuple[int, str]]:
    with platform.database.connect() as owner:
        return owner.execute(
            "select rate_micros, source from exchange_rates order by id"
        ).fetchall()


def _run(platform: Platform) -> dict[str, int]:
    platform.advance(300)
    done: dict[str, int] = platform.deliver("update_exchange_rate").data["counts"]
    return done


def _refusals(platform: Platform) -> list[tuple[str, int]]:
    with platform.database.connect() as owner:
        return owner.execute("select fingerprint, count from ops_alerts order by id").fetchall()


def test_the_median_of_both_sources_is_stored_and_people_see_it(
    platform: Platform, admin: Wallet, rates: RateFeed
) -> None:
    rates.p2p_prices = ["121.90", "122.10", "140.00"]  # an offer out of line moves nothing
    rates.coingecko_price = 122.3
    assert _run(platform) == {"quotes": 2, "stored": 1, "refused": 0}
    assert _stored(platform) == [(122_200_000, "binance_p2p+coingecko")]
    shown = platform.call("get_exchange_rate", token=admin.token, query={"currency": "USDT"}).data
    assert (shown["rate"], shown["isStale"]) == (122.2, False)
    assert "update_exchange_rate" in GROUPS["group_fast"]
    assert ROUTES["update_exchange_rate"].slot_s == 300


def test_a_jump_keeps_the_old_rate_and_alerts_the_operators_once(
    platform: Platform, rates: RateFeed
) -> None:
    rates.p2p_prices, rates.coingecko_price = ["100.00"], 100.0
    _run(platform)
    rates.p2p_prices, rates.coingecko_price = ["105.00"], 105.0  # exactly 5 % is no jump
    assert _run(platform)["stored"] == 1
    for price in ("110.26", "99.74"):
        rates.p2p_prices, rates.coingecko_price = [price], float(price)
        assert _run(platform) == {"quotes": 2, "stored": 0, "refused": 1}
    assert [rate for rate, _ in _stored(platform)] == [100_000_000, 105_000_000]
    assert _refusals(platform) == [("exchange_rate_jump:USDT/BDT", 2)]


def test_an_admins_rate_is_the_new_mark(platform: Platform, admin: Wallet, rates: RateFeed) -> None:
    rates.p2p_prices, rates.coingecko_price = ["100.00"], 100.0
    _run(platform)
    rates.p2p_prices, rates.coingecko_price = ["120.00"], 120.0
    assert _run(platform)["refused"] == 1
    body = {"currency": "USDT", "rate": 119}
    assert platform.call("set_exchange_rate", token=admin.token, body=body).status == 200
    assert _run(platform)["stored"] == 1


def test_sources_that_contradict_each_other_prove_nothing(
    platform: Platform, rates: RateFeed
) -> None:
    rates.p2p_prices, rates.coingecko_price = ["100.00"], 106.0
    assert _run(platform) == {"quotes": 2, "stored": 0, "refused": 1}
    assert _stored(platform) == []


@pytest.mark.parametrize("source", ["binance_p2p", "coingecko"])
@pytest.mark.parametrize("fault", ["hang", "429", "500", "malformed", "other shape"])
def test_one_source_that_fails_leaves_the_other(
    platform: Platform,
    rates: RateFeed,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    fault: Fault,
) -> None:
    monkeypatch.setattr(http_json, "TIMEOUT_S", 0.3)
    rates.hang_s = 0.6
    rates.faults[source] = fault
    assert _run(platform) == {"quotes": 1, "stored": 1, "refused": 0}
    other = ({"binance_p2p", "coingecko"} - {source}).pop()
    assert [name for _, name in _stored(platform)] == [other]
    tries = 1 if fault == "other shape" else http_json.ATTEMPTS
    assert rates.asked.count(source) == tries
    with platform.database.connect() as owner:
        letters = owner.execute("select workflow, item from dead_letters").fetchall()
    assert letters == [("update_exchange_rate", f"rate:{source}")]


def test_what_is_stale_or_empty_is_not_taken(platform: Platform, rates: RateFeed) -> None:
    rates.faults = {"coingecko": "stale", "binance_p2p": "empty"}
    assert _run(platform) == {"quotes": 0, "stored": 0, "refused": 0}
    rates.faults = {"coingecko": "stale"}
    assert _run(platform) == {"quotes": 1, "stored": 1, "refused": 0}
    assert [source for _, source in _stored(platform)] == ["binance_p2p"]


def test_a_source_that_is_down_is_left_alone_for_a_minute(
    platform: Platform, rates: RateFeed
) -> None:
    rates.faults = {"coingecko": "500"}
    for _ in range(5):
        _run(platform)
    asked = rates.asked.count("coingecko")
    assert _run(platform)["stored"] == 1
    assert rates.asked.count("coingecko") == asked == 5 * http_json.ATTEMPTS
