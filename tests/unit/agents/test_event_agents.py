"""The replay's strategies for events of several outcomes."""

from collections import Counter
from dataclasses import replace

import pytest

from infra.local.agents import (
    Change,
    EventPlan,
    EventView,
    Follower,
    Level,
    Maker,
    Momentum,
    Punter,
    SetMaker,
    View,
    changed,
    probability,
)

NOW_S = 1_000_000.0
BOOK = {"bids": (Level(3_000, 5_000),), "asks": (Level(3_400, 5_000),)}
RISING = (
    *((NOW_S - 80 + second, 100.0 + 0.001 * (second % 2)) for second in range(60)),
    *((NOW_S - 20 + second, 100.0 * (1 + 5e-5 * second)) for second in range(21)),
)


def event(running: str | None = "A", **held: tuple[int, int]) -> EventView:
    """A third for each of A, B and OTHER; `held` is (YES, NO) by outcome."""
    one = View(now_s=NOW_S, closes_s=NOW_S + 100, reference=None, ticks=RISING, fair=1 / 3)
    outcomes = {}
    for label in ("A", "B", "OTHER"):
        yes_lots, no_lots = held.get(label, (0, 0))
        outcomes[label] = replace(one, yes_lots=yes_lots, no_lots=no_lots, **BOOK)  # type: ignore[arg-type]
    return EventView(outcomes, running)


def shares(view: EventView, change: Change) -> dict[str, tuple[int, int]]:
    after = changed(view.outcomes, change)
    return {label: (one.yes_lots, one.no_lots) for label, one in after.items()}


def test_a_fair_value_from_elsewhere_wins_over_the_ticks() -> None:
    assert probability(event().outcomes["A"]) == 1 / 3


@pytest.mark.parametrize(
    ("change", "after"),
    [
        (Change("split", 100), [(600, 300), (600, 0), (600, 0)]),
        (Change("merge", 100), [(400, 300), (400, 0), (400, 0)]),
        (Change("split", 100, "A"), [(600, 400), (500, 0), (500, 0)]),
        (Change("merge", 100, "A"), [(400, 200), (500, 0), (500, 0)]),
        (Change("convert", 100, "A"), [(500, 200), (600, 0), (600, 0)]),
    ],
)
def test_changes_move_the_shares_that_they_name(
    change: Change, after: list[tuple[int, int]]
) -> None:
    held = event(A=(500, 300), B=(500, 0), OTHER=(500, 0))
    assert list(shares(held, change).values()) == after


def test_the_maker_keeps_a_stock_of_sets_and_nothing_else() -> None:
    maker = SetMaker(stock_lots=1_000)
    assert maker.decide(event()).changes == (Change("split", 1_000),)
    full = event(A=(700, 0), B=(2_000, 0), OTHER=(700, 0))
    assert maker.decide(full).changes == ()
    rich = event(A=(2_500, 0), B=(2_100, 0), OTHER=(2_200, 0))
    assert maker.decide(rich).changes == (Change("merge", 1_100),)
    against = event(A=(200, 900), B=(300, 0), OTHER=(300, 0))
    assert maker.decide(against).changes == (
        Change("merge", 200, "A"),
        Change("convert", 700, "A"),
        Change("split", 1_000),
    )


def test_the_maker_quotes_every_outcome_with_what_its_changes_left() -> None:
    plan = SetMaker(maker=Maker(levels_lots=(1_500,)), stock_lots=1_000).decide(event())
    assert plan == SetMaker(stock_lots=1_000).decide(event())
    quotes = Counter((label, one.side, one.position) for label, one in plan.orders)
    each = [("BUY", "YES"), ("SELL", "YES"), ("BUY", "NO")]
    assert quotes == Counter((label, *kind) for label in ("A", "B", "OTHER") for kind in each)
    sold = [one.size_lots for _, one in plan.orders if one.side == "SELL"]
    assert sold == [1_000, 1_000, 1_000]
    assert all(one.post_only for _, one in plan.orders)


def test_the_follower_trades_the_running_outcome() -> None:
    trader = Follower(momentum=Momentum(seed="m"))
    plan = trader.decide(event(A=(0, 1_000)))
    assert [(label, one.side, one.position) for label, one in plan.orders] == [
        ("A", "SELL", "NO"),
        ("A", "BUY", "YES"),
    ]
    assert trader.decide(event(running=None)) == EventPlan()


def test_the_punter_uses_slips_of_both_modes_and_every_change_it_can_pay() -> None:
    held = event(A=(300, 200), B=(250, 0), OTHER=(200, 0))

    def decided(seed: str) -> list[EventPlan]:
        views = (
            EventView(
                {label: replace(one, now_s=NOW_S + at) for label, one in held.outcomes.items()}, "A"
            )
            for at in range(400)
        )
        return [Punter(seed=seed).decide(view) for view in views]

    plans = decided("a")
    assert plans == decided("a")
    assert plans != decided("b")
    assert {plan.atomic for plan in plans if plan.orders} == {True, False}
    assert {len({label for label, _ in plan.orders}) for plan in plans} == {0, 1, 2, 3}
    assert {change for plan in plans for change in plan.changes} == {
        Change("split", 500),
        Change("merge", 200),
        Change("merge", 200, "A"),
        Change("convert", 200, "A"),
    }
    for plan in plans:
        left = held.outcomes
        for change in plan.changes:
            left = changed(left, change)
        for label, order in plan.orders:
            if order.side == "SELL":
                one = left[label]
                assert (order.size_lots or 0) <= max(one.yes_lots, one.no_lots)
