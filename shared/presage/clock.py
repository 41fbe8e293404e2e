"""The one place that asks what time it is, so that a day of history can be replayed."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

SIMULATED_STAGES = frozenset({"dev", "test", "replay"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now_ms() -> int:
    """Unix time in milliseconds: the simulated clock's when PRESAGE_CLOCK_FILE names one."""
    if is_simulated():
        return int(Path(os.environ["PRESAGE_CLOCK_FILE"]).read_text())
    return time.time_ns() // 1_000_000


def now() -> datetime:
    """The time in UTC."""
    return from_ms(now_ms())


def from_ms(unix_ms: int) -> datetime:
    """Unix milliseconds as a UTC datetime."""
    return _EPOCH + timedelta(milliseconds=unix_ms)


def to_ms(moment: datetime) -> int:
    """A moment as unix milliseconds, rounded down."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def is_simulated() -> bool:
    """Whether time moves only when somebody moves it: waiting would be for ever."""
    return (
        bool(os.environ.get("PRESAGE_CLOCK_FILE"))
        and os.environ.get("STAGE", "dev") in SIMULATED_STAGES
    )


def floor_to(moment: datetime, seconds: int) -> datetime:
    """The start of the slot of that many seconds (counted from the epoch) that holds `moment`."""
    step_ms = seconds * 1000
    return from_ms(to_ms(moment) // step_ms * step_ms)
