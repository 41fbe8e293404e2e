"""Price history and statistics: rollups kept at write time, against aggregating the fills."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

import psycopg

from infra.bench.depth import REST
from infra.bench.flow import (
    FULL,
    USERS,
    BenchError,
    add_markets,
    add_users,
    check_audit,
    fresh_database,
)
from infra.bench.registry import Figure, figure
from infra.local.postgres import Postgres
from presage.db.queries import Queries
from presage.markets import history
from presage.markets import service as markets_service

FILLS = 10_000_000 if FULL else 3_000_000
SMALL_FILLS = 500_000
SWEEP = 50
TAKERS = 100
CHUNK = 500
RESTING = 1_000
OUR_RUNS, PEER_RUNS = 300, 5

_statements = Queries(Path(__file__).with_name("history.sql"))
_product = Queries(Path(markets_service.__file__).with_name("queries.sql"))

type Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Measured:
    """Median seconds of both ways by question and market, and how the data came to be."""

    ours_s: dict[tuple[str, int], float]
    peer_s: dict[tuple[str, int], float]
    method: str


@contextmanager
def _without_indexes(owner: psycopg.Connection, table: str) -> Iterator[None]:
    """A bulk load fills the table first and builds its indexes, the very same, after."""
    found = owner.execute(
        "select indexname, indexdef from pg_indexes where schemaname = 'public' and tablename = %s",
        (table,),
    ).fetchall()
    for name, _ in found:
        owner.execute(f'drop index "{name}"')
    yield
    for _, definition in found:
        owner.execute(definition)


def _load(owner: psycopg.Connection, since: datetime, until: datetime) -> list[UUID]:
    """Fill the database; the ids of the large market and of the small one."""
    add_users(owner, 2 * TAKERS)
    markets = add_markets(owner, 2, fee_bps=0, created_at=since)
    params = {
        "since": since,
        "until": until,
        "market": markets[0],
        "sweeps": FILLS // SWEEP,
        "stride": FILLS // SMALL_FILLS,
        "takers": TAKERS,
    }
    owner.execute("set work_mem = '128MB'")
    owner.execute("set maintenance_work_mem = '256MB'")
    owner.execute("set synchronous_commit = off")  # the load, not what is measured
    with _without_indexes(owner, "fills"):
        for name in ("sweeps", "makers"):
            owner.execute(_statements[name].sql, params)
            owner.execute(f"analyze {name}")
        owner.execute(_statements["fills"].sql, params)
    owner.execute("analyze fills")
    for name in ("fill_ids", "taker_orders", "maker_orders", "positions", "money"):
        owner.execute(_statements[name].sql, params)
    owner.execute(_statements["trades"].sql)
    owner.execute("create index on trades (number)")
    for after in range(0, 2 * FILLS // SWEEP, CHUNK):
        owner.execute(_statements["record_trades"].sql, {"after": after, "chunk": CHUNK})
    owner.execute(_statements["count_traders"].sql)
    users = [
        row[0]
        for row in owner.execute("select user_id from accounts where id > 0 order by id limit 20")
    ]
    for market in markets:
        params = {"market": market, "count": RESTING, "users": users, "half": USERS // 2}
        owner.execute(REST, params)
    owner.execute("vacuum analyze")
    check_audit(owner)
    return markets


def _median_s(
    connection: psycopg.Connection, query: str, params: Mapping[str, Any], runs: int
) -> tuple[float, Rows]:
    """Median seconds until the last row has arrived, undecoded; and the rows."""
    spent, cursor = [], connection.cursor()
    for _ in range(runs):
        started = time.perf_counter()
        cursor.execute(query, params)
        spent.append(time.perf_counter() - started)
    return median(spent), cursor.fetchall()


@cache
def _measure(server: Postgres) -> Measured:
    span = history.span(datetime.now(UTC), history.MAX_BARS - 1, "1hour")
    ours_s, peer_s = {}, {}
    with fresh_database(server, "bench_history") as url:
        with psycopg.connect(url, autocommit=True) as owner:
            began = time.perf_counter()
            markets = _load(owner, span.since, span.until)
            loaded_s = time.perf_counter() - began
        api_url = server.url("bench_history", "presage_api")
        with (
            psycopg.connect(url, autocommit=True) as owner,
            psycopg.connect(api_url, autocommit=True, prepare_threshold=None) as api,
        ):
            for place, market in enumerate(markets):
                params = {
                    "market": str(market),
                    "outcome": None,
                    "interval_s": span.stored_s,
                    "since": span.since,
                    "now": span.until + timedelta(minutes=1),
                }
                # The product's figures begin with the market's id.
                for name, query, skipped in (
                    ("bars", "get_bars", 0),
                    ("stats", "get_market_stats", 1),
                ):
                    spent, ours = _median_s(api, _product[query].sql, params, OUR_RUNS)
                    ours_s[name, place] = spent
                    spent, peer = _median_s(
                        owner, _statements[f"aggregate_{name}"].sql, params, PEER_RUNS
                    )
                    peer_s[name, place] = spent
                    if [row[skipped:] for row in ours] != peer:
                        raise BenchError(f"{name}: the rollups differ from the fills")
    return Measured(
        ours_s,
        peer_s,
        f"a market of {FILLS} fills over 30 days, {RESTING} resting orders; loaded in"
        f" {loaded_s:.0f} s with an empty audit, bars and counters by the match's own"
        f" record_trades; equal answers; medians of {OUR_RUNS} and {PEER_RUNS} calls until the last"
        " row arrived",
    )


def _figure(server: Postgres, name: str, question: str, goal: float, note: str) -> Figure:
    measured = _measure(server)
    ours_ms, small_ms = (measured.ours_s[question, place] * 1000 for place in (0, 1))
    peer_ms, small_peer_ms = (measured.peer_s[question, place] * 1000 for place in (0, 1))
    return Figure(
        name=name,
        ours=ours_ms,
        peer=peer_ms,
        goal=goal,
        unit="ms",
        better="lower",
        method=f"{measured.method}. {note}, parallel plans allowed. Of a market of {SMALL_FILLS}"
        f" fills beside it: {small_ms:.2f} against {small_peer_ms:.0f} ms,"
        f" {small_peer_ms / small_ms:.0f} times",
        goal_is_ratio=True,
    )


@figure
def price_history(server: Postgres) -> Figure:
    """A month of hourly bars."""
    note = (
        "Ours: get_bars of the route, 719 bars, as presage_api. Peer: one aggregate over the"
        " market's fills"
    )
    return _figure(server, "price_history", "bars", 300, note)


@figure
def market_stats(server: Postgres) -> Figure:
    """A market's volume, trades, traders, open interest and liquidity."""
    note = (
        "Ours: get_market_stats of the route, as presage_api. Peer: aggregates over the market's"
        " fills, positions and open orders"
    )
    return _figure(server, "market_stats", "stats", 2000, note)
