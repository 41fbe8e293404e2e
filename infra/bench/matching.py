"""Single orders: place_order in one flush against an application-side matcher, on one book.

The same seeded flow runs through both, in alternating rounds of one run, each on a market of its
own in one database; afterwards the two books must be equal and presage_audit() empty.
"""

import contextlib
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID

import psycopg

from infra.bench.application_matcher import ApplicationMatcher, Request
from infra.bench.registry import Figure, figure
from infra.db.migrate import migrate
from infra.local.postgres import Postgres

USERS = 20
ROUNDS = 6
ROUND_ORDERS = 500
WARM_UP_ORDERS = 500
SEED = 20261120
DEPOSIT_MICROS = 10**14
FEE_BPS = 100
MAKER_REBATE_BPS = 2000

PLACE = (
    "select * from place_order(%s, 0::smallint, %s, %s, 'GTC', %s, %s, null, false,"
    " 'cancel_maker', %s, %s, %s, %s)"
)


class BenchError(Exception):
    """The two sides did not do the same work, or left the money unsound."""


@dataclass
class Side:
    """One of the two: its market, its placing function and what was measured of it."""

    market: UUID
    place: Callable[[Request], object]
    seconds: float = 0.0
    wal_bytes: int = 0
    orders: int = 0
    flow: random.Random = field(default_factory=lambda: random.Random(SEED))  # noqa: S311 - a flow, no secret

    def order_id(self) -> UUID:
        """Ordered by time, as ids made by the platform's clients are (a UUID of version 7)."""
        milliseconds = time.time_ns() // 1_000_000
        tail = random.getrandbits(62)
        return UUID(int=milliseconds << 80 | 7 << 76 | (self.orders & 0xFFF) << 64 | 2 << 62 | tail)

    def request(self, users: list[UUID]) -> Request:
        """The next order of the flow: buys around 0.50, so that half of them meet another."""
        yes = self.flow.random() < 0.5  # noqa: PLR2004 - a fair coin
        # Half the people trade YES only and half NO only: nobody ever meets an own order.
        people = users[: USERS // 2] if yes else users[USERS // 2 :]
        user = self.flow.choice(people)
        price_bps = 100 * min(99, max(1, round(self.flow.gauss(49, 4))))
        return Request(
            order_id=self.order_id(),
            user_id=user,
            market_id=self.market,
            position="YES" if yes else "NO",
            side="BUY",
            price_bps=price_bps,
            size_lots=100 * self.flow.randint(1, 10),
            client_order_id=f"{self.market.hex[:12]}-{self.orders:06}",
            now=datetime.now(UTC),
        )

    def run(self, connection: psycopg.Connection, users: list[UUID], count: int) -> None:
        """Place `count` orders and add their time and WAL to the account."""
        before = _wal_position(connection)
        started = time.perf_counter()
        for _ in range(count):
            self.place(self.request(users))
            self.orders += 1
        self.seconds += time.perf_counter() - started
        self.wal_bytes += _wal_position(connection) - before

    def forget(self) -> None:
        """Drop what the warm-up measured."""
        self.seconds, self.wal_bytes = 0.0, 0


def _wal_position(connection: psycopg.Connection) -> int:
    row = connection.execute("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone()
    return int(row[0]) if row else 0


def _place_in_one_flush(connection: psycopg.Connection) -> Callable[[Request], object]:
    def place(request: Request) -> object:
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


def _prepare(connection: psycopg.Connection) -> tuple[list[UUID], list[UUID]]:
    """Users with money, and two equal markets."""
    rng = random.Random(SEED)  # noqa: S311 - a flow, no secret
    users = [UUID(int=rng.getrandbits(128), version=4) for _ in range(USERS)]
    markets = [UUID(int=rng.getrandbits(128), version=4) for _ in range(2)]
    now = datetime.now(UTC)
    for user in users:
        connection.execute(
            "insert into users (id, address, chain, created_at) values (%s, %s, 'evm', %s)",
            (user, str(user), now),
        )
        connection.execute(
            "select post_transfer('external', null, 'user:cash', %s, null, %s, 'deposit', %s, %s)",
            (user, DEPOSIT_MICROS, str(user), now),
        )
    for market in markets:
        connection.execute(
            "insert into markets (id, slug, question, state, closes_at, fee_bps, maker_rebate_bps,"
            " created_at, updated_at) values (%s, %s, 'bench', 'ACTIVE', %s, %s, %s, %s, %s)",
            (market, str(market), now + timedelta(days=1), FEE_BPS, MAKER_REBATE_BPS, now, now),
        )
        connection.execute(
            "insert into outcomes (market_id, outcome, label) values (%s, 0, 'YES')", (market,)
        )
    return users, markets


def _pin(connections: list[psycopg.Connection]) -> bool:
    """Client on one processor, its servers on another: unpinned round trips are bimodal."""
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 2:  # noqa: PLR2004 - one for each end
        return False
    with contextlib.suppress(PermissionError):
        for connection in connections:
            os.sched_setaffinity(connection.info.backend_pid, {processors[1]})
        os.sched_setaffinity(0, {processors[0]})
        return True
    return False


def _check_equal(connection: psycopg.Connection, markets: list[UUID]) -> None:
    state = (
        "select o.user_id, o.position, o.book_price_bps, o.size_lots, o.status, o.filled_lots,"
        " o.remaining_lots, o.fee_micros from orders o where o.market_id = %s order by o.seq"
    )
    ours, peer = (connection.execute(state, (market,)).fetchall() for market in markets)
    if ours != peer:
        raise BenchError("the two books differ")
    if broken := connection.execute("select * from presage_audit()").fetchall():
        raise BenchError(f"the audit found {broken[:3]}")


@cache
def _measure(server: Postgres) -> tuple[Side, Side, str]:
    url = server.create_database("bench_matching")
    migrate(url)
    affinity = os.sched_getaffinity(0)
    api_url = server.url("bench_matching", "presage_api")
    with (
        psycopg.connect(url, autocommit=True) as owner,
        psycopg.connect(api_url, autocommit=True, prepare_threshold=None) as api,
        psycopg.connect(url, autocommit=True) as application,
    ):
        users, markets = _prepare(owner)
        ours = Side(markets[0], _place_in_one_flush(api))
        peer = Side(markets[1], ApplicationMatcher(application).place)
        pinned = _pin([api, application])
        try:
            for side in (ours, peer):
                side.run(owner, users, WARM_UP_ORDERS)
                side.forget()
            owner.execute("analyze")
            for number in range(ROUNDS):
                for side in (ours, peer) if number % 2 == 0 else (peer, ours):
                    side.run(owner, users, ROUND_ORDERS)
        finally:
            os.sched_setaffinity(0, affinity)
        _check_equal(owner, markets)
        row = owner.execute(
            "select count(*) from fills where market_id = %s", (markets[0],)
        ).fetchone()
    fills = int(row[0]) / ours.orders if row else 0.0
    method = (
        f"{ROUNDS} alternating rounds of {ROUND_ORDERS} orders after {WARM_UP_ORDERS}, one client,"
        f" one book, {USERS} users, {fills:.2f} fills an order, fee and maker rebate on, client"
        f" order ids, {'pinned' if pinned else 'not pinned'}; equal books and an empty audit at"
        " the end. Ours: place_order in one pipelined flush, unprepared. Peer: Python matcher,"
        " SELECT FOR UPDATE, prepared statements for every fill, same tables"
    )
    return ours, peer, method


@figure
def single_orders(server: Postgres) -> Figure:
    """Orders a second, each in its own durable transaction."""
    ours, peer, method = _measure(server)
    count = ROUNDS * ROUND_ORDERS
    return Figure(
        name="single_orders",
        ours=count / ours.seconds,
        peer=count / peer.seconds,
        goal=3,
        unit="orders/s",
        better="higher",
        method=method,
        goal_is_ratio=True,
    )


@figure
def wal_per_order(server: Postgres) -> Figure:
    """Bytes of write-ahead log an order, full-page images included."""
    ours, peer, method = _measure(server)
    count = ROUNDS * ROUND_ORDERS
    return Figure(
        name="wal_per_order",
        ours=ours.wal_bytes / count,
        peer=peer.wal_bytes / count,
        goal=3584,
        unit="bytes",
        better="lower",
        method=f"pg_current_wal_insert_lsn around the rounds; {method}",
        goal_is_ratio=False,
    )
