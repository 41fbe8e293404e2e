"""One flow through two implementations in alternating rounds of one run.

Each has a market of its own in one database; afterwards the two books must be equal and
presage_audit() empty.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

import psycopg

from infra.bench.application_matcher import ApplicationMatcher
from infra.bench.cloud import CloudShape
from infra.bench.flow import (
    USERS,
    Place,
    Side,
    add_markets,
    add_users,
    check_audit,
    check_equal,
    fresh_database,
    number,
    pinned,
    place_in_one_flush,
)
from infra.bench.registry import Figure
from infra.local.postgres import Postgres


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much runs, and in which surroundings."""

    database: str
    rounds: int
    round_orders: int
    warm_up_orders: int
    batch: int = 1
    cloud: bool = False
    ours: Callable[[psycopg.Connection], Place] = place_in_one_flush


@dataclass(frozen=True)
class Duel:
    """What became of a plan."""

    plan: Plan
    ours: Side
    peer: Side
    method: str

    @property
    def count(self) -> int:
        """Orders measured on each side."""
        return self.plan.rounds * self.plan.round_orders

    def orders_per_second(self, name: str, goal: float, note: str) -> Figure:
        """Orders a second, each call in its own durable transaction."""
        return self.figure(
            name,
            self.count / self.ours.seconds,
            self.count / self.peer.seconds,
            goal,
            "orders/s",
            "higher",
            note,
        )

    def figure(
        self,
        name: str,
        ours: float,
        peer: float,
        goal: float,
        unit: str,
        better: Literal["higher", "lower"],
        note: str,
    ) -> Figure:
        """A figure of both sides; `higher` is judged by the ratio, `lower` by our own value."""
        return Figure(
            name=name,
            ours=ours,
            peer=peer,
            goal=goal,
            unit=unit,
            better=better,
            method=f"{note}; {self.method}",
            goal_is_ratio=better == "higher",
        )


def run(server: Postgres, plan: Plan) -> Duel:
    """Carry out a plan. Raises BenchError when the two did not do the same."""
    with ExitStack() as stack:
        url = stack.enter_context(fresh_database(server, plan.database))
        owner = stack.enter_context(psycopg.connect(url, autocommit=True))
        shape = stack.enter_context(CloudShape(server, plan.database)) if plan.cloud else server
        api = stack.enter_context(
            psycopg.connect(
                shape.url(plan.database, "presage_api"), autocommit=True, prepare_threshold=None
            )
        )
        application = stack.enter_context(
            psycopg.connect(shape.url(plan.database), autocommit=True)
        )
        users, markets = add_users(owner), add_markets(owner, 2)
        ours = Side(markets[0], plan.ours(api), batch=plan.batch)
        matcher = ApplicationMatcher(application)
        peer = Side(
            markets[1], lambda requests: [matcher.place(one) for one in requests], batch=plan.batch
        )
        with pinned(api.info.backend_pid, application.info.backend_pid) as is_pinned:
            for side in (ours, peer):
                side.run(owner, users, plan.warm_up_orders)
                side.forget()
            owner.execute("analyze")
            for turn in range(plan.rounds):
                for side in (ours, peer) if turn % 2 == 0 else (peer, ours):
                    side.run(owner, users, plan.round_orders)
        check_equal(owner, markets)
        check_audit(owner)
        fills = number(owner, "select count(*) from fills where market_id = %s", markets[0])
    told = (
        f"{plan.rounds} alternating rounds of {plan.round_orders} orders after"
        f" {plan.warm_up_orders}, one client, one book, {USERS} users,"
        f" {fills / ours.orders:.2f} fills an order, fee and maker rebate on, client order ids,"
        f" {'pinned' if is_pinned else 'not pinned'}; equal books and an empty audit at the end."
        " Peer: Python matcher, SELECT FOR UPDATE, prepared statements for every fill, same tables"
    )
    if isinstance(shape, CloudShape):
        told += f"; {shape.told}"
    return Duel(plan, ours, peer, told)
