"""The replay's strategies: pure, so what they see is written down and what they do compared."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from infra.local.agents import (
    BPS,
    MIN_LOTS,
    TICK_BPS,
    USUAL_SIGMA,
    Level,
    Maker,
    Momentum,
    Noise,
    Order,
    View,
    probability,
    sigma,
)

NOW_S = 1_000_000.0
QUIET = tuple((NOW_S - 60 + second, 100.0) for second in range(61))
BOOK = {"bids": (Level(4_800, 5_000),), "asks": (Level(5_200, 5_000),)}


def view(**changes: object) -> View:
    seen = View(now_s=NOW_S, closes_s=NOW_S + 100, reference=100.0, ticks=QUIET)
    return replace(seen, **changes)  # type: ignore[arg-type]


def rising(per_second: float) -> tuple[tuple[float, float], ...]:
    """A minute of nothing, then twenty seconds of a steady move up to now."""
    quiet = [(NOW_S - 80 + second, 100.0 + 0.001 * (second % 2)) for second in range(60)]
    move = [(NOW_S - 20 + second, 100.0 * (1 + per_second * second)) for second in range(21)]
    return tuple(quiet + move)


def test_the_fair_value_without_a_price_or_a_reference_is_a_half() -> None:
    assert probability(view(ticks=())) == 0.5
    assert probability(view(reference=None)) == 0.5


def test_the_fair_value_is_the_normal_models() -> None:
    # One standard deviation above the reference: Phi(1).
    distance = USUAL_SIGMA * math.sqrt(100)
    seen = view(ticks=((NOW_S, 100.0 * math.exp(distance)),))
    assert probability(seen) == pytest.approx(0.841344746, abs=1e-9)
    assert probability(replace(seen, reference=seen.ticks[0][1])) == pytest.approx(0.5)


def test_the_fair_value_hardens_towards_the_close() -> None:
    above = ((NOW_S, 100.02),)
    early, late = view(ticks=above), view(ticks=above, closes_s=NOW_S + 5)
    over = view(ticks=above, closes_s=NOW_S - 1)
    assert 0.5 < probability(early) < probability(late) < probability(over) <= 1.0


def test_volatility_is_measured_when_there_is_enough_to_measure() -> None:
    assert sigma(()) == USUAL_SIGMA
    assert sigma(QUIET[:10]) == USUAL_SIGMA
    wave = [(10.0 * step, 100.0 * math.exp(0.001 * (step % 2))) for step in range(20)]
    assert sigma(wave) == pytest.approx(0.001 / math.sqrt(10))


def test_a_flat_maker_buys_both_sides_around_the_fair_value() -> None:
    plan = Maker(levels_lots=(3_000,)).decide(view())
    usual = {"side": "BUY", "type": "GTC", "size_lots": 3_000, "post_only": True}
    assert plan.orders == (
        Order(position="YES", price_bps=4_800, **usual),  # type: ignore[arg-type]
        Order(position="NO", price_bps=4_800, **usual),  # type: ignore[arg-type]
    )


def test_a_long_maker_quotes_lower_and_sells_what_it_holds() -> None:
    orders = Maker(levels_lots=(3_000,)).decide(view(yes_lots=30_000)).orders
    assert [(one.side, one.position, one.price_bps) for one in orders] == [
        ("BUY", "YES", 4_500),
        ("SELL", "YES", 4_900),
    ]


def test_a_maker_that_holds_no_bids_by_selling_it() -> None:
    orders = Maker(levels_lots=(3_000,)).decide(view(no_lots=1_000)).orders
    shown = [(one.side, one.position, one.price_bps, one.size_lots) for one in orders]
    assert shown == [
        ("SELL", "NO", 5_200, 1_000),
        ("BUY", "YES", 4_800, 2_000),
        ("BUY", "NO", 4_800, 3_000),
    ]


def test_a_maker_at_its_limit_does_not_add() -> None:
    orders = Maker().decide(view(yes_lots=60_000)).orders
    assert {(one.side, one.position) for one in orders} == {("SELL", "YES")}


def test_a_maker_quotes_wider_when_ticks_are_stale() -> None:
    stale = view(ticks=tuple((at - 30, price) for at, price in QUIET))
    assert Maker(levels_lots=(3_000,)).decide(stale).orders[0].price_bps == 4_500


@pytest.mark.parametrize("net", [-60_000, -500, 0, 50, 2_500, 60_000])
def test_a_makers_quotes_are_on_the_grid_and_never_cross(net: int) -> None:
    for price, left_s in itertools.product(
        (90.0, 99.9, 99.99, 100.0, 100.01, 100.1, 110.0), (0.0, 1.0, 30.0, 300.0)
    ):
        seen = view(
            ticks=((NOW_S, price),),
            closes_s=NOW_S + left_s,
            yes_lots=max(net, 0),
            no_lots=max(-net, 0),
        )
        orders = Maker().decide(seen).orders
        assert all(TICK_BPS <= one.price_bps <= BPS - TICK_BPS for one in orders)
        assert all(one.price_bps % TICK_BPS == 0 for one in orders)
        assert max(yes_prices(orders, bids=True), default=0) < min(
            yes_prices(orders, bids=False), default=BPS
        )
        assert all((one.size_lots or 0) >= MIN_LOTS for one in orders)
        sold = sum(one.size_lots or 0 for one in orders if one.side == "SELL")
        assert sold <= seen.yes_lots + seen.no_lots


def yes_prices(orders: Sequence[Order], *, bids: bool) -> list[int]:
    """The prices of one side of the book, in YES terms."""
    chosen = [one for one in orders if ((one.side == "BUY") == (one.position == "YES")) == bids]
    return [one.price_bps if one.position == "YES" else BPS - one.price_bps for one in chosen]


def test_momentum_waits_while_nothing_moves() -> None:
    trader = Momentum(seed="m")
    assert trader.decide(view(**BOOK)).orders == ()
    assert trader.decide(view(ticks=())).orders == ()


def test_momentum_follows_a_move_and_leaves_what_stands_against_it() -> None:
    trader = Momentum(seed="m")
    up = trader.decide(view(ticks=rising(5e-5), no_lots=700, **BOOK)).orders
    assert [(one.side, one.position, one.type, one.price_bps) for one in up] == [
        ("SELL", "NO", "FAK", 4_700),
        ("BUY", "YES", "FAK", 5_300),
    ]
    assert up[0].size_lots == 700
    down = trader.decide(view(ticks=rising(-5e-5), **BOOK)).orders
    assert [(one.side, one.position, one.price_bps) for one in down] == [("BUY", "NO", 5_300)]


def test_momentum_stops_at_its_limit_and_at_an_empty_book() -> None:
    trader = Momentum(seed="m")
    assert trader.decide(view(ticks=rising(5e-5), yes_lots=20_000, **BOOK)).orders == ()
    assert trader.decide(view(ticks=rising(5e-5))).orders == ()


def test_a_seed_decides_the_noise() -> None:
    moments = [NOW_S + 10 * step for step in range(200)]

    def decided(seed: str) -> list[tuple[Order, ...]]:
        trader = Noise(seed=seed)
        return [trader.decide(view(now_s=at, yes_lots=500, **BOOK)).orders for at in moments]

    assert decided("a") == decided("a")
    assert decided("a") != decided("b")
    orders = [order for plan in decided("a") for order in plan]
    assert 50 < len(orders) < 110
    assert {(one.side, one.position) for one in orders} >= {
        ("BUY", "YES"),
        ("BUY", "NO"),
        ("SELL", "YES"),
    }
    assert {one.type for one in orders} == {"FOK", "FAK"}
    assert any(one.amount_micros for one in orders)
    assert all((one.amount_micros is None) != (one.size_lots is None) for one in orders)
    assert all(one.size_lots is None or one.size_lots <= 2_000 for one in orders)
    assert all((one.size_lots or 0) <= 500 for one in orders if one.side == "SELL")
    assert all(one.amount_micros is None for one in orders if one.side == "SELL")
