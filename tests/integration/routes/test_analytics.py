"""Daily statistics equal to a recomputation, the board, and the daily report."""

import random
from collections import defaultdict
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.local.ports import free_port
from presage import clock
from tests.harness import NOON_MS, Platform, Wallet

DAY_S = 86_400
MIDNIGHT_MS = NOON_MS - NOON_MS % 86_400_000
FIRST = date(2026, 7, 24)


@pytest.fixture
def traders(platform: Platform) -> list[Wallet]:
    wallets = [platform.sign_in() for _ in range(3)]
    for wallet in wallets:
        platform.fund(wallet, 1_000_000_000)
    return wallets


def _rows(platform: Platform, query: str) -> list[tuple[Any, ...]]:
    with platform.database.connect() as owner:
        return owner.execute(query.encode()).fetchall()


def _trade(
    platform: Platform, market: str, buyer: Wallet, seller: Wallet, price: float, size: int
) -> None:
    """A trade at `price` between two who hold nothing yet: YES against NO."""
    maker = platform.order(
        seller, market, side="BUY", outcome="NO", price=round(1 - price, 2), size=size
    )
    taker = platform.order(buyer, market, side="BUY", price=price, size=size)
    assert (maker.status, taker.data["status"]) == (201, "filled"), taker.body


def _by_hand(platform: Platform) -> tuple[dict[Any, Any], dict[Any, Any], dict[Any, Any]]:
    """The statistics of every day from nothing but raw fills, in Python."""
    fills = _rows(
        platform,
        "select market_id, outcome, created_at, price_bps, size_lots, taker_id, maker_id"
        " from fills order by id",
    )
    markets: dict[Any, list[Any]] = defaultdict(list)
    people: dict[Any, list[int]] = defaultdict(list)
    for market, outcome, at, price, lots, taker, maker in fills:
        markets[market, outcome, at.date()].append((price, lots, taker, maker))
        for person in (taker, maker):
            people[person, at.date()].append(price * lots)
    shown = {
        key: (
            trades[0][0],
            max(price for price, *_ in trades),
            min(price for price, *_ in trades),
            trades[-1][0],
            sum(price * lots for price, lots, *_ in trades),
            sum(lots for _, lots, *_ in trades),
            len(trades),
            len({person for _, _, *both in trades for person in both}),
        )
        for key, trades in markets.items()
    }
    days: dict[Any, Any] = defaultdict(lambda: (0, 0))
    for (_, _, day), one in shown.items():
        days[day] = (days[day][0] + one[4], days[day][1] + one[6])
    return shown, {key: (sum(each), len(each)) for key, each in people.items()}, days


def _kept(platform: Platform) -> tuple[dict[Any, Any], dict[Any, Any], dict[Any, Any]]:
    markets = _rows(
        platform,
        "select market_id, outcome, day, open_bps, high_bps, low_bps, close_bps, volume_micros,"
        " volume_lots, trade_count, unique_traders from market_daily_stats",
    )
    people = _rows(
        platform, "select user_id, day, volume_micros, trade_count from user_daily_stats"
    )
    days = _rows(
        platform,
        "select day, volume_micros, trade_count from platform_daily_stats where trade_count > 0",
    )
    return (
        {row[:3]: row[3:] for row in markets},
        {row[:2]: row[2:] for row in people},
        {row[0]: row[1:] for row in days},
    )


def test_statistics_are_what_the_fills_say(
    platform: Platform, admin: Wallet, traders: list[Wallet]
) -> None:
    """Random trades over random days, rolled up at random times, some of them twice."""
    far = clock.from_ms(NOON_MS + 90 * DAY_S * 1000).isoformat()
    markets = [platform.active_market(admin, admin, closesAt=far) for _ in range(2)]

    @settings(max_examples=12)
    @given(seed=st.integers(0, 2**32))
    def trade_and_compare(seed: int) -> None:
        dice = random.Random(seed)  # noqa: S311 - a test's dice
        for _ in range(dice.randint(1, 4)):
            buyer, seller = dice.sample(traders, 2)
            price = dice.randint(5, 95) / 100
            _trade(platform, dice.choice(markets), buyer, seller, price, dice.randint(1, 5))
            platform.advance(dice.choice((60, 3_600, 20_000)))
        if dice.random() < 0.5:
            platform.advance(3_600)
            platform.deliver("analytics_daily")
        platform.advance(3_600)
        platform.deliver("analytics_daily")
        assert _kept(platform) == tuple(map(dict, _by_hand(platform)))

    trade_and_compare()
    assert platform.audit() == []


