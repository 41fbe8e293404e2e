"""QStash's arithmetic: backoff, delay expressions, durations, cron slots across clock changes."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from infra.local.qstash_cron import next_slot_ms
from infra.local.qstash_delays import (
    DelayError,
    backoff_ms,
    duration_ms,
    expression_ms,
    retry_after_ms,
)


def ms(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000  # type: ignore[arg-type,misc]


def test_the_default_backoff() -> None:
    seconds = [backoff_ms(attempt) // 1_000 for attempt in (1, 2, 3, 4, 5, 50)]
    assert seconds == [12, 148, 1_808, 22_026, 86_400, 86_400]


@pytest.mark.parametrize(
    ("expression", "retried", "expected"),
    [
        ("1000", 0, 1_000),
        ("1000 * (1 + retried)", 2, 3_000),
        ("pow(2, retried)", 10, 1_024),
        ("max(10, min(5, retried))", 1, 10),
        ("exp(1) * 1000", 0, 2_718),
        ("floor(1.9) + ceil(0.1) + round(2.5) + abs(-3) + sqrt(16)", 0, 11),
        ("-5", 0, 0),
        ("pow(10, 20)", 0, 86_400_000),
    ],
)
def test_delay_expressions(expression: str, retried: int, expected: int) -> None:
    assert expression_ms(expression, retried) == expected


@pytest.mark.parametrize(
    "expression",
    ["", "1 +", "open('x')", "retried.real", "'a'", "True", "pow(10, 400)", "1 / 0", "x", "[1]"],
)
def test_expressions_that_are_refused(expression: str) -> None:
    with pytest.raises(DelayError):
        expression_ms(expression, 0)


def test_durations() -> None:
    assert duration_ms("10s") == 10_000
    assert duration_ms("3d5h12m") == 277_920_000
    assert duration_ms("7") == 7_000
    for wrong in ("", "10", "s", "1w", "-1s", "1.5s")[2:]:
        with pytest.raises(DelayError):
            duration_ms(wrong)


def test_retry_after() -> None:
    now = ms(2026, 7, 24, 8)
    later = datetime.fromtimestamp(now / 1_000, UTC) + timedelta(seconds=90)
    assert retry_after_ms("120", now) == 120_000
    assert retry_after_ms(format_datetime(later, usegmt=True), now) == 90_000
    assert retry_after_ms("soon", now) is None


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("*/5 * * * *", (2026, 7, 24, 8, 0), (2026, 7, 24, 8, 5)),
        ("0 0 * * *", (2026, 7, 24, 0, 0), (2026, 7, 25, 0, 0)),
        # New York changes its clocks on 8 March and 1 November 2026.
        ("CRON_TZ=America/New_York 0 9 * * *", (2026, 3, 7, 15), (2026, 3, 8, 13)),
        ("CRON_TZ=America/New_York 0 9 * * *", (2026, 10, 31, 14), (2026, 11, 1, 14)),
        ("CRON_TZ=Asia/Dhaka 30 0 * * *", (2026, 7, 24, 0), (2026, 7, 24, 18, 30)),
    ],
)
def test_slots(expression: str, after: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert next_slot_ms(expression, ms(*after)) == ms(*expected)
