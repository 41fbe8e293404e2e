"""The benchmark's two sides do the same work, and a figure says honestly whether it is met."""

import json

import pytest

from infra.bench import depth, duel, events, history
from infra.bench.duel import Plan
from infra.bench.flow import place_in_batches, place_in_one_flush
from infra.bench.registry import Figure, durability
from infra.local.postgres import Postgres


@pytest.mark.parametrize(("batch", "cloud"), [(1, False), (1, True), (20, False)])
def test_both_sides_leave_equal_books(postgres: Postgres, batch: int, *, cloud: bool) -> None:
    """`run` raises BenchError when they do not, or when the audit finds anything."""
    plan = Plan(
        database=f"bench_{batch}_{cloud}",
        rounds=2,
        round_orders=20,
        warm_up_orders=20,
        batch=batch,
        cloud=cloud,
        ours=place_in_one_flush if batch == 1 else place_in_batches,
    )
    measured = duel.run(postgres, plan)
    assert (measured.ours.orders, measured.peer.orders) == (60, 60)
    figure = measured.orders_per_second("x", 1, "a note")
    assert figure.ours > 0
    assert figure.peer > 0
    assert ("commit_delay" in figure.method) == cloud


def test_a_deep_book_is_loaded_with_its_escrow(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, size in (("FEW", 40), ("MANY", 400), ("ROUNDS", 2), ("ROUND_ORDERS", 20)):
        monkeypatch.setattr(depth, name, size)
    assert depth.order_latency_by_depth(postgres).peer > 0  # audits both books


def test_rollups_equal_the_fills(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("FILLS", 4_000), ("SMALL_FILLS", 1_000), ("OUR_RUNS", 1)):
        monkeypatch.setattr(history, name, size)
    # Raises BenchError when bars or figures differ, or when the audit finds anything.
    figures = history.price_history(postgres), history.market_stats(postgres)
    assert [figure.name for figure in figures] == ["price_history", "market_stats"]


def test_indexing_keeps_what_its_peers_keep(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, size in (("EVENTS", 300), ("PEER_EVENTS", 60), ("ROUNDS", 1), ("LATENCY_S", 1)):
        monkeypatch.setattr(events, name, size)
    monkeypatch.setattr(events, "MAX_BODY_BYTES", 150_000)
    # Each raises BenchError when an event is missing, or projected twice.
    for measure in (events.index_events, events.index_against_copy, events.index_latency):
        assert measure(postgres).ours > 0


@pytest.mark.parametrize(
    ("ours", "better", "goal_is_ratio", "goal", "ratio", "met"),
    [
        (300.0, "higher", True, 3, 3.0, True),
        (299.0, "higher", True, 3, 2.99, False),
        (50.0, "lower", True, 2, 2.0, True),
        (50.0, "lower", False, 50, 2.0, True),
        (51.0, "lower", False, 50, 1.96, False),
        (51.0, "higher", False, 50, 0.51, True),
    ],
)
def test_a_figure_is_met_by_ratio_or_by_itself(
    ours: float, better: str, *, goal_is_ratio: bool, goal: float, ratio: float, met: bool
) -> None:
    figure = Figure("x", ours, 100.0, goal, "u", better, "m", goal_is_ratio)  # type: ignore[arg-type]
    line = json.loads(figure.line())
    assert (line["ratio"], line["met"]) == (ratio, met)


def test_a_cluster_that_is_not_durable_says_so(postgres: Postgres) -> None:
    assert durability(postgres) == {
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
    }
