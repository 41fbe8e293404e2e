"""Ticks that follow volatility: bounds, notice, emergency, and what rests in the book."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presage import clock
from tests.harness import NOON_MS, Answer, Platform, Wallet
from tests.integration.routes.conftest import ADMIN_KEY

HOUR_S = 3_600
GRID = (10, 25, 50, 100)


@pytest.fixture
def market(platform: Platform, admin: Wallet) -> str:
    far = clock.from_ms(NOON_MS + 30 * 86_400_000).isoformat()
    return platform.active_market(admin, admin, closesAt=far)


def _closes(platform: Platform, market: str, closes: Sequence[int], *, outcome: int = 0) -> None:
    """Hourly bars that end with the last whole hour, each opening at the close before it."""
    last = clock.floor_to(clock.now(), HOUR_S)
    before = closes[0]
    with platform.database.connect() as owner:
        owner.execute("delete from price_bars where outcome = %s", (outcome,))
        for ago, close in zip(range(len(closes), 0, -1), closes, strict=True):
            low, high = sorted((before, close))
            owner.execute(
                "insert into price_bars values (%s, %s, 3600, %s, %s, %s, %s, %s, 1, 1, 1)",
                (market, outcome, last - timedelta(hours=ago), before, high, low, close),
            )
            before = close


def _run(platform: Platform) -> dict[str, int]:
    with platform.database.connect() as owner:
        owner.execute("delete from workflow_runs")
    done: dict[str, int] = platform.deliver("tick_adjustment").data["counts"]
    return done


def _tick(platform: Platform, market: str) -> float:
    shown = platform.call("get_market", market_id=market, headers={"cache-control": "no-cache"})
    return float(shown.data["tickSize"])


def _changes(platform: Platform) -> list[tuple[Any, ...]]:
    with platform.database.connect() as owner:
        return owner.execute(
            "select from_bps, to_bps, reason, volatility_bps, status,"
            " extract(epoch from effective_at - announced_at)::integer"
            " from tick_changes order by id"
        ).fetchall()


def _set_tick(platform: Platform, tick: int, low: int = 10, high: int = 100) -> None:
    with platform.database.connect() as owner:
        owner.execute(
            "update markets set tick_size_bps = %s, min_tick_bps = %s, max_tick_bps = %s",
            (tick, low, high),
        )


def test_a_quiet_market_is_told_a_day_before_its_tick_gets_finer(
    platform: Platform, market: str
) -> None:
    _closes(platform, market, [5_000, 5_100, 5_000])  # the root of 100² + 100² is 141
    assert _tick(platform, market) == 0.01
    assert _run(platform) == {"announced": 1, "emergencies": 0, "applied": 0}
    assert _changes(platform) == [(100, 50, "quiet", 141, "announced", 86_400)]
    said = platform.call("get_market", market_id=market).data["clarifications"]
    assert "from 0.01 to 0.005 at 2026-07-25 12:00 UTC" in said[0]["body"]
    assert "0.005" in said[0]["bodyBn"]
    with platform.database.connect() as owner:
        told = owner.execute("select count(*) from outbox where topic = 'clarification'").fetchone()
    assert told == (1,)
    platform.advance(23 * HOUR_S)
    assert _run(platform)["applied"] == 0
    assert _tick(platform, market) == 0.01
    platform.advance(HOUR_S)
    assert _run(platform)["applied"] == 1
    assert _tick(platform, market) == 0.005
    assert [one[4] for one in _changes(platform)] == ["applied"]


def test_a_wild_market_gets_coarser_after_notice_as_well(platform: Platform, market: str) -> None:
    _set_tick(platform, 25)
    _closes(platform, market, [5_000, 5_900, 5_000])
    assert _run(platform) == {"announced": 1, "emergencies": 0, "applied": 0}
    assert _changes(platform) == [(25, 50, "volatile", 1_273, "announced", 86_400)]


def test_between_the_bounds_and_at_the_ends_of_the_range_nothing_changes(
    platform: Platform, market: str
) -> None:
    for closes in ([5_000, 5_200], [5_000, 6_000]):  # exactly 2 % and 10 %
        _set_tick(platform, 50)
        _closes(platform, market, closes)
        assert _run(platform)["announced"] == 0
    for tick, low, high, closes in (
        (10, 10, 100, [5_000, 5_000]),
        (50, 50, 100, [5_000, 5_000]),
        (100, 10, 100, [5_000, 7_000]),
        (25, 10, 25, [5_000, 7_000]),
        (200, 10, 500, [5_000, 5_000]),  # a tick of its own, off the grid
    ):
        _set_tick(platform, tick, low, high)
        _closes(platform, market, closes)
        assert _run(platform)["announced"] == 0, tick
    _set_tick(platform, 100)
    with platform.database.connect() as owner:
        owner.execute("delete from price_bars")  # nobody trades: nothing is known
    assert _run(platform)["announced"] == 0


def test_nothing_is_announced_that_would_come_after_the_close(
    platform: Platform, admin: Wallet
) -> None:
    market = platform.active_market(admin, admin)  # closes in a day
    _closes(platform, market, [5_000, 5_000])
    assert _run(platform)["announced"] == 0


def test_doubled_volatility_widens_at_once_and_once_a_day(platform: Platform, market: str) -> None:
    calm, storm = [5_000] * 23 + [5_150], [5_150] * 22 + [5_300, 5_000]  # 150 before, 335 now
    _set_tick(platform, 25)
    _closes(platform, market, [*calm, *storm])
    assert _run(platform) == {"announced": 1, "emergencies": 1, "applied": 1}
    assert _tick(platform, market) == 0.005
    assert _changes(platform) == [(25, 50, "emergency", 335, "applied", 0)]
    assert _run(platform) == {"announced": 0, "emergencies": 0, "applied": 0}
    platform.advance(HOUR_S)
    _closes(platform, market, [*calm, *storm])
    assert _run(platform)["announced"] == 0
    platform.advance(23 * HOUR_S)
    _closes(platform, market, [*calm, *storm])
    assert _run(platform) == {"announced": 1, "emergencies": 1, "applied": 1}
    assert _tick(platform, market) == 0.01


def test_an_emergency_takes_the_place_of_a_change_that_waits(
    platform: Platform, market: str
) -> None:
    _set_tick(platform, 50)
    _closes(platform, market, [5_000] * 24)
    _run(platform)
    assert _changes(platform)[0][:3] == (50, 25, "quiet")
    platform.advance(HOUR_S)
    _closes(platform, market, [*[5_000] * 23, 5_150, *[5_150] * 23, 4_800])
    assert _run(platform) == {"announced": 1, "emergencies": 1, "applied": 1}
    assert _changes(platform) == [(50, 100, "emergency", 350, "applied", 0)]
    platform.advance(24 * HOUR_S)
    with platform.database.connect() as owner:
        owner.execute("delete from price_bars")
    assert _run(platform)["applied"] == 0
    assert _tick(platform, market) == 0.01


def test_a_little_that_doubles_is_no_emergency(platform: Platform, market: str) -> None:
    _closes(platform, market, [*[5_000] * 23, 5_010, *[5_010] * 23, 5_110])
    assert _run(platform)["emergencies"] == 0


def test_resting_orders_off_the_new_grid_trade_shrink_and_cancel(
    platform: Platform, market: str
) -> None:
    """What rests at 0.435 stays when the tick becomes 0.01: only new orders keep to the grid."""
    owner, taker = platform.sign_in(), platform.sign_in()
    for wallet in (owner, taker):
        platform.fund(wallet, 1_000_000_000)
    _set_tick(platform, 50)
    orders = [
        platform.order(owner, market, side="BUY", price=0.435, size=10).data["id"] for _ in range(3)
    ]
    _closes(platform, market, [*[5_000] * 23, 5_150, *[5_150] * 23, 4_800])
    assert _run(platform)["applied"] == 1
    assert _tick(platform, market) == 0.01
    refused = platform.order(owner, market, side="BUY", price=0.445, size=10)
    assert (refused.status, refused.body["details"]["field"]) == (400, "price")
    filled = platform.order(taker, market, side="BUY", outcome="NO", price=0.57, size=10)
    assert filled.data["status"] == "filled"
    first, second, third = orders
    amended = platform.call("amend_order", token=owner.token, order_id=second, body={"size": 4})
    assert amended.status == 200, amended.body
    assert platform.call("cancel_order", token=owner.token, order_id=third).status == 200
    states = [platform.call("get_order", token=owner.token, order_id=one).data for one in orders]
    assert [(one["id"], one["status"]) for one in states] == [
        (first, "filled"),
        (second, "open"),
        (third, "cancelled"),
    ]
    book = platform.call("get_book", market_id=market).data
    assert [(level["price"], level["size"]) for level in book["bids"]] == [(0.435, 4.0)]
    made_up = "bars_match_fills"  # the bars are
    assert [one for one in platform.audit() if one.invariant != made_up] == []


def test_a_change_whose_market_has_another_tick_by_now_is_dropped(
    platform: Platform, market: str
) -> None:
    _closes(platform, market, [5_000, 5_000])
    _run(platform)
    _set_tick(platform, 25)
    with platform.database.connect() as owner:
        owner.execute("delete from price_bars")
    platform.advance(24 * HOUR_S)
    assert _run(platform)["applied"] == 0
    assert _tick(platform, market) == 0.0025
    assert [one[4] for one in _changes(platform)] == ["dropped"]


def test_of_several_outcomes_the_wildest_counts(platform: Platform, admin: Wallet) -> None:
    far = clock.from_ms(NOON_MS + 30 * 86_400_000).isoformat()
    cities = platform.cities(admin, admin, closesAt=far)
    _closes(platform, cities, [5_000, 5_000], outcome=0)
    _closes(platform, cities, [3_000, 3_500], outcome=1)
    assert _run(platform)["announced"] == 0
    _closes(platform, cities, [3_000, 3_000], outcome=1)
    assert _run(platform)["announced"] == 1


def _expected(bars: dict[int, tuple[int, int]], tick: int) -> tuple[int, str] | None:
    """What the rule says, by hand: bars are (open, close) by how many hours ago they began."""
    squares = {"now": 0, "before": 0}
    seen = {"now": False, "before": False}
    last: int | None = None
    for ago in sorted(bars, reverse=True):
        open_bps, close_bps = bars[ago]
        move = close_bps - (open_bps if last is None else last)
        last = close_bps
        if ago <= 48:
            window = "now" if ago <= 24 else "before"
            squares[window] += move * move
            seen[window] = True
    if not seen["now"]:
        return None
    finer = [one for one in GRID if one < tick]
    coarser = [one for one in GRID if one > tick]
    doubled = seen["before"] and squares["before"] > 0 and squares["now"] >= 4 * squares["before"]
    if squares["now"] >= 200**2 and doubled:
        return (coarser[0], "emergency") if coarser else None
    if squares["now"] < 200**2:
        return (finer[-1], "quiet") if finer else None
    if squares["now"] > 1_000**2:
        return (coarser[0], "volatile") if coarser else None
    return None


def test_the_rule_holds_for_any_history(platform: Platform, market: str) -> None:
    price = st.integers(100, 9_900)
    hours = st.dictionaries(st.integers(1, 60), st.tuples(price, price), max_size=12)
    small = st.dictionaries(
        st.integers(1, 60),
        st.tuples(st.integers(4_900, 5_100), st.integers(4_900, 5_100)),
        max_size=12,
    )

    @settings(max_examples=60)
    @given(bars=st.one_of(hours, small), tick=st.sampled_from(GRID))
    def check(bars: dict[int, tuple[int, int]], tick: int) -> None:
        last = clock.floor_to(clock.now(), HOUR_S)
        with platform.database.connect() as owner:
            owner.execute("delete from price_bars")
            owner.execute("delete from tick_changes")
            for ago, (start, close) in bars.items():
                low, high = sorted((start, close))
                owner.execute(
                    "insert into price_bars values (%s, 0, 3600, %s, %s, %s, %s, %s, 1, 1, 1)",
                    (market, last - timedelta(hours=ago), start, high, low, close),
                )
        _set_tick(platform, tick)
        _run(platform)
        said = [(to, reason) for _, to, reason, *_ in _changes(platform)]
        expected = _expected(bars, tick)
        assert said == ([expected] if expected else [])

    check()


def _set_range(platform: Platform, admin: Wallet, market: str, low: float, high: float) -> Answer:
    body = {"minTick": low, "maxTick": high}
    return platform.call("set_tick_range", token=admin.token, market_id=market, body=body)


def test_an_admin_bounds_the_tick(platform: Platform, admin: Wallet, market: str) -> None:
    done = _set_range(platform, admin, market, 0.01, 0.01)
    assert done.data == {
        "id": market,
        "slug": done.data["slug"],
        "tickSize": 0.01,
        "minTick": 0.01,
        "maxTick": 0.01,
        "changedAt": "2026-07-24T12:00:00+00:00",
    }
    _closes(platform, market, [5_000, 5_000])
    assert _run(platform)["announced"] == 0
    assert _set_range(platform, admin, market, 0.0025, 0.01).status == 200
    assert _run(platform)["announced"] == 1
    # What was announced holds only where the range still has it.
    assert _set_range(platform, admin, market, 0.01, 0.01).status == 200
    platform.advance(24 * HOUR_S)
    assert _run(platform)["applied"] == 0
    assert (_tick(platform, market), _changes(platform)[0][4]) == (0.01, "dropped")
    query = {"action": "set_tick_range"}
    log = platform.call("list_audit_log", token=platform.sign_in(ADMIN_KEY).token, query=query).data
    assert [json.loads(one["changes"]) for one in reversed(log)] == [
        {"from": [10, 100], "to": [100, 100]},
        {"from": [100, 100], "to": [25, 100]},
        {"from": [25, 100], "to": [100, 100]},
    ]


@pytest.mark.parametrize(
    ("low", "high", "status", "field"),
    [
        (0.002, 0.01, 400, "minTick"),
        (0.001, 0.02, 400, "maxTick"),
        (0.01, 0.005, 400, "minTick"),
        (0.001, 0.005, 409, "maxTick"),
    ],
)
def test_a_range_is_on_the_grid_and_holds_the_tick(
    platform: Platform,
    admin: Wallet,
    market: str,
    low: float,
    high: float,
    status: int,
    field: str,
) -> None:
    refused = _set_range(platform, admin, market, low, high)
    assert (refused.status, refused.body["details"]["field"]) == (status, field)


def test_a_tick_below_the_range_and_a_market_that_is_over(
    platform: Platform, admin: Wallet, market: str
) -> None:
    _set_tick(platform, 25)
    refused = _set_range(platform, admin, market, 0.005, 0.01)
    assert (refused.status, refused.body["details"]["field"]) == (409, "minTick")
    over = platform.proposed_market(admin)
    platform.call("cancel_market", token=admin.token, market_id=over)
    refused = _set_range(platform, admin, over, 0.001, 0.01)
    assert (refused.status, refused.body["details"]["field"]) == (409, "state")
    assert _set_range(platform, admin, str(admin.user_id), 0.001, 0.01).status == 404
