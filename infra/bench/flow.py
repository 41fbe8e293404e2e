"""What figures measure: databases, users with money, markets and one seeded flow of orders.

`Side` is one of two that are compared: a market, a way to place orders and what was measured.
"""

import contextlib
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID

import orjson
import psycopg

from infra.bench.application_matcher import Request
from infra.db.migrate import migrate
from infra.local.postgres import Postgres

FULL = os.environ.get("BENCH_FULL") == "1"  # larger sizes: several minutes a figure

USERS = 20
SEED = 20261120
DEPOSIT_MICROS = 10**14
FEE_BPS = 100
MAKER_REBATE_BPS = 2000

PLACE = (
    "select * from place_order(%s, 0::smallint, %s, %s, 'GTC', %s, %s, null, false,"
    " 'cancel_maker', %s, %s, %s, %s)"
)
PLACE_BATCH = "select status, orders from place_orders('independent', %s, %s, %s, %s, %s)"
_TEMPLATE = "bench_template"
_MIDDLE_BPS, _SPREAD = 49, 4

type Place = Callable[[Sequence[Request]], object]


class BenchError(Exception):
    """The two sides did not do the same work, or left the money unsound."""


@cache
def _template(server: Postgres) -> str:
    migrate(server.create_database(_TEMPLATE))
    return _TEMPLATE


@contextmanager
def fresh_database(server: Postgres, name: str) -> Iterator[str]:
    """The owner's URL of a migrated, empty database that goes away afterwards."""
    yield server.create_database(name, _template(server))
    server.drop_database(name)


@dataclass
class Side:
    """One of the two: its market, its placing function and what was measured of it.

    `batch` orders in a row are one user's and are placed by one call; `latencies_s` are a call's.
    """

    market: UUID
    place: Place
    batch: int = 1
    seed: int = SEED
    seconds: float = 0.0
    wal_bytes: int = 0
    orders: int = 0
    latencies_s: list[float] = field(default_factory=list)
    flow: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.flow = random.Random(self.seed)  # noqa: S311 - a flow, no secret

    def order_id(self) -> UUID:
        """Ordered by time, as ids made by the platform's clients are (a UUID of version 7)."""
        milliseconds = time.time_ns() // 1_000_000
        tail = random.getrandbits(62)
        return UUID(int=milliseconds << 80 | 7 << 76 | (self.orders & 0xFFF) << 64 | 2 << 62 | tail)

    def requests(self, users: Sequence[UUID]) -> list[Request]:
        """The next call's orders: buys around 0.50, so that half of them meet another."""
        yes = self.flow.random() < 0.5  # noqa: PLR2004 - a fair coin
        # Half the people trade YES only and half NO only: nobody ever meets an own order.
        half = len(users) // 2
        user = self.flow.choice(users[:half] if yes else users[half:])
        return [self._request(user, "YES" if yes else "NO") for _ in range(self.batch)]

    def _request(self, user: UUID, position: str) -> Request:
        price_bps = 100 * min(99, max(1, round(self.flow.gauss(_MIDDLE_BPS, _SPREAD))))
        self.orders += 1
        return Request(
            order_id=self.order_id(),
            user_id=user,
            market_id=self.market,
            position=position,
            side="BUY",
            price_bps=price_bps,
            size_lots=100 * self.flow.randint(1, 10),
            client_order_id=f"{self.market.hex[:12]}-{self.seed}-{self.orders:06}",
            now=datetime.now(UTC),
        )

    def run(self, connection: psycopg.Connection, users: Sequence[UUID], count: int) -> None:
        """Place `count` orders and add their time and WAL to the account."""
        before = _wal_position(connection)
        for _ in range(count // self.batch):
            requests = self.requests(users)
            started = time.perf_counter()
            self.place(requests)
            spent = time.perf_counter() - started
            self.latencies_s.append(spent)
            self.seconds += spent
        self.wal_bytes += _wal_position(connection) - before

    def forget(self) -> None:
        """Drop what the warm-up measured."""
        self.seconds, self.wal_bytes, self.latencies_s = 0.0, 0, []


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round((len(ordered) - 1) * percent / 100))]


