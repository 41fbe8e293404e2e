"""Recorded markets as a replay may know them, and their labels, which it may not until the end."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any


class ReplayDataError(Exception):
    """The file cannot be replayed; the message says why."""


@dataclass(frozen=True, kw_only=True)
class ReplayMarket:
    """All that may reach the platform of a recorded market. Times are unix seconds."""

    slug: str
    question: str
    description: str
    start_s: int
    end_s: int
    strike: Decimal | None


@dataclass(frozen=True)
class Recording:
    """Markets by start; `labels` (slug -> YES, NO or None) are for the final comparison only."""

    symbol: str
    markets: list[ReplayMarket]
    labels: dict[str, str | None]


def read_markets(path: Path, limit: int | None = None) -> Recording:
    """Read a jsonl.gz of market objects, one asset in a file; the first `limit` by start.

    Raises:
        ReplayDataError: several assets (one price file cannot settle them), none, or another shape.
    """
    markets: dict[str, ReplayMarket] = {}
    labels: dict[str, str | None] = {}
    assets: set[str] = set()
    for number, line in _lines(path):
        try:
            found: dict[str, Any] = json.loads(line)
            market = _market(found)
            labels[market.slug] = _label(found.get("outcome_prices"))
            assets.add(str(found["asset"]).upper())
        except (ValueError, KeyError, TypeError) as error:
            raise ReplayDataError(f"{path}, line {number}: {error!r}") from error
        markets[market.slug] = market
    if len(assets) != 1:
        shown = ", ".join(sorted(assets)) or "no asset"
        raise ReplayDataError(f"{path} holds {shown}; a replay has the prices of exactly one asset")
    chosen = sorted(markets.values(), key=lambda one: (one.start_s, one.slug))[:limit]
    return Recording(
        symbol=f"{assets.pop()}/USD",
        markets=chosen,
        labels={market.slug: labels[market.slug] for market in chosen},
    )


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield number, line


def _market(found: dict[str, Any]) -> ReplayMarket:
    raw = found.get("raw") or {}
    strike = found.get("strike_value")
    return ReplayMarket(
        slug=str(found["slug"]),
        question=str(raw.get("question") or found["slug"]),
        description=str(raw.get("description") or ""),
        start_s=int(found["start_sec"]),
        end_s=int(found["end_sec"]),
        # Exact: scaling by a context's precision would round the 18 decimals of a long number.
        strike=None if strike is None else Decimal(f"{int(strike)}E-18"),
    )


def _label(prices: object) -> str | None:
    """Which side the real market paid; None while it was not resolved."""
    if not isinstance(prices, list) or len(prices) != 2:  # noqa: PLR2004 - [Up, Down]
        return None
    return {("1", "0"): "YES", ("0", "1"): "NO"}.get((str(prices[0]), str(prices[1])))
