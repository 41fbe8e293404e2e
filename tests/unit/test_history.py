"""Bars: folding, carrying forward, mirroring, and the limit of 720."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.markets.history import MAX_BARS, Span, StoredBar, change_percent, fill, mirror, span

NOW = datetime(2026, 7, 24, 12, 34, 56, tzinfo=UTC)
HOUR = timedelta(hours=1)


def _bar(start: datetime, *prices: int) -> StoredBar:
    return StoredBar(start, prices[0], max(prices), min(prices), prices[-1], 100, len(prices))


@pytest.mark.parametrize(
    ("hours", "interval", "buckets", "truncated"),
    [(24, "1hour", 25, False), (720, "1hour", 720, True), (24, "5min", 289, False),
     (72, "5min", 720, True), (720, "1day", 31, False), (1, "5min", 13, False)],
)  # fmt: skip
def test_span_covers_the_hours(
    hours: int, interval: Literal["5min", "1hour", "1day"], buckets: int, *, truncated: bool
) -> None:
    asked = span(NOW, hours, interval)
    assert (asked.until - asked.since) // timedelta(seconds=asked.shown_s) + 1 == buckets
    assert asked.truncated == truncated
    assert asked.until <= NOW < asked.until + timedelta(seconds=asked.shown_s)


def test_empty_buckets_carry_the_last_close() -> None:
    asked = span(NOW, 3, "1hour")
    bars = fill([_bar(asked.since + HOUR, 4000, 6000, 5000)], asked)
    assert [bar.start for bar in bars] == [asked.since + HOUR * n for n in (1, 2, 3)]
    assert [(bar.open_bps, bar.close_bps, bar.volume_micros) for bar in bars] == [
        (4000, 5000, 100),
        (5000, 5000, 0),
        (5000, 5000, 0),
    ]


def test_a_bar_before_the_span_only_gives_its_close() -> None:
    asked = span(NOW, 2, "1hour")
    bars = fill([_bar(asked.since - 5 * HOUR, 1000, 7000)], asked)
    assert [(bar.open_bps, bar.volume_micros) for bar in bars] == [(7000, 0)] * 3


def test_hours_fold_into_days() -> None:
    asked = span(NOW, 48, "1day")
    start = asked.until
    bars = fill([_bar(start, 4000, 9000), _bar(start + HOUR, 2000, 3000)], asked)
    assert bars == [StoredBar(start, 4000, 9000, 2000, 3000, 200, 4)]


def test_nothing_known_is_nothing_shown() -> None:
    assert fill([], span(NOW, 24, "1hour")) == []
    assert change_percent([]) is None


@given(st.lists(st.integers(1, 9999), min_size=1, max_size=6))
def test_no_is_the_mirror_of_yes(prices: list[int]) -> None:
    bar = _bar(NOW, *prices)
    other = mirror(bar)
    assert other.high_bps == 10_000 - bar.low_bps
    assert other.low_bps == 10_000 - bar.high_bps
    assert mirror(other) == bar


@given(st.lists(st.integers(0, 5000), max_size=40), st.integers(1, 720))
def test_bars_are_gapless_and_bounded(offsets: list[int], hours: int) -> None:
    asked: Span = span(NOW, hours, "1hour")
    starts = sorted({asked.until - HOUR * offset for offset in offsets})
    bars = fill([_bar(start, 5000) for start in starts], asked)
    assert len(bars) <= MAX_BARS
    assert all(then.start - one.start == HOUR for one, then in pairwise(bars))
    assert not bars or bars[-1].start == asked.until


def test_change_is_from_the_first_open_to_the_last_close() -> None:
    assert change_percent([_bar(NOW, 4000, 4500), _bar(NOW, 4500, 5000)]) == 25.0
