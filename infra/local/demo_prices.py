"""The demo's made-up data: an hour of mango prices and three markets on them.

Run: `python -m infra.local.demo_prices` writes demo_data/ anew; the same seed makes the same bytes.
The files have the shape that the replay reads, so they are also the smallest thing to replay.
"""

import gzip
import json
import random
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("demo_data")
MARKETS_FILE = FOLDER / "mango-markets.jsonl.gz"
PRICES_FILE = FOLDER / "mango-prices.csv.gz"
START_S = 1_784_894_400  # 2026-07-24 12:00:00 UTC
END_S = START_S + 3_600
TICK_S = 2
# No tick from 12:38 to 12:42: the market that closes at 12:40 cannot be decided.
GAP_S = range(START_S + 2_280, START_S + 2_520)
SEED = 24
_SCALE = 10**18
_STRIKE = 120 * _SCALE
_STEP_PPM = 260  # standard deviation of one tick's move, in millionths


def prices() -> list[tuple[int, int]]:
    """(unix second, price scaled by 1e18): a random walk with a gap."""
    dice = random.Random(SEED)  # noqa: S311 - reproducible, not secret
    micros = 119_950_000
    ticks = []
    for second in range(START_S - 60, END_S + 60, TICK_S):
        micros += round(micros * dice.gauss(0, _STEP_PPM) / 1_000_000)
        if second not in GAP_S:
            ticks.append((second, micros * (_SCALE // 1_000_000)))
    return ticks


def markets() -> list[dict[str, Any]]:
    """Against a strike, against the opening price, and one that no price decides."""
    return [
        _market(
            "mango-above-120-at-13-00",
            "Will mangoes trade at 120.00 or more at 13:00?",
            (START_S, END_S),
            _STRIKE,
        ),
        _market(
            "mango-up-or-down-12-05-to-12-25",
            "Mango up or down, 12:05 to 12:25?",
            (START_S + 300, START_S + 1_500),
            None,
        ),
        _market(
            "mango-up-or-down-12-25-to-12-40",
            "Mango up or down, 12:25 to 12:40?",
            (START_S + 1_500, START_S + 2_400),
            None,
        ),
    ]


def _market(
    slug: str, question: str, bounds: tuple[int, int], strike: int | None
) -> dict[str, Any]:
    known = dict(prices())
    opening = strike if strike is not None else known[bounds[0]]
    closing = known.get(bounds[1])
    label = [] if closing is None else ["1", "0"] if closing >= opening else ["0", "1"]
    return {
        "slug": slug,
        "asset": "mango",
        "start_sec": bounds[0],
        "end_sec": bounds[1],
        "resolved": bool(label),
        "outcome_prices": label,
        "strike_value": None if strike is None else str(strike),
        "raw": {
            "question": question,
            "description": "Made up for the demo. YES when the last price at or before the close "
            "is at least the strike, or the price at the start where there is no strike.",
        },
    }


def files() -> dict[Path, bytes]:
    """The two files as they ship."""
    lines = "".join(json.dumps(market) + "\n" for market in markets())
    header = "feed_ts_ms,value,full_accuracy_value,server_ts_ms,recv_ms\n"
    rows = "".join(
        f"{second}000,{scaled / _SCALE},{scaled},{second}400,{second}900\n"
        for second, scaled in prices()
    )
    return {MARKETS_FILE: _zip(lines), PRICES_FILE: _zip(header + rows)}


def _zip(text: str) -> bytes:
    return gzip.compress(text.encode(), mtime=0)


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for path, content in files().items():
        path.write_bytes(content)
        print(f"{path}: {len(content)} bytes")


if __name__ == "__main__":
    main()
