"""Rebuild what the chain's events add up to: `python -m infra.reindex --url ...`.

Markets are rebuilt from chain_events, a batch a transaction, whole before and after it: readers
never see a gap, and deliveries wait for the batch. Stopped halfway it may be started again.
"""

import argparse
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

MARKETS_PER_BATCH = 100
ROWS_PER_STEP = 5_000


@dataclass(frozen=True)
class Rebuilt:
    """How much was read."""

    markets: int
    events: int


def reindex(url: str, batch: int = MARKETS_PER_BATCH, rows: int = ROWS_PER_STEP) -> Rebuilt:
    """Rebuild every market's projections, `batch` markets a transaction, `rows` events a step."""
    markets = events = 0
    after: str | None = None
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set timezone = 'UTC'")
        while True:
            row = connection.execute(
                "select last_market, markets, events from public.reindex_markets(%s, %s, %s, %s)",
                (after, batch, rows, datetime.now(UTC)),
            ).fetchone()
            if row is None:
                return Rebuilt(markets, events)
            after = row[0]
            markets += row[1]
            events += row[2]


def main() -> int:
    """Rebuild, and say how much that was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--url",
        default=os.environ.get("DATABASE_URL_OWNER"),
        help="owner's URL (DATABASE_URL_OWNER); presage_worker's will do",
    )
    parser.add_argument(
        "--batch", type=int, default=MARKETS_PER_BATCH, help="markets a transaction (%(default)s)"
    )
    given = parser.parse_args()
    if not given.url:
        print("Which database? Set DATABASE_URL_OWNER or give --url.", file=sys.stderr)
        return 2
    done = reindex(given.url, given.batch)
    print(f"rebuilt {done.markets} markets from {done.events} events")
    return 0


if __name__ == "__main__":
    sys.exit(main())
