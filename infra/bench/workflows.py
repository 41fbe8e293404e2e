"""What the scheduled work costs as the platform grows: ten times as much in at most eleven times.

Each is one call of a function whose statements are set-based, so their number does not depend on
how many markets or followers there are. The peer is the same work at a tenth of the size, done ten
times over: a ratio of 10/11 is eleven times the time. The two take turns, so that both meet the
same machine. Postgres is warm and the processor's caches are not: a task that comes every few
minutes finds them full of something else, and a tenth that stays in them would compare memories.
"""

import contextlib
import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg

from infra.bench.flow import BenchError, fresh_database, number
from infra.bench.registry import Figure, figure
from infra.local.postgres import Postgres

TIMES = 10
MARKETS = 10_000
FOLLOWERS = 100_000
HOURS = 48
ROUNDS = 7
GOAL = 10 / 11
# What reads 48 bars of each market meets the processor's cache: the pages that it touches grow
# tenfold, the time by a quarter more.
BARS_GOAL = 10 / 14

# Larger than any processor's cache.
CHILL = "select length(repeat('x', 200000000))"

ADD_MARKETS = """
with added as (
    insert into markets (id, slug, question, state, tick_size_bps, closes_at, created_at,
        updated_at)
    select gen_random_uuid(), 'bench-' || n, 'bench', 'ACTIVE', 50, now() + interval '30 days',
           now(), now()
    from generate_series(1, %(markets)s::integer) as n
    returning id
)
insert into outcomes (market_id, outcome, label) select id, 0, 'YES' from added
"""
# Two levels a side; nobody's money stands behind them, which a snapshot does not ask for.
ADD_ORDERS = """
insert into orders (id, user_id, account_id, market_id, outcome, position, side, type, price_bps,
    size_lots, book_side, book_price_bps, status, is_open, remaining_lots, placed_status,
    created_at, updated_at)
select gen_random_uuid(), m.id, 1, m.id, 0, 'YES', 'BUY', 'GTC', 4800 + 100 * level, 100,
       case when level < 2 then 'bid' else 'ask' end, 4800 + 100 * level, 'open', true, 100, 'open',
       now(), now()
from markets as m
cross join generate_series(0, 3) as level
where not exists (select from orders as o where o.market_id = m.id)
"""
ADD_BARS = """
insert into price_bars
select m.id, 0, 3600, date_bin('1 hour', now(), 'epoch') - make_interval(hours => hour), 5000, 5500,
       4900, 5000 + 500 * (hour %% 2), 1, 1, 1
from markets as m
cross join generate_series(1, %(hours)s::integer) as hour
where not exists (select from price_bars as b where b.market_id = m.id)
"""
ADD_FOLLOWERS = """
with people as (
    insert into users (id, address, chain, created_at)
    select gen_random_uuid(), %(market)s::text || ':' || n, 'evm', now()
    from generate_series(1, %(followers)s::integer) as n
    returning id
)
insert into follows select id, %(market)s::uuid, true, true, true, now() from people
"""