def test_a_day_is_final_once_it_is_over_and_then_never_changes(
    platform: Platform, admin: Wallet, traders: list[Wallet]
) -> None:
    market = platform.active_market(admin, admin, feeBps=100, makerRebateBps=2_500)
    _trade(platform, market, traders[0], traders[1], 0.5, 10)
    assert platform.deliver("analytics_daily").data["counts"] == {"days": 1, "final": 0}
    platform.set_clock(MIDNIGHT_MS + DAY_S * 1000 + 59_000)
    assert platform.deliver("analytics_daily").data["counts"] == {"days": 2, "final": 0}
    platform.advance(3_600)
    assert platform.deliver("analytics_daily").data["counts"] == {"days": 2, "final": 1}
    day = "select * from platform_daily_stats where is_final"
    before = _rows(platform, day)
    # 10 shares at 0.50: 0.025 a share is the fee at 100 bps of p(1-p); a quarter goes to the maker.
    assert _rows(
        platform,
        "select day, volume_micros, fees_micros, rebates_micros, trade_count, active_users,"
        " new_users, new_markets from platform_daily_stats where is_final",
    ) == [(FIRST, 5_000_000, 25_000, 6_250, 1, 2, 4, 1)]
    with platform.database.connect() as owner:
        owner.execute("update fills set created_at = created_at + interval '1 second'")
        owner.execute("delete from price_bars")
    platform.advance(3_600)
    assert platform.deliver("analytics_daily").data["counts"] == {"days": 1, "final": 0}
    assert _rows(platform, day) == before
    assert len(_rows(platform, "select from market_daily_stats")) == 1


def test_days_that_nobody_rolled_up_are_caught_up_in_order(platform: Platform) -> None:
    platform.sign_in()
    platform.advance(5 * DAY_S)
    assert platform.deliver("analytics_daily").data["counts"] == {"days": 6, "final": 5}


def _settled(platform: Platform, admin: Wallet, traders: list[Wallet]) -> None:
    """The first trader wins 5 of the second and 2 of the third; the second wins 1 of the third."""
    stakes = ((0, 1, 10), (0, 2, 4), (1, 2, 2))
    for winner, loser, size in stakes:
        market = platform.active_market(admin, admin, disputeWindowS=3600)
        _trade(platform, market, traders[winner], traders[loser], 0.5, size)
        platform.advance(1)
    platform.advance(DAY_S)
    for (market,) in _rows(platform, "select id from markets"):
        outcome = {"outcome": "YES"}
        platform.call("resolve_market", token=admin.token, market_id=market, body=outcome)
    platform.advance(3_601)
    platform.deliver("market_monitor")
    assert platform.deliver("settle_market").data["counts"]["settled"] == 3


def _board(platform: Platform, **query: Any) -> list[tuple[Any, ...]]:
    page = platform.call("get_leaderboard", query=query)
    return [
        (
            one["rank"],
            one["name"],
            one["profit"],
            one["volume"],
            one["wonMarkets"],
            one["lostMarkets"],
            one["winRateBps"],
        )
        for one in page.data
    ]


def test_the_board_ranks_by_profit_volume_and_win_rate(
    platform: Platform, admin: Wallet, traders: list[Wallet]
) -> None:
    profile = {"displayName": "Rahim"}
    platform.call("update_profile", token=traders[0].token, body=profile)
    assert _board(platform) == []
    _settled(platform, admin, traders)  # trades on the 24th, settled on the 25th
    platform.set_clock(MIDNIGHT_MS + 2 * DAY_S * 1000 + 60_000)
    assert platform.deliver("leaderboard_refresh").data["counts"] == {"entries": 12}
    names = ["Rahim"] + [f"{one.address[:6]}…{one.address[-4:]}" for one in traders[1:]]
    all_time = [
        (1, names[0], 7.0, 7.0, 2, 0, 10_000),
        (2, names[1], -4.0, 6.0, 1, 1, 5_000),
        (3, names[2], -3.0, 3.0, 0, 2, 0),
    ]
    by_profit = [all_time[0], (2, *all_time[2][1:]), (3, *all_time[1][1:])]
    assert _board(platform) == by_profit
    assert _board(platform, metric="volume") == all_time
    assert _board(platform, metric="win_rate", period="week") == all_time
    # The last day settled and did not trade; nothing was marked before it.
    assert [one[2:4] for one in _board(platform, period="day")] == [(7.0, 0), (-3.0, 0), (-4.0, 0)]
    first = platform.call("get_leaderboard", query={"limit": 2, "metric": "volume"})
    cursor = first.body["pagination"]["nextCursor"]
    rest = platform.call(
        "get_leaderboard", query={"limit": 2, "metric": "volume", "cursor": cursor}
    )
    assert [one["rank"] for one in first.data + rest.data] == [1, 2, 3]
    assert "userId" not in str(first.body)
    assert traders[1].address not in str(first.body)


def test_a_period_forgets_what_lies_before_it(
    platform: Platform, admin: Wallet, traders: list[Wallet]
) -> None:
    _settled(platform, admin, traders)
    platform.set_clock(MIDNIGHT_MS + 2 * DAY_S * 1000 + 60_000)
    platform.deliver("leaderboard_refresh")
    refreshed = "select * from leaderboard_entries order by period, user_id"
    before = _rows(platform, refreshed)
    platform.advance(3_600)  # an operator runs it again
    with platform.database.connect() as owner:
        owner.execute("delete from workflow_runs")
        owner.execute("update positions set realised_micros = realised_micros + 1")
        platform.deliver("leaderboard_refresh")
        owner.execute("update positions set realised_micros = realised_micros - 1")
    assert _rows(platform, refreshed) == before
    for days, period, entries in ((3, "day", 0), (8, "week", 0), (8, "month", 3), (40, "all", 3)):
        platform.set_clock(MIDNIGHT_MS + (2 + days) * DAY_S * 1000 + 60_000)
        with platform.database.connect() as owner:
            owner.execute("delete from workflow_runs")
        platform.deliver("leaderboard_refresh")
        held = _rows(
            platform,
            f"select from leaderboard_entries where period = '{period}'",
        )
        assert len(held) == entries, (days, period)
    assert len(_rows(platform, "select from profit_marks")) == 3


