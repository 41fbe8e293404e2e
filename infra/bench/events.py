"""Indexing: events a second through the webhook's handler, and how soon an event can be read.

The history is the same for everybody: markets that begin, and wallets that buy and sell in them.
"""

import contextlib
import gc
import io
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from itertools import batched
from operator import attrgetter
from statistics import median
from typing import Any

import orjson
import psycopg

from infra.bench.flow import FULL, BenchError, fresh_database, number, percentile, pinned
from infra.bench.registry import Figure, figure
from infra.local import deliveries
from infra.local.deliveries import GENESIS_S, GENESIS_SLOT, PROGRAMME, Raw
from infra.local.events import HttpRequest, build_event
from infra.local.postgres import Postgres
from infra.local.template import Function, Route
from presage.call import Call
from presage.chain.events import MarketActivated, MarketCreated, SharesBought, SharesSold
from presage.db import connection
from presage.edge import reporting
from presage.edge.webhook import webhook
from presage.events.models import DeliveryIndexed
from presage.events.transactions import Row, open_transaction, read_transaction, watched

MARKETS, WALLETS = 20, 100
EVENTS = 100_000 if FULL else 20_000
PEER_EVENTS = 4_000 if FULL else 1_500
ROUNDS = 9
MAX_BODY_BYTES = 950_000
SECRET = "bench"  # noqa: S105 - of a throw-away handler
RATE_PER_S = 100
LATENCY_S = 60 if FULL else 10
LATENCY_GOAL_MS = 250.0
THREADS = 4
COPY = (
    "copy chain_events (signature, ordinal, slot, tx_index, block_time, event_type, market, wallet,"
    " data) from stdin"
)
# The usual way: an event arrives, is inserted, and what it changes is updated.
INSERT = (
    "insert into chain_events (signature, ordinal, slot, tx_index, block_time, event_type, market,"
    " wallet, data) values (%s, %s, %s, %s, to_timestamp(%s), %s, %s, %s, %s)"
    " on conflict do nothing"
)
UPDATE = (
    "update chain_markets set volume = volume + %s, trades = trades + 1, price_yes = %s,"
    " shares_yes = shares_yes + %s, shares_no = shares_no + %s where market = %s"
)

_COLUMNS = attrgetter(
    *("signature", "ordinal", "slot", "tx_index", "block_time_s", "event_type", "market", "wallet"),
    "data",
)

type Handler = Callable[[dict[str, Any], object], dict[str, Any]]


@cache
def _opening() -> list[Raw]:
    """The markets, which trade."""
    creator = deliveries.wallet("creator")
    return [
        deliveries.of_events(
            MarketCreated(deliveries.market(str(n)), creator, 10**12, 0, GENESIS_S),
            MarketActivated(deliveries.market(str(n)), creator, 10**10, GENESIS_S),
            name=f"market {n}",
            index=n,
        )
        for n in range(MARKETS)
    ]


