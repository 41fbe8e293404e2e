"""A hundred votes to a counted tally, and a hundred due markets among a hundred thousand."""

import io
import os
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from threading import Barrier

import psycopg

from infra.bench import due_markets
from infra.bench.flow import BenchError, add_users, fresh_database, number
from infra.bench.registry import Figure, figure
from infra.local.postgres import Postgres
from presage.call import Actor, Call, Zone
from presage.db import connection
from presage.markets.upkeep import market_monitor
from presage.votes.aggregation import vote_aggregation
from presage.votes.models import VoteOnProposal
from presage.votes.service import vote_on_proposal
from presage.workflows.run import Run

VOTES = 100
CLIENTS = 16
MARKETS, DUE = 100_000, 100
GOAL_S = 5
PAGE = 1_000


@contextmanager
def _served(server: Postgres, name: str) -> Iterator[psycopg.Connection]:
    """A database that services of this process log in to; its owner."""
    with (
        fresh_database(server, name) as url,
        psycopg.connect(url, autocommit=True) as owner,
    ):
        names = {f"DATABASE_URL_{zone}": f"presage_{zone.lower()}" for zone in ("API", "WORKER")}
        before = {one: os.environ.get(one) for one in names}
        connection.close()
        os.environ |= {one: server.url(name, role) for one, role in names.items()}
        try:
            with redirect_stdout(io.StringIO()):  # metrics, which are no figures
                yield owner
        finally:
            connection.close()
            for one, value in before.items():
                os.environ.pop(one)
                if value is not None:
                    os.environ[one] = value


def _call(zone: Zone, user: uuid.UUID | None = None) -> Call:
    actor = user and Actor(user_id=user, address=str(user), role="user", session_hash=b"")
    return Call(
        zone=zone, now=datetime.now(UTC), request_id="bench", ip="127.0.0.1", actor=actor or None
    )


def _run(name: str) -> Run:
    call = _call("worker")
    return Run(id=uuid.uuid4(), name=name, slot=call.now, call=call)


def _propose(owner: psycopg.Connection) -> uuid.UUID:
    market = uuid.uuid4()
    owner.execute(
        "insert into markets (id, slug, question, state, closes_at, created_at, updated_at)"
        " values (%s, %s, 'bench', 'PROPOSED', now() + interval '1 day', now(), now())",
        (market, str(market)),
    )
    return market


def _vote_and_count(
    owner: psycopg.Connection, pool: ThreadPoolExecutor, people: list[uuid.UUID]
) -> float:
    """Seconds from the first vote to the tally that has them all and approved the market."""
    market = _propose(owner)
    request = VoteOnProposal(market_id=market, vote="like")

    def vote(user: uuid.UUID) -> None:
        vote_on_proposal(_call("api", user), request)

    began = time.perf_counter()
    list(pool.map(vote, people))
    counted = vote_aggregation(_run("vote_aggregation")).counts
    spent_s = time.perf_counter() - began
    counts = "select yes from aggregation_results where market_id = %s and passed"
    if counted["passed"] != 1 or number(owner, counts, market) != len(people):
        raise BenchError(f"the tally is another: {counted}")
    return spent_s


def _votes_s(owner: psycopg.Connection, people: list[uuid.UUID], clients: int) -> float:
    together = Barrier(clients)

    def close(_: int) -> None:
        together.wait()  # so that each thread closes its own
        connection.close()

    with ThreadPoolExecutor(clients) as pool:
        _vote_and_count(owner, pool, people)  # opens the connections
        spent_s = min(_vote_and_count(owner, pool, people) for _ in range(3))
        list(pool.map(close, range(clients)))
    return spent_s


@figure
def votes_to_tally(server: Postgres) -> Figure:
    """Seconds for a hundred votes at once on one market, and the count that has them all."""
    with _served(server, "bench_votes") as owner:
        people = add_users(owner, VOTES)
        ours, peer = (_votes_s(owner, people, clients) for clients in (CLIENTS, 1))
    return Figure(
        name="votes_to_tally",
        ours=ours,
        peer=peer,
        goal=GOAL_S,
        unit="s",
        better="lower",
        method=f"{VOTES} wallets like one market through the service, {CLIENTS} clients at once,"
        " then vote_aggregation counts them all and approves it; durable, the best of 3. Peer: the"
        " same by one client, a vote after the other",
        goal_is_ratio=False,
    )


def _scan(worker: psycopg.Connection) -> int:
    """The peer: look at every market, by pages, and move those that are due one by one."""
    moved, after, now = 0, uuid.UUID(int=0), datetime.now(UTC)
    while True:
        rows = worker.execute(
            "select id, state, venue, proposed_at, dispute_window_s from markets where id > %s"
            " order by id limit %s",
            (after, PAGE),
        ).fetchall()
        for market, state, venue, proposed_at, window_s in rows:
            if state != "RESOLVING" or venue != "native":
                continue
            if (now - proposed_at).total_seconds() >= window_s:
                worker.execute(
                    "select * from move_market(%s, 'FINALIZED', 'due', null, null, null, null,"
                    " 'bench', '127.0.0.1', %s)",
                    (market, now),
                )
                moved += 1
        if len(rows) < PAGE:
            return moved
        after = rows[-1][0]


@figure
def monitor_due_markets(server: Postgres) -> Figure:
    """Seconds for one run of the monitor that moves a hundred of a hundred thousand markets."""
    spent = {}
    for side in ("ours", "peer"):
        name = f"bench_monitor_{side}"
        with (
            _served(server, name) as owner,
            psycopg.connect(server.url(name, "presage_worker"), autocommit=True) as worker,
        ):
            due_markets.add_markets(owner, MARKETS, DUE, datetime.now(UTC))
            began = time.perf_counter()
            moved = (
                _scan(worker)
                if side == "peer"
                else market_monitor(_run("market_monitor")).counts["finalized"]
            )
            spent[side] = time.perf_counter() - began
            if moved != DUE:
                raise BenchError(f"{moved} of {DUE} markets moved")
    return Figure(
        name="monitor_due_markets",
        ours=spent["ours"],
        peer=spent["peer"],
        goal=GOAL_S,
        unit="s",
        better="lower",
        method=f"one run of market_monitor, which finds and finalizes {DUE} of {MARKETS} markets,"
        f" a durable transaction each. Peer: every market is read, {PAGE} a statement, and the due"
        " ones are moved as they are met",
        goal_is_ratio=False,
    )