def test_ties_are_broken_by_who_came_first(
    platform: Platform, admin: Wallet, traders: list[Wallet]
) -> None:
    """Two pairs trade the same and break even: only their coming distinguishes them."""
    late = platform.sign_in()
    platform.fund(late, 1_000_000_000)
    market = platform.active_market(admin, admin)
    with platform.database.connect() as owner:
        for place, wallet in enumerate((traders[2], traders[0], traders[1], late)):
            owner.execute(
                "update users set created_at = created_at + make_interval(secs => %s)"
                " where id = %s",
                (place, wallet.user_id),
            )
    _trade(platform, market, traders[0], traders[1], 0.5, 10)
    _trade(platform, market, late, traders[2], 0.5, 10)
    platform.advance(DAY_S)
    platform.deliver("leaderboard_refresh")
    order = [one.user_id for one in (traders[2], traders[0], traders[1], late)]
    for rank in ("profit_rank", "volume_rank", "win_rate_rank"):
        ranked = _rows(
            platform,
            f"select user_id from leaderboard_entries where period = 'all' order by {rank}",  # noqa: S608
        )
        assert [user for (user,) in ranked] == order


def test_the_report_says_what_the_day_was(
    platform: Platform, admin: Wallet, traders: list[Wallet]
) -> None:
    market = platform.active_market(
        admin, admin, question="Will | it [rain](http://x)?", feeBps=100, makerRebateBps=2_500
    )
    _trade(platform, market, traders[0], traders[1], 0.5, 10)
    deposit = platform.deposit(traders[0]).data["id"]
    platform.call("verify_deposit", token=admin.token, deposit_id=deposit)
    with platform.database.connect() as owner:
        owner.execute("alter function public.sweep_fees rename to hidden")
        assert platform.deliver("sweep_fees").status == 500
        owner.execute("alter function public.hidden rename to sweep_fees")
    platform.set_clock(MIDNIGHT_MS + DAY_S * 1000 + 60_000)
    assert platform.deliver("daily_report").data["counts"] == {"reports": 1}
    token = platform.sign_in("0x" + "a1" * 32).token
    assert [one["date"] for one in platform.call("list_reports", token=token).data] == [
        "2026-07-24"
    ]
    answer = platform.call("get_report", token=token, date="2026-07-24")
    assert answer.data | {"topMarkets": []} == {
        "date": "2026-07-24",
        "currency": "BDT",
        "volume": 5.0,
        "fees": 0.025,
        "rebates": 0.00625,
        "revenue": 0.01875,
        "deposits": 500.0,
        "withdrawals": 0.0,
        "tradeCount": 1,
        "activeUsers": 2,
        "newUsers": 4,
        "totalUsers": 4,
        "newMarkets": 1,
        "activeMarkets": 1,
        "finalizedMarkets": 0,
        "settledMarkets": 0,
        "failedRuns": 1,
        "deadLetters": 0,
        "openEscalations": 0,
        "topMarkets": [],
    }
    assert [(one["marketId"], one["volume"]) for one in answer.data["topMarkets"]] == [
        (market, 5.0)
    ]
    accept = {"accept": "text/markdown"}
    page = platform.call("get_report", token=token, date="2026-07-24", headers=accept)
    assert page.headers["content-type"] == "text/markdown; charset=utf-8"
    assert page.headers["vary"] == "Accept"
    assert page.text.startswith("# Presage, 2026-07-24\n")
    assert "| Revenue | 0.01875 BDT (fees less rebates) |" in page.text
    assert "| Failed runs | 1 |" in page.text
    assert "| Will \\| it \\[rain\\](http://x)? | 5.0 BDT | 1 |" in page.text
    assert platform.call("get_report", token=token, date="2026-07-23").status == 404
    assert platform.call("get_report", token=token, date="tomorrow").status == 400


def test_a_report_waits_for_its_day_to_be_final(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seconds after midnight late trades may still commit: the run comes back a minute later."""
    monkeypatch.setenv("QSTASH_URL", f"http://127.0.0.1:{free_port()}")
    platform.sign_in()
    platform.set_clock(MIDNIGHT_MS + DAY_S * 1000 + 5_000)
    waiting = platform.deliver("daily_report")
    assert waiting.status == 502  # nobody is there to take the continuation
    assert _rows(platform, "select from daily_reports") == []
    platform.advance(60)
    assert platform.deliver("daily_report").data["counts"] == {"reports": 1}
    made: list[tuple[date, datetime]] = _rows(platform, "select day, created_at from daily_reports")
    assert [day for day, _ in made] == [FIRST]
