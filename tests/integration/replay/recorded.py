"""Made-up recordings for the replay's tests, in the files' own shape."""

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

START_S = 1_784_894_400  # 2026-07-24 12:00:00 UTC
SCALE = 10**18
STRIKE = "100000000000000000001"  # 100 and the eighteenth decimal


def market(
    slug: str, bounds: tuple[int, int], label: list[str], strike: str | None = None, **more: Any
) -> dict[str, Any]:
    """A market object; bounds are in seconds after START_S."""
    return {
        "slug": slug,
        "asset": "coin",
        "interval_sec": bounds[1] - bounds[0],
        "condition_id": "0x0",
        "token_ids": ["1", "2"],
        "start_sec": START_S + bounds[0],
        "end_sec": START_S + bounds[1],
        "resolved": True,
        "outcome_prices": label,
        "strike_value": strike,
        "raw": {"question": f"Coin up or down, {slug}?", "description": "Made up."},
    } | more


def write_markets(path: Path, markets: Iterable[Mapping[str, Any]]) -> Path:
    """A jsonl.gz of market objects."""
    path.write_bytes(gzip.compress("".join(json.dumps(one) + "\n" for one in markets).encode()))
    return path


def write_prices(path: Path, prices: Mapping[int, int], lag_ms: int = 1_500) -> Path:
    """A csv.gz of ticks: seconds after START_S to prices scaled by 1e18."""
    lines = ["feed_ts_ms,value,full_accuracy_value,server_ts_ms,recv_ms\n"]
    for second, scaled in prices.items():
        moment = (START_S + second) * 1_000
        lines.append(f"{moment},{scaled / SCALE},{scaled},{moment + 900},{moment + lag_ms}\n")
    path.write_bytes(gzip.compress("".join(lines).encode()))
    return path


def wave(seconds: Iterable[int]) -> dict[int, int]:
    """A price that swings around 100 by a hundredth of a per cent every half minute."""
    swing = (0, 4, 7, 9, 10, 9, 7, 4, 0, -4, -7, -9, -10, -9, -7, -4)
    return {
        second: 100 * SCALE + swing[second // 2 % len(swing)] * SCALE // 1_000 for second in seconds
    }
