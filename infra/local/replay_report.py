"""The end of a replay: what the public API says of each market, against the real labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson

from infra.local import operations
from infra.local.client import ApiError
from infra.local.replay_data import ReplayMarket
from infra.local.replay_driver import Driver
from infra.local.replay_events import Event

READS_PER_MINUTE = 100  # a market may be read 120 times a minute from one address


@dataclass(frozen=True)
class Verdict:
    """How a market ended here, and how it really did."""

    slug: str
    state: str
    outcome: str | None
    label: str | None
    fills: int
    volume: Decimal


@dataclass(frozen=True)
class EventEnd:
    """How an event ended: its outcome is a label, VOID, or None while nobody has proposed one."""

    slug: str
    state: str
    outcome: str | None
    is_settled: bool
    fills: int
    volume: Decimal


def judge(
    driver: Driver, markets: Sequence[ReplayMarket], labels: Mapping[str, str | None]
) -> list[Verdict]:
    """Read every market's end through the API; the first time that labels are looked at."""
    verdicts = []
    for number, market in enumerate(markets):
        if number % READS_PER_MINUTE == 0:
            driver.advance(driver.now_s + 120)
        verdicts.append(_read(driver, market.slug, labels[market.slug]))
    return verdicts


def _read(driver: Driver, slug: str, label: str | None) -> Verdict:
    """One market's end; UNKNOWN when the platform does not have it or does not say."""
    try:
        view = driver.admin.market(driver.listed[slug])
        stats = driver.admin.stats(driver.listed[slug])
    except (KeyError, ApiError):
        return Verdict(slug, "UNKNOWN", None, label, 0, Decimal(0))
    volume = Decimal(stats["volume"])
    return Verdict(
        slug, view["state"], view["proposedOutcome"], label, int(stats["tradeCount"]), volume
    )


def judge_events(driver: Driver, events: Sequence[Event]) -> list[EventEnd]:
    """Read every event's end through the API."""
    ends = []
    for number, event in enumerate(events):
        if number % READS_PER_MINUTE == 0:
            driver.advance(driver.now_s + 120)
        ends.append(_read_event(driver, event))
    return ends


def _read_event(driver: Driver, event: Event) -> EventEnd:
    """One event's end; UNKNOWN when the platform does not have it or does not say."""
    unknown = EventEnd(event.slug, "UNKNOWN", None, is_settled=False, fills=0, volume=Decimal(0))
    if not event.id:
        return unknown
    try:
        view = driver.admin.market(event.id)
        stats = driver.admin.stats(event.id)
    except ApiError:
        return unknown
    return EventEnd(
        event.slug,
        view["state"],
        view["proposedOutcome"],
        is_settled=view["settledAt"] is not None,
        fills=int(stats["tradeCount"]),
        volume=Decimal(stats["volume"]),
    )


def event_figures(ends: Sequence[EventEnd]) -> dict[str, int]:
    """What a grouped replay adds to the figures."""
    return {"events": len(ends), "events_settled": sum(one.is_settled for one in ends)}


def summary(
    driver: Driver, verdicts: Sequence[Verdict], ends: Sequence[EventEnd], seconds: float
) -> dict[str, Any]:
    """The replay's figures; fills and volume are those of markets and events.

    `orders` were accepted and `rejects` refused for business reasons; `errors` are 5xx answers
    (workflow deliveries included), transport failures and unexpected 4xx; the latencies are those
    of placing a single order, and `orders_per_s` counts all orders over the seconds of trading.
    """
    traffic, deliveries = driver.traffic, driver.deliveries
    violations = operations.audit(driver.stack.env, driver.now_ms)
    resolved = [one for one in verdicts if one.outcome is not None]
    compared = [one for one in resolved if one.label is not None]
    rejects = sum(traffic.rejects.values())
    ended: list[Verdict | EventEnd] = [*verdicts, *ends]
    volume = sum((one.volume for one in ended), start=Decimal(0))
    return {
        "markets": len(verdicts),
        "resolved": len(resolved),
        "agree": sum(one.outcome == one.label for one in compared),
        "disagree": sum(one.outcome != one.label for one in compared),
        "escalated": operations.leftovers(driver.stack.database_urls["owner"]).escalated,
        "orders": traffic.orders,
        "rejects": rejects,
        "fills": sum(one.fills for one in ended),
        "volume": orjson.Fragment(format(volume, "f")),
        "requests": traffic.requests,
        "errors": traffic.errors + deliveries.failed,
        "audit": "; ".join(f"{one.invariant} {one.subject}" for one in violations[:20]) or "ok",
        "orders_per_s": round((traffic.orders + rejects) / seconds, 1) if seconds else 0.0,
        "p50_ms": traffic.percentile_ms(50),
        "p95_ms": traffic.percentile_ms(95),
    }
