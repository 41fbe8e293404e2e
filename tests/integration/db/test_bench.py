"""The benchmark's two sides do the same work, and a figure says honestly whether it is met."""

import json

import pytest

from infra.bench import matching
from infra.bench.registry import FIGURES, Figure, durability
from infra.local.postgres import Postgres


def test_both_sides_leave_equal_books(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "WARM_UP_ORDERS", 20)
    monkeypatch.setattr(matching, "ROUND_ORDERS", 20)
    monkeypatch.setattr(matching, "ROUNDS", 2)
    figures = [FIGURES[name](postgres) for name in ("single_orders", "wal_per_order")]
    assert [figure.name for figure in figures] == list(FIGURES)[:2]
    assert all(figure.ours > 0 and figure.peer > 0 for figure in figures)
    postgres.drop_database("bench_matching")


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