@contextlib.contextmanager
def _worlds(
    server: Postgres, name: str
) -> Iterator[list[tuple[int, psycopg.Connection, psycopg.Connection]]]:
    """A tenth of the markets and all of them, a database each: their number, a worker, the owner.

    Each market has a book and two days of bars, whose moves are wild: at half a tick it is told.
    """
    with contextlib.ExitStack() as stack:
        made = []
        for markets in (MARKETS // TIMES, MARKETS):
            database = f"bench_{name}_{markets}"
            url = stack.enter_context(fresh_database(server, database))
            owner = stack.enter_context(psycopg.connect(url, autocommit=True))
            as_worker = server.url(database, "presage_worker")
            worker = stack.enter_context(psycopg.connect(as_worker, autocommit=True))
            owner.execute(ADD_MARKETS, {"markets": markets})
            owner.execute(ADD_ORDERS)
            owner.execute(ADD_BARS, {"hours": HOURS})
            owner.execute("vacuum analyze")
            made.append((markets, worker, owner))
        yield made


def _compare(
    name: str, method: str, owner: psycopg.Connection, tenth: Callable[[], float],
    whole: Callable[[], float], goal: float = GOAL,
) -> Figure:  # fmt: skip
    """Both do their work once and return the seconds; the medians of rounds that alternate."""
    tenths, wholes = [], []
    for number_ in range(ROUNDS + 1):
        owner.execute("checkpoint")
        ten_s = sum(tenth() for _ in range(TIMES))
        owner.execute("checkpoint")
        whole_s = whole()
        if number_:  # the first only warms up
            tenths.append(ten_s)
            wholes.append(whole_s)
    large_s, small_s = statistics.median(wholes), statistics.median(tenths)
    return Figure(
        name=name,
        ours=large_s,
        peer=small_s,
        goal=goal,
        unit="s",
        better="lower",
        method=f"{method}, {min(wholes):.3f} to {max(wholes):.3f} s. Peer: a tenth of them, ten"
        f" times, {min(tenths):.3f} to {max(tenths):.3f} s. Medians of {ROUNDS} rounds that"
        f" alternate; the goal is {TIMES / goal:.0f} times the time for ten times as many",
        goal_is_ratio=True,
    )


@figure
def price_snapshot(server: Postgres) -> Figure:
    """Seconds for the five-minute points of ten thousand markets."""
    slots = itertools.count(1)

    def snapshot(world: tuple[int, psycopg.Connection, psycopg.Connection]) -> float:
        markets, worker, _ = world
        moment = _now() + timedelta(minutes=5 * next(slots))
        worker.execute(CHILL)
        began = time.perf_counter()
        points = number(worker, "select snapshot_prices(%s)", moment)
        spent = time.perf_counter() - began
        if points != markets:
            raise BenchError(f"a slot has {points:.0f} points and not {markets}")
        return spent

    with _worlds(server, "snapshot") as (few, many):
        return _compare(
            "price_snapshot",
            f"snapshot_prices over {MARKETS} markets, four orders each",
            many[2],
            lambda: snapshot(few),
            lambda: snapshot(many),
        )


REOPEN = (
    "update orders set is_open = true, status = 'open', remaining_lots = size_lots",
    "update accounts set balance_micros = 1000000000000 where kind = 'market:orders'",
    "update markets set trading_status = 'open', closes_at = now() - interval '1 minute'",
    "truncate transfers, outbox",
    "vacuum analyze orders, accounts, markets",
)


@figure
def market_close_check(server: Postgres) -> Figure:
    """Seconds to release the orders of ten thousand markets that closed together, and halt them."""

    def tidy(world: tuple[int, psycopg.Connection, psycopg.Connection]) -> float:
        markets, worker, owner = world
        for statement in REOPEN:
            owner.execute(statement)
        worker.execute(CHILL)
        call = (
            "select cardinality(halted) + released from tidy_closed_markets('{}', 10000, 50000, %s)"
        )
        done = 0.0
        began = time.perf_counter()
        while chunk := number(worker, call, _now()):
            done += chunk
        spent = time.perf_counter() - began
        if done != 5 * markets:
            raise BenchError(f"{done:.0f} markets and orders were tidied and not {5 * markets}")
        return spent

    with _worlds(server, "closes") as (few, many):
        return _compare(
            "market_close_check",
            f"tidy_closed_markets over {MARKETS} markets, four orders each",
            many[2],
            lambda: tidy(few),
            lambda: tidy(many),
        )


@figure
def tick_adjustment(server: Postgres) -> Figure:
    """Seconds to measure the volatility of ten thousand markets and announce their ticks."""

    def announce(world: tuple[int, psycopg.Connection, psycopg.Connection]) -> float:
        markets, worker, owner = world
        owner.execute("truncate tick_changes, market_clarifications, outbox")
        worker.execute(CHILL)
        began = time.perf_counter()
        said = number(worker, "select announced from announce_tick_changes(%s)", _now())
        spent = time.perf_counter() - began
        if said != markets:
            raise BenchError(f"{said:.0f} of {markets} ticks were announced")
        return spent

    with _worlds(server, "ticks") as (few, many):
        return _compare(
            "tick_adjustment",
            f"announce_tick_changes for {MARKETS} markets that move",
            many[2],
            lambda: announce(few),
            lambda: announce(many),
            BARS_GOAL,
        )


@figure
def follower_notices(server: Postgres) -> Figure:
    """Seconds to tell a hundred thousand followers that their market closes, and its outcome."""

    def tell(market: UUID, followers: int, *, first: bool) -> float:
        if first:
            owner.execute("truncate notifications, outbox")
        owner.execute(
            "update markets set state = 'ACTIVE', closes_at = now() + interval '30 minutes'"
            " where id = %s",
            (market,),
        )
        owner.execute(
            "insert into outbox (topic, market_id, payload, created_at)"
            """ values ('market_state', %s, '{"newState": "FINALIZED"}', now())""",
            (market,),
        )
        worker.execute(CHILL)
        began = time.perf_counter()
        told = number(worker, "select notify_closing_markets(%s)", _now())
        worker.execute("select relay_outbox(100, 1, %s)", (_now(),))
        spent = time.perf_counter() - began
        kept = number(owner, "select count(*) from notifications where market_id = %s", market)
        if (told, kept) != (followers, 2 * followers):
            raise BenchError(f"{told:.0f} and {kept:.0f} of {followers} were told")
        owner.execute("update markets set state = 'CANCELLED' where id = %s", (market,))
        return spent

    with (
        fresh_database(server, "bench_followers") as url,
        psycopg.connect(url, autocommit=True) as owner,
        psycopg.connect(server.url("bench_followers", "presage_worker"), autocommit=True) as worker,
    ):
        owner.execute(ADD_MARKETS, {"markets": TIMES + 1})
        owner.execute("update markets set state = 'CANCELLED'")
        large, *small = [row[0] for row in owner.execute("select id from markets").fetchall()]
        for market, followers in (
            (large, FOLLOWERS),
            *((one, FOLLOWERS // TIMES) for one in small),
        ):
            owner.execute(ADD_FOLLOWERS, {"market": str(market), "followers": followers})
        owner.execute("vacuum analyze")
        turn = itertools.cycle(small)
        return _compare(
            "follower_notices",
            f"notify_closing_markets and relay_outbox for {FOLLOWERS} followers",
            owner,
            lambda: tell(one := next(turn), FOLLOWERS // TIMES, first=one == small[0]),
            lambda: tell(large, FOLLOWERS, first=True),
        )


def _now() -> datetime:
    return datetime.now(UTC)
