"""Price bars: folding stored ones into longer ones, carrying the last close over empty buckets.

Pure: it takes rows and times and answers rows. Prices are YES prices in 1/10,000.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from presage import clock
from presage.markets.views import Bar
from presage.money import BPS

MAX_BARS = 720
# What is shown, from which stored bars (both in seconds).
_INTERVALS_S = {"5min": (300, 300), "1hour": (3_600, 3_600), "1day": (86_400, 3_600)}


@dataclass(frozen=True, kw_only=True)
class Span:
    """The buckets to show: from `since` to `until`, each `shown_s` long."""

    since: datetime
    until: datetime
    shown_s: int
    stored_s: int
    truncated: bool


@dataclass(frozen=True)
class StoredBar:
    """One bar as the match kept it."""

    start: datetime
    open_bps: int
    high_bps: int
    low_bps: int
    close_bps: int
    volume_micros: int
    trade_count: int

    def view(self) -> Bar:
        """The bar as it is answered."""
        return Bar(**vars(self))


def span(now: datetime, hours: int, interval: Literal["5min", "1hour", "1day"]) -> Span:
    """The buckets of the last `hours`, the newest `MAX_BARS` of them."""
    shown_s, stored_s = _INTERVALS_S[interval]
    until = clock.floor_to(now, shown_s)
    since = clock.floor_to(now - timedelta(hours=hours), shown_s)
    buckets = int((until - since).total_seconds()) // shown_s + 1
    if buckets > MAX_BARS:
        since = until - timedelta(seconds=shown_s * (MAX_BARS - 1))
    return Span(
        since=since,
        until=until,
        shown_s=shown_s,
        stored_s=stored_s,
        truncated=buckets > MAX_BARS,
    )


def fill(stored: list[StoredBar], asked: Span) -> list[StoredBar]:
    """A bar for every bucket from the first known price on; `stored` is in time order.

    Bars before `asked.since` only give the price to carry forward.
    """
    folded: dict[datetime, StoredBar] = {}
    for bar in stored:
        start = clock.floor_to(bar.start, asked.shown_s)
        known = folded.get(start)
        folded[start] = replace(bar, start=start) if known is None else _merge(known, bar)
    earlier = [bar for start, bar in folded.items() if start < asked.since]
    last = earlier[-1] if earlier else None
    bars: list[StoredBar] = []
    start = asked.since
    while start <= asked.until:
        last = folded.get(start) or (_flat(start, last.close_bps) if last else None)
        if last:
            bars.append(last)
        start += timedelta(seconds=asked.shown_s)
    return bars


def mirror(bar: StoredBar) -> StoredBar:
    """The NO side of a YES bar: its high is one minus YES's low."""
    return replace(
        bar,
        open_bps=BPS - bar.open_bps,
        high_bps=BPS - bar.low_bps,
        low_bps=BPS - bar.high_bps,
        close_bps=BPS - bar.close_bps,
    )


def change_percent(bars: list[StoredBar]) -> float | None:
    """(current - start) / start x 100, to four places; None without a start."""
    if not bars:
        return None
    start = bars[0].open_bps
    return round((bars[-1].close_bps - start) / start * 100, 4)


def _merge(first: StoredBar, then: StoredBar) -> StoredBar:
    return replace(
        first,
        high_bps=max(first.high_bps, then.high_bps),
        low_bps=min(first.low_bps, then.low_bps),
        close_bps=then.close_bps,
        volume_micros=first.volume_micros + then.volume_micros,
        trade_count=first.trade_count + then.trade_count,
    )


def _flat(start: datetime, price_bps: int) -> StoredBar:
    return StoredBar(start, price_bps, price_bps, price_bps, price_bps, 0, 0)
