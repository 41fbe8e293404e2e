"""A tiny recording from end to end: real stack, signed-in wallets, signed workflows, an audit."""

import gzip
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from infra.local import demo_prices
from infra.local.demo import sparkline
from infra.local.feed import read_ticks
from infra.local.homes import PROJECT_ROOT
from infra.local.replay import replay
from infra.local.replay_data import ReplayDataError, read_markets

from .recorded import SCALE, START_S, STRIKE, market, wave, write_markets, write_prices

UP, DOWN = ["1", "0"], ["0", "1"]
# The price stands above the strike at 60 s, and where it stood at the start when B closes; C closes
# into a gap.
PRICES = wave([*range(-60, 230), *range(250, 600)])
MARKETS = [
    market("c-gap", (120, 240), UP),
    market("a-strike", (0, 60), DOWN, strike=STRIKE),
    market("b-open", (60, 180), UP),
]


def test_a_recording_is_traded_decided_and_settled(tmp_path: Path) -> None:
    recording = read_markets(write_markets(tmp_path / "m.jsonl.gz", MARKETS))
    ticks = read_ticks(write_prices(tmp_path / "p.csv.gz", PRICES))
    assert PRICES[60] < int(STRIKE)
    assert PRICES[180] >= PRICES[60]

    done = replay(recording, ticks, tmp_path / "state", durable=False)

    figures = done.figures
    ends = {one.slug: (one.state, one.outcome) for one in done.verdicts}
    assert ends == {
        "a-strike": ("FINALIZED", "NO"),
        "b-open": ("FINALIZED", "YES"),
        "c-gap": ("ACTIVE", None),
    }
    counted = {"markets": 3, "resolved": 2, "agree": 2, "disagree": 0, "escalated": 1}
    assert {name: figures[name] for name in counted} == counted
    assert (figures["errors"], figures["audit"]) == (0, "ok")
    assert figures["orders"] > 60
    assert figures["fills"] > 20
    assert figures["requests"] > figures["orders"]
    assert 0 < figures["p50_ms"] <= figures["p95_ms"]
    assert not (tmp_path / "state").exists()


def test_a_recording_is_read_exactly_whatever_its_order(tmp_path: Path) -> None:
    odd = [
        market("b-open", (60, 180), ["0.5", "0.5"]),
        market("a-strike", (0, 60), UP, strike=STRIKE, raw=None),
    ]
    found = read_markets(write_markets(tmp_path / "m.jsonl.gz", odd))
    assert found.symbol == "COIN/USD"
    assert [one.slug for one in found.markets] == ["a-strike", "b-open"]
    first, second = found.markets
    assert first.strike == Decimal("100.000000000000000001")
    assert (first.start_s, first.end_s) == (START_S, START_S + 60)
    assert (first.question, second.question) == ("a-strike", "Coin up or down, b-open?")
    assert second.strike is None
    assert found.labels == {"a-strike": "YES", "b-open": None}
    limited = read_markets(tmp_path / "m.jsonl.gz", 1)
    assert list(limited.labels) == ["a-strike"]


def test_no_field_but_the_agreed_ones_leaves_the_file() -> None:
    recording = read_markets(demo_prices.MARKETS_FILE)
    assert set(vars(recording.markets[0])) == {
        *("slug", "question", "description", "start_s", "end_s", "strike"),
    }


@pytest.mark.parametrize(
    ("markets", "reason"),
    [
        ([], "no asset"),
        ([market("a", (0, 60), UP), market("b", (0, 60), UP, asset="other")], "COIN, OTHER"),
        ([{"slug": "a"}], "line 1"),
    ],
)
def test_a_file_that_cannot_be_replayed_is_refused_with_the_reason(
    tmp_path: Path, markets: list[dict[str, object]], reason: str
) -> None:
    path = write_markets(tmp_path / "m.jsonl.gz", markets)
    with pytest.raises(ReplayDataError, match=reason):
        read_markets(path)


def test_the_command_says_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    path = write_markets(tmp_path / "m.jsonl.gz", [{"slug": "a"}])
    done = subprocess.run(
        [
            *(sys.executable, "-m", "infra.local.replay"),
            *("--markets", str(path), "--prices", str(tmp_path / "none")),
        ],
        env=os.environ | {"PYTHONPATH": f"{PROJECT_ROOT}/shared:{PROJECT_ROOT}"},
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("cannot replay: ")


def test_the_demos_data_is_what_its_generator_makes() -> None:
    for path, content in demo_prices.files().items():
        # Another zlib may compress otherwise.
        assert gzip.decompress(path.read_bytes()) == gzip.decompress(content)
    labels = {one["slug"]: one["outcome_prices"] for one in demo_prices.markets()}
    assert list(labels.values()) == [DOWN, UP, []]
    assert json.loads(json.dumps(demo_prices.markets())) == demo_prices.markets()
    assert len(read_ticks(demo_prices.PRICES_FILE)) == len(demo_prices.prices())


def test_a_sparkline_spans_its_values() -> None:
    assert sparkline([0.1, 0.5, 0.9]) == "▁▅█"
    assert sparkline([0.5, 0.5]) == "▁▁"
    assert sparkline([SCALE]) == "▁"