@cache
def _trades(count: int) -> list[Raw]:
    """Trades, one a transaction, ten a block."""
    draw = random.Random(count)  # noqa: S311 - a history that comes again
    made = []
    for n in range(count):
        kind = SharesBought if draw.random() < 0.7 else SharesSold  # noqa: PLR2004 - most buy
        trade = kind(
            deliveries.market(str(draw.randrange(MARKETS))),
            deliveries.wallet(str(draw.randrange(WALLETS))),
            draw.random() < 0.5,  # noqa: PLR2004 - a fair coin
            draw.randint(1, 10**10),
            draw.randint(1, 10**10),
            draw.randint(1, 10**9),
            GENESIS_S + n // 25,
        )
        made.append(
            deliveries.of_events(trade, name=f"trade {n}", slot=GENESIS_SLOT + 1 + n // 10, index=n)
        )
    return made


def _parts(transactions: Sequence[Raw]) -> Iterator[Sequence[Raw]]:
    """As many transactions as the webhook takes in a delivery."""
    size = len(orjson.dumps(transactions[0])) + 100
    return batched(transactions, MAX_BODY_BYTES // size, strict=False)


def _events(transactions: Sequence[Raw]) -> list[dict[str, Any]]:
    """Their deliveries."""
    return [_event(orjson.dumps(part)) for part in _parts(transactions)]


def _event(body: bytes) -> dict[str, Any]:
    request = HttpRequest(
        method="POST",
        path="/webhooks/helius",
        query="",
        headers={"authorization": SECRET, "content-type": "application/json", "host": "bench"},
        cookies=[],
        body=body,
        source_ip="127.0.0.1",
    )
    handled = Route("POST", "/webhooks/helius", Function("bench", "", "", 10, 128, {}))  # type: ignore[arg-type]
    return build_event(request, handled, {}, "bench")


@contextmanager
def _handler(server: Postgres, database: str) -> Iterator[Handler]:
    """The webhook's handler on a database; what it logs is not a figure."""
    given = {
        "DATABASE_URL_WORKER": server.url(database, "presage_worker"),
        "ZMART_PROGRAM_ID": PROGRAMME,
        "HELIUS_WEBHOOK_SECRET": SECRET,
        # Nobody listens there: no answer is kept anywhere that could be dropped.
        "UPSTASH_REDIS_REST_URL": "http://127.0.0.1:9",
        "UPSTASH_REDIS_REST_TOKEN": "bench",
    }
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    from functions.events.receive_helius.handler import handler  # noqa: PLC0415 - reads them

    # The history of the bench is not the handler's to look through for garbage.
    gc.collect()
    gc.freeze()
    level = reporting.logger.log_level
    reporting.logger.setLevel("ERROR")
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield handler
    finally:
        gc.unfreeze()
        reporting.logger.setLevel(level)
        connection.close()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _deliver(handler: Handler, events: Sequence[dict[str, Any]]) -> float:
    """Seconds that the deliveries take, one after the other."""
    began = time.perf_counter()
    for event in events:
        answer = handler(event, None)
        if answer["statusCode"] != 200:  # noqa: PLR2004 - OK
            raise BenchError(answer["body"])
    return time.perf_counter() - began


@contextmanager
def _indexing(server: Postgres, transactions: Sequence[Raw]) -> Iterator[tuple[Handler, list[int]]]:
    """A handler that knows the markets, and the processes of Postgres that serve it.

    Whoever has delivered the transactions finds them all, kept and projected.
    """
    with fresh_database(server, "bench_events") as url, psycopg.connect(url) as owner:
        with _handler(server, "bench_events") as handler:
            _deliver(handler, _events(_opening()))
            servers = owner.execute(
                "select pid from pg_stat_activity"
                " where application_name = 'presage' and datname = current_database()"
            )
            yield handler, [pid for (pid,) in servers]
        traded = number(owner, "select sum(trades) from chain_markets")
        kept = number(owner, "select count(*) from chain_trades")
    if not traded == kept == len(transactions):
        raise BenchError(f"{kept:.0f} kept, {traded:.0f} projected of {len(transactions)}")


def _ours(server: Postgres, transactions: Sequence[Raw]) -> float:
    """Events a second through the handler, on a fresh database."""
    events = _events(transactions)
    with _indexing(server, transactions) as (handler, servers), pinned(*servers):
        return len(transactions) / _deliver(handler, events)


def _read(text: bytes) -> Sequence[Row]:
    return read_transaction(open_transaction(text), watched()).rows


def _row_by_row(server: Postgres, transactions: Sequence[Raw]) -> tuple[float, list[float]]:
    """Events a second the usual way, an event a delivery, and how long each takes."""
    with (
        fresh_database(server, "bench_rows") as url,
        psycopg.connect(url, autocommit=True) as owner,
        _handler(server, "bench_rows") as handler,
    ):
        _deliver(handler, _events(_opening()))

        def keep(_: Call, body: bytes) -> DeliveryIndexed:
            """What the usual way does with a delivery of one event."""
            [row] = _read(body[1:-1])
            owner.execute(INSERT, _COLUMNS(row))
            data = orjson.loads(row.data)
            shares = data["shares"] if row.event_type == "SharesBought" else -data["shares"]
            amount = data.get("cost", data.get("proceeds"))
            sides = (shares, 0) if data["outcome"] else (0, shares)
            owner.execute(UPDATE, (amount, data["new_price_yes"], *sides, row.market))
            none = dict.fromkeys(("failed", "incomplete", "malformed", "unknown"), 0)
            return DeliveryIndexed(transactions=1, events=1, indexed=1, **none)

        usual = webhook("receive_helius", keep, DeliveryIndexed)
        deliveries_of_one = [_event(orjson.dumps([one])) for one in transactions]
        with pinned(owner.info.backend_pid):
            spent = [_deliver(usual, [event]) for event in deliveries_of_one]
        if number(owner, "select sum(trades) from chain_markets") != len(transactions):
            raise BenchError("the peer lost trades")
    return len(transactions) / sum(spent), spent


def _finished(transactions: Sequence[Raw]) -> list[tuple[Any, ...]]:
    """The rows as the table has them."""
    os.environ.setdefault("ZMART_PROGRAM_ID", PROGRAMME)
    rows = [_COLUMNS(row) for one in transactions for row in _read(orjson.dumps(one))]
    moment = datetime.fromtimestamp
    return [(*row[:4], moment(row[4], UTC).isoformat(), *row[5:]) for row in rows]


def _copy(owner: psycopg.Connection, rows: Sequence[tuple[Any, ...]]) -> float:
    """Seconds that a COPY of finished rows takes."""
    began = time.perf_counter()
    with owner.cursor().copy(COPY) as stream:
        for row in rows:
            stream.write_row(row)
    return time.perf_counter() - began


def _beside_copy(server: Postgres, transactions: Sequence[Raw]) -> tuple[float, float]:
    """Events a second through the handler, and rows by COPY into the same table elsewhere.

    A delivery and its rows take turns: a machine's speed moves within seconds.
    """
    ours_s = peer_s = 0.0
    events, rows = _events(transactions), [_finished(part) for part in _parts(transactions)]
    with (
        _indexing(server, transactions) as (handler, servers),
        fresh_database(server, "bench_copy") as url,
        psycopg.connect(url, autocommit=True) as owner,
        pinned(*servers, owner.info.backend_pid),
    ):
        for event, its_rows in zip(events, rows, strict=True):
            ours_s += _deliver(handler, [event])
            peer_s += _copy(owner, its_rows)
    return len(transactions) / ours_s, len(transactions) / peer_s


@figure
def index_events(server: Postgres) -> Figure:
    """Events a second through the webhook's handler, against one row at a time."""
    ours = median(_ours(server, _trades(EVENTS)) for _ in range(ROUNDS))
    peer, _ = _row_by_row(server, _trades(EVENTS)[:PEER_EVENTS])
    return Figure(
        name="index_events",
        ours=ours,
        peer=peer,
        goal=15,
        unit="events/s",
        better="higher",
        method=f"{EVENTS} trades in {MARKETS} markets, one a transaction, in deliveries of up to"
        " 1 MB through the handler: read, kept, projected. Peer: the same edge and reading, one"
        " event a delivery, one insert and one update, a statement each",
        goal_is_ratio=True,
    )


@figure
def index_against_copy(server: Postgres) -> Figure:
    """Events a second through the webhook's handler, against COPY of the finished rows."""
    trades = _trades(EVENTS)
    rounds = [_beside_copy(server, trades) for _ in range(ROUNDS)]
    ours, peer = sorted(rounds, key=lambda one: one[0] / one[1])[ROUNDS // 2]
    return Figure(
        name="index_against_copy",
        ours=ours,
        peer=peer,
        goal=0.5,
        unit="events/s",
        better="higher",
        method=f"{EVENTS} trades as in index_events. Peer: COPY of their rows into the same table"
        " with the same indexes, a statement a delivery, nothing read or projected; the two take"
        f" turns with every delivery. Of {ROUNDS} rounds on fresh databases the one in the middle",
        goal_is_ratio=True,
    )


@figure
def index_latency(server: Postgres) -> Figure:
    """How long an event takes from its delivery until another connection reads it (p95)."""
    trades = _trades(RATE_PER_S * LATENCY_S)
    with (
        fresh_database(server, "bench_latency") as url,
        _handler(server, "bench_latency") as handler,
    ):
        _deliver(handler, _events(_opening()))
        events = [_event(orjson.dumps([one])) for one in trades]
        began = time.perf_counter() + 0.1
        readers = [psycopg.connect(url, autocommit=True) for _ in range(THREADS)]

        def follow(lane: int) -> list[float]:
            """Every fourth event at its time, late ones at once: waiting counts too."""
            spent = []
            for n in range(lane, len(events), THREADS):
                due = began + n / RATE_PER_S
                time.sleep(max(0.0, due - time.perf_counter()))
                _deliver(handler, [events[n]])
                signature = trades[n]["transaction"]["signatures"][0]
                seen = number(
                    readers[lane],
                    "select count(*) from chain_events where signature = %s",
                    signature,
                )
                if seen != 1:
                    raise BenchError("an event was answered and cannot be read")
                spent.append(1000 * (time.perf_counter() - due))
            connection.close()
            return spent

        with ThreadPoolExecutor(THREADS) as lanes:
            spent = [one for lane in lanes.map(follow, range(THREADS)) for one in lane]
        for reader in readers:
            reader.close()
    _, alone = _row_by_row(server, trades[:200])
    return Figure(
        name="index_latency",
        ours=percentile(spent, 95),
        peer=1000 * percentile(alone, 95),
        goal=LATENCY_GOAL_MS,
        unit="ms",
        better="lower",
        method=f"{RATE_PER_S} events a second for {LATENCY_S} s, an event a delivery, {THREADS} at"
        " once, from the moment it was due until another connection has read it, p95 (p50"
        f" {percentile(spent, 50):.1f}, largest {max(spent):.1f}). Peer: one row at a time,"
        " nothing else going on, its answer and not another's reading",
        goal_is_ratio=False,
    )