def _wal_position(connection: psycopg.Connection) -> int:
    row = connection.execute("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone()
    return int(row[0]) if row else 0


def place_in_one_flush(connection: psycopg.Connection) -> Place:
    """Our way: one pipelined flush an order, unprepared."""

    def place(requests: Sequence[Request]) -> object:
        (request,) = requests
        with connection.pipeline():  # to its one Sync an implicit transaction
            connection.execute(
                "select set_config('presage.user_id', %s, true)", (str(request.user_id),)
            )
            cursor = connection.execute(
                PLACE,
                (
                    request.market_id,
                    request.position,
                    request.side,
                    request.price_bps,
                    request.size_lots,
                    request.client_order_id,
                    request.order_id.bytes * 2,
                    request.order_id,
                    request.now,
                ),
            )
        return cursor.fetchone()

    return place


def place_in_batches(connection: psycopg.Connection) -> Place:
    """Our way for a bet slip: one pipelined flush a batch, unprepared."""

    def place(requests: Sequence[Request]) -> object:
        first = requests[0]
        orders = [
            {
                "market_id": str(one.market_id),
                "outcome": 0,
                "position": one.position,
                "side": one.side,
                "type": "GTC",
                "price_bps": one.price_bps,
                "size_lots": one.size_lots,
                "self_trade_prevention": "cancel_maker",
                "client_order_id": one.client_order_id,
                "order_id": str(one.order_id),
            }
            for one in requests
        ]
        with connection.pipeline():
            connection.execute(
                "select set_config('presage.user_id', %s, true)", (str(first.user_id),)
            )
            cursor = connection.execute(
                PLACE_BATCH,
                (
                    orjson.dumps(orders).decode(),
                    first.client_order_id,
                    first.order_id.bytes * 2,
                    first.order_id,
                    first.now,
                ),
            )
        row = cursor.fetchone()
        if row is None or row[0] != "completed":
            raise BenchError(f"a batch was not completed: {row}")
        return row

    return place


def new_ids(count: int, seed: int = SEED) -> list[UUID]:
    """The same ids for the same seed."""
    rng = random.Random(seed)  # noqa: S311 - ids of a benchmark, no secret
    return [UUID(int=rng.getrandbits(128), version=4) for _ in range(count)]


def add_users(connection: psycopg.Connection, count: int = USERS) -> list[UUID]:
    """Users with more money than the flow can spend."""
    users, now = new_ids(count), datetime.now(UTC)
    for user in users:
        connection.execute(
            "insert into users (id, address, chain, created_at) values (%s, %s, 'evm', %s)",
            (user, str(user), now),
        )
        connection.execute(
            "select post_transfer('external', null, 'user:cash', %s, null, %s, 'deposit', %s, %s)",
            (user, DEPOSIT_MICROS, str(user), now),
        )
    return users


def add_markets(
    connection: psycopg.Connection,
    count: int,
    fee_bps: int = FEE_BPS,
    created_at: datetime | None = None,
) -> list[UUID]:
    """Equal binary markets that close tomorrow."""
    markets, now = new_ids(count, SEED + 1), datetime.now(UTC)
    for market in markets:
        connection.execute(
            "insert into markets (id, slug, question, state, closes_at, fee_bps, maker_rebate_bps,"
            " created_at, updated_at) values (%(id)s, %(slug)s, 'bench', 'ACTIVE', %(closes)s,"
            " %(fee)s, %(rebate)s, %(created)s, %(created)s)",
            {
                "id": market,
                "slug": str(market),
                "closes": now + timedelta(days=1),
                "fee": fee_bps,
                "rebate": MAKER_REBATE_BPS if fee_bps else 0,
                "created": created_at or now,
            },
        )
        connection.execute(
            "insert into outcomes (market_id, outcome, label) values (%s, 0, 'YES')", (market,)
        )
    return markets


@contextmanager
def pinned(*servers: int) -> Iterator[bool]:
    """Client on one processor, its servers (by their pids) on another.

    Unpinned round trips are bimodal.
    """
    affinity = os.sched_getaffinity(0)
    processors = sorted(affinity)
    done = False
    if len(processors) > 1:
        with contextlib.suppress(PermissionError):
            for pid in servers:
                os.sched_setaffinity(pid, {processors[1]})
            os.sched_setaffinity(0, {processors[0]})
            done = True
    try:
        yield done
    finally:
        os.sched_setaffinity(0, affinity)


def keep_on(processor: int, connection: psycopg.Connection) -> None:
    """This process and its server on one processor, where that is allowed: their caches stay."""
    with contextlib.suppress(PermissionError):
        os.sched_setaffinity(connection.info.backend_pid, {processor})
        os.sched_setaffinity(0, {processor})


def check_equal(connection: psycopg.Connection, markets: Sequence[UUID]) -> None:
    """Raise BenchError unless the markets went through the same orders."""
    state = (
        "select o.user_id, o.position, o.book_price_bps, o.size_lots, o.status, o.filled_lots,"
        " o.remaining_lots, o.fee_micros from orders o where o.market_id = %s order by o.seq"
    )
    first, *others = (connection.execute(state, (market,)).fetchall() for market in markets)
    if any(other != first for other in others):
        raise BenchError("the two books differ")


def check_audit(connection: psycopg.Connection) -> None:
    """Raise BenchError unless the money is sound."""
    if broken := connection.execute("select * from presage_audit()").fetchall():
        raise BenchError(f"the audit found {broken[:3]}")


def number(connection: psycopg.Connection, query: str, *parameters: object) -> float:
    """The one number that a query answers."""
    row = connection.execute(query, parameters).fetchone()
    return float(row[0]) if row else 0.0
