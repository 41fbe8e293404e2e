"""Several clients at once: does matching spread over markets, and does it ever deadlock?"""

import multiprocessing
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from random import Random
from statistics import median
from typing import Literal
from uuid import UUID

import psycopg

from infra.bench.application_matcher import ApplicationMatcher
from infra.bench.flow import (
    FULL,
    SEED,
    Place,
    Side,
    add_markets,
    add_users,
    check_audit,
    fresh_database,
    keep_on,
    number,
    place_in_one_flush,
)
from infra.bench.registry import Figure, figure
from infra.local.postgres import Postgres

MARKETS = 50
CLIENTS = 4
PEOPLE = 1_000  # of 20 some pair always waits for each other's account, whatever the market
CLIENT_ORDERS = 3_000 if FULL else 600
TURNS = 5
WARM_UP_ORDERS = 100
CROWD = 16
CROWD_ORDERS = 100_000 if FULL else 10_000
CROWD_PEER_ORDERS = 1_600  # every deadlock costs it a second
COMMIT_DELAY_US = 1_000
_START_TIMEOUT_S = 120

type Way = Literal["ours", "application"]

_spawn = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Job:
    """What one client process does: `orders` of a flow of its own, spread over the markets."""

    url: str
    way: Way
    seed: int
    markets: list[UUID]
    users: list[UUID]
    orders: int
    processor: int | None = None  # client and server both stay there


@dataclass(frozen=True)
class Done:
    """When a client began and ended (on the machine's monotonic clock), and its deadlocks."""

    began: float
    ended: float
    deadlocks: int


def _work(job: Job, barrier: Barrier, results: "Queue[Done]") -> None:
    threshold = None if job.way == "ours" else 5
    with psycopg.connect(job.url, autocommit=True, prepare_threshold=threshold) as connection:
        if job.processor is not None:
            keep_on(job.processor, connection)
        place = _placing(job.way, connection)
        sides = [Side(market, place, seed=job.seed + i) for i, market in enumerate(job.markets)]
        Random(job.seed).shuffle(sides)  # noqa: S311 - clients must not walk in step
        _place(sides, job.users, WARM_UP_ORDERS)
        barrier.wait(_START_TIMEOUT_S)
        began = time.monotonic()
        deadlocks = _place(sides, job.users, job.orders)
        results.put(Done(began, time.monotonic(), deadlocks))


def _placing(way: Way, connection: psycopg.Connection) -> Place:
    if way == "ours":
        return place_in_one_flush(connection)
    matcher = ApplicationMatcher(connection)
    return lambda requests: [matcher.place(one) for one in requests]


def _place(sides: list[Side], users: list[UUID], orders: int) -> int:
    """Place orders, market by market in turn; how many a deadlock threw away."""
    deadlocks = 0
    for turn in range(orders):
        side = sides[turn % len(sides)]
        try:
            side.place(side.requests(users))
        except psycopg.errors.DeadlockDetected:
            deadlocks += 1
    return deadlocks


def _together(make: Callable[[int], Job], clients: int) -> list[Done]:
    """Run client processes that start at one moment. Raises RuntimeError when one failed."""
    barrier, results = _spawn.Barrier(clients), _spawn.Queue()
    processes = [
        _spawn.Process(target=_work, args=(make(client), barrier, results), daemon=True)
        for client in range(clients)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise RuntimeError("a client of the benchmark failed")
    return [results.get() for _ in processes]


@figure
def orders_over_markets(server: Postgres) -> Figure:
    """Orders a second by four clients on fifty markets, against one client on one book."""
    with ExitStack() as stack:
        url = stack.enter_context(fresh_database(server, "bench_parallel"))
        owner = stack.enter_context(psycopg.connect(url, autocommit=True))
        users, markets = add_users(owner, PEOPLE), add_markets(owner, MARKETS + 1)
        api = server.url("bench_parallel", "presage_api")
        processors = sorted(os.sched_getaffinity(0))

        def job(turn: int, client: int, over: list[UUID]) -> Job:
            seed = SEED + 100_000 * turn + 1_000 * client
            processor = processors[client % len(processors)]
            return Job(api, "ours", seed, over, users, CLIENT_ORDERS, processor)

        rates: dict[int, list[float]] = {1: [], CLIENTS: []}
        for turn in range(TURNS):
            for clients, over in ((1, markets[:1]), (CLIENTS, markets[1:])):
                done = _together(partial(job, turn, over=over), clients)
                spent = max(one.ended for one in done) - min(one.began for one in done)
                rates[clients].append(clients * CLIENT_ORDERS / spent)
        check_audit(owner)
    return Figure(
        name="orders_over_markets",
        ours=median(rates[CLIENTS]),
        peer=median(rates[1]),
        goal=1.5,
        unit="orders/s",
        better="higher",
        method=f"the median of {TURNS} alternating turns; {CLIENTS} client processes on {MARKETS}"
        f" markets, {CLIENT_ORDERS} orders each after"
        f" {WARM_UP_ORDERS}, {len(users)} users in common, fee and maker rebate on, a client and"
        " its server kept on one processor; an empty audit at the end. Peer: one such client on one"
        " book",
        goal_is_ratio=True,
    )


@figure
def deadlocks(server: Postgres) -> Figure:
    """Deadlocks of a crowd that credits each other's accounts, commits taking 1 ms more."""
    counts: dict[Way, float] = {}
    plans: tuple[tuple[Way, str, int], ...] = (
        ("ours", "presage_api", CROWD_ORDERS),
        ("application", "postgres", CROWD_PEER_ORDERS),
    )
    for way, role, orders in plans:
        name = f"bench_crowd_{way}"
        with ExitStack() as stack:
            url = stack.enter_context(fresh_database(server, name))
            owner = stack.enter_context(psycopg.connect(url, autocommit=True))
            for setting, value in (("commit_delay", COMMIT_DELAY_US), ("commit_siblings", 0)):
                owner.execute(f"alter database {name} set {setting} = {value}")
            users, markets = add_users(owner), add_markets(owner, MARKETS)

            def crowd(
                client: int,
                url: str = server.url(name, role),
                way: Way = way,
                users: list[UUID] = users,
                markets: list[UUID] = markets,
                orders: int = orders,
            ) -> Job:
                seed = SEED + 1_000 * (client + 1)
                return Job(url, way, seed, markets, users, orders // CROWD)

            _together(crowd, CROWD)
            check_audit(owner)
            counts[way] = number(
                owner, "select deadlocks from pg_stat_database where datname = %s", name
            )
    scale = CROWD_ORDERS / CROWD_PEER_ORDERS
    return Figure(
        name="deadlocks",
        ours=counts["ours"],
        peer=counts["application"] * scale,
        goal=0,
        unit=f"in {CROWD_ORDERS} orders",
        better="lower",
        method=f"{CROWD} client processes, {MARKETS} markets, {len(users)} users in common, maker"
        f" rebates on, commit_delay = {COMMIT_DELAY_US} us, counted by pg_stat_database; empty"
        f" audits. Peer: the application-side matcher, {counts['application']:.0f} in"
        f" {CROWD_PEER_ORDERS} orders, scaled",
        goal_is_ratio=False,
    )
