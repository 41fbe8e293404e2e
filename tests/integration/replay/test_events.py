"""Consecutive markets as one event: grouped, valued, traded, resolved and settled."""

from decimal import Decimal
from pathlib import Path

import pytest

from infra.local.feed import read_ticks
from infra.local.replay import main, replay
from infra.local.replay_data import ReplayMarket, read_markets
from infra.local.replay_events import OTHER, Event, group_events

from .recorded import START_S, market, wave, write_markets, write_prices

UP, DOWN = ["1", "0"], ["0", "1"]
# Strikes far under and over the wave make each end certain; the fourth closes into a gap. The
# labels of the first three are lies: only what the platform proposes may decide an event.
LOW, HIGH = str(90 * 10**18), str(110 * 10**18)
PRICES = wave([*range(-60, 390), *range(410, 600)])
MARKETS = [
    market("first", (0, 100), UP, strike=HIGH),
    market("second", (100, 200), DOWN, strike=LOW),
    market("third", (200, 300), UP, strike=HIGH),
    market("fourth", (300, 400), UP, strike=LOW),
]


def recorded(slug: str, start_s: int, strike: int | None = None) -> ReplayMarket:
    return ReplayMarket(
        slug=slug,
        question=f"{slug}?",
        description="",
        start_s=START_S + start_s,
        end_s=START_S + start_s + 60,
        strike=None if strike is None else Decimal(strike),
    )


def event(*markets: ReplayMarket) -> Event:
    (only,) = group_events(markets, len(markets))
    return only


def test_groups_are_traded_resolved_from_their_windows_and_settled(tmp_path: Path) -> None:
    recording = read_markets(write_markets(tmp_path / "m.jsonl.gz", MARKETS))
    ticks = read_ticks(write_prices(tmp_path / "p.csv.gz", PRICES))
    said: list[str] = []
    done = replay(recording, ticks, tmp_path / "state", group=2, durable=False, say=said.append)

    assert [one.outcome for one in done.verdicts] == ["NO", "YES", "NO", None]
    assert [(one.state, one.outcome, one.is_settled) for one in done.events] == [
        ("FINALIZED", "2026-07-24 12:01:40 UTC", True),
        ("FINALIZED", "VOID", True),
    ]
    assert all(one.fills for one in done.events)
    counted = {"markets": 4, "resolved": 3, "escalated": 1, "events": 2, "events_settled": 2}
    assert {name: done.figures[name] for name in counted} == counted
    assert (done.figures["errors"], done.figures["audit"]) == (0, "ok")
    (changed,) = [line for line in said if line.startswith("shares changed")]
    assert all(f" {kind} " in changed for kind in ("split", "merge", "convert"))


def test_only_full_groups_make_events_and_labels_differ() -> None:
    markets = [recorded("a", 0), recorded("b", 0), recorded("c", 60), recorded("d", 120)]
    first, second = group_events(markets, 2)
    assert first.labels == [
        "2026-07-24 12:00:00 UTC, no. 1",
        "2026-07-24 12:00:00 UTC, no. 2",
        OTHER,
    ]
    assert second.labels == ["2026-07-24 12:01:00 UTC", "2026-07-24 12:02:00 UTC", OTHER]
    assert first.slug != second.slug
    assert (second.start_s, second.end_s) == (START_S + 60, START_S + 180)
    assert [one.labels for one in group_events(markets, 3)] == [
        [*first.labels[:2], "2026-07-24 12:01:00 UTC", OTHER]
    ]


def test_the_odds_are_those_of_being_first() -> None:
    coins = event(recorded("a", 0), recorded("b", 60), recorded("c", 120))
    assert list(coins.odds(START_S - 60, ()).values()) == [0.5, 0.25, 0.125, 0.125]
    known = event(recorded("a", 0, 101), recorded("b", 60, 99), recorded("c", 120))
    known.windows[0].close = 100.0
    assert list(known.odds(START_S + 70, ((START_S + 69.0, 99.0),)).values()) == pytest.approx(
        [0, 0.5, 0.25, 0.25]
    )
    known.windows[1].close = 99.0
    assert list(known.odds(START_S + 130, ()).values()) == [0, 1, 0, 0]


def test_a_group_is_of_two_markets_at_least(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--markets", "m", "--prices", "p", "--group", "1"])
    assert "--group" in capsys.readouterr().err
