"""What workflows do to markets: tidy the closed, snapshot prices, finalize the due, pay holders.

Every loop is cut into short transactions, stops when the run is out of time, and goes on from what
the database says is left: no cursor can be wrong, and a killed run loses nothing.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from presage import metrics
from presage.call import Call
from presage.chain import readiness
from presage.db import connection
from presage.db.queries import beside
from presage.errors import PresageError
from presage.markets import lifecycle
from presage.notifications import service as notifications
from presage.ops import alerts
from presage.workflows.run import Outcome, Run

MARKETS_PER_LOOK = 200
ORDERS_PER_RELEASE = 500
MARKETS_PER_TIDY = 10_000
ORDERS_PER_TIDY = 50_000
HOLDERS_PER_PAYOUT = 500
# What the machine should have done within ten minutes, and anybody within thirty days.
OVERDUE_S = 600
STUCK_S = 2_592_000
ALERTS_PER_RUN = 100
LETTERS_LEFT = 10_000
_queries = beside(__file__)


@dataclass(frozen=True)
class _Id:
    id: uuid.UUID


@dataclass(frozen=True)
class _Count:
    count: int


@dataclass(frozen=True)
class _Done:
    done: bool


@dataclass(frozen=True)
class _Tidied:
    halted: list[uuid.UUID]
    released: int


@dataclass(frozen=True)
class _Settled:
    paid_users: int
    paid_micros: int
    released_orders: int
    done: bool


@dataclass(frozen=True)
class _WaitingMarket:
    id: uuid.UUID
    slug: str
    state: str
    is_overdue: bool


@dataclass(frozen=True)
class RuledMarket:
    """A market that a price decides."""

    id: uuid.UUID
    slug: str
    resolution_rule: dict[str, Any]


def market_close_check(run: Run) -> Outcome:
    """Tell followers what closes soon; release orders of markets past their close, halt them.

    All together, in a number of statements that does not grow with the markets. Where one of them
    breaks that, and in what others hold just now, one by one.
    """
    told = notifications.notify_closing_markets(run.call)
    halted = released = 0
    try:
        halted, released = _tidy_together(run)
    except (PresageError, psycopg.Error):
        metrics.count("TidiedOneByOne")

    def tidy(market_id: uuid.UUID) -> bool:
        nonlocal released
        while not run.out_of_time:
            params = {"market_id": market_id, "limit": ORDERS_PER_RELEASE, "now": run.call.now}
            chunk = connection.fetch_one(
                run.call, _queries["release_market_orders"], _Count, params
            )
            if chunk is None or chunk.count == 0:
                break
            released += chunk.count
        done = connection.fetch_one(
            run.call,
            _queries["halt_closed_market"],
            _Done,
            {"market_id": market_id, "now": run.call.now},
        )
        run.call.changed_tags.append(f"market:{market_id}")
        return done is not None and done.done

    halted += _each(run, "list_closed_markets", tidy)
    return _outcome(run, told=told, closed=halted, releasedOrders=released)


def _tidy_together(run: Run) -> tuple[int, int]:
    """Tidy closed markets in large chunks: how many were halted, and how many orders released."""
    halted = released = 0
    params = {
        "except": [market_id for market_id in run.waiting if run.skips(market_id)],
        "markets": MARKETS_PER_TIDY,
        "orders": ORDERS_PER_TIDY,
        "now": run.call.now,
    }
    while not run.out_of_time:
        chunk = connection.fetch_one(run.call, _queries["tidy_closed_markets"], _Tidied, params)
        if chunk is None or not (chunk.halted or chunk.released):
            break
        halted += len(chunk.halted)
        released += chunk.released
        run.call.changed_tags.extend(f"market:{market_id}" for market_id in chunk.halted)
    return halted, released


def price_snapshot(run: Run) -> Outcome:
    """Write a price point for every active outcome, in one statement."""
    row = connection.fetch_one(run.call, _queries["snapshot_prices"], _Count, {"now": run.call.now})
    return Outcome(counts={"points": row.count if row else 0})


def market_monitor(run: Run) -> Outcome:
    """Finalize the markets whose dispute window, or whose dispute's three days of votes, are over.

    On Solana a transaction is sent, and the chain's answer moves the market. Cancels what was to be
    created there and never was, and tells of those that do not move.
    """

    def finalize(market_id: uuid.UUID) -> bool:
        lifecycle.move(run.call, market_id, "FINALIZED", reason="The dispute window is over.")
        return True

    def conclude(market_id: uuid.UUID) -> bool:
        lifecycle.conclude_dispute(run.call, market_id)
        return True

    def cancel(market_id: uuid.UUID) -> bool:
        lifecycle.move(run.call, market_id, "CANCELLED", reason="Nobody created it on Solana.")
        return True

    finalized = _each(run, "list_due_markets", finalize)
    concluded = _each(run, "list_due_disputes", conclude)
    sent = _finalize_on_chain(run)
    cancelled = _each(run, "list_unsigned_proposals", cancel)
    # What was sent to the chain counts when it is final there.
    metrics.count("Transitions", finalized + concluded + cancelled)
    metrics.count("TransitionFailures", len(run.failures))
    _tell_of_waiting(run)
    return _outcome(run, finalized=finalized, concluded=concluded, sent=sent, cancelled=cancelled)


def _finalize_on_chain(run: Run) -> int:
    """The due markets on Solana; how many were sent.

    Where the platform can send nothing they wait, and so do their dead letters.
    """
    if not readiness.can_send():
        params = {"now": run.call.now, "limit": LETTERS_LEFT}
        query = _queries["list_due_letters_on_chain"]
        untried = connection.fetch_all(run.call, query, _Id, params)
        run.skipped.update(str(row.id) for row in untried)
        return 0
    from presage.chain import finalizing

    return finalizing.finalize_due(run)


def settle_market(run: Run) -> Outcome:
    """Pay the holders of final markets, a chunk a transaction, each holder once."""
    paid = paid_micros = 0

    def settle(market_id: uuid.UUID) -> bool:
        nonlocal paid, paid_micros
        while not run.out_of_time:
            params = {"market_id": market_id, "limit": HOLDERS_PER_PAYOUT, "now": run.call.now}
            chunk = connection.fetch_one(run.call, _queries["settle_market"], _Settled, params)
            if chunk is None:
                return False
            paid += chunk.paid_users
            paid_micros += chunk.paid_micros
            if chunk.done:
                run.call.changed_tags.append(f"market:{market_id}")
                return True
        return False

    settled = _each(run, "list_unsettled_markets", settle)
    return _outcome(run, settled=settled, paidUsers=paid, paidMicros=paid_micros)


def list_undecided(call: Call, limit: int) -> list[RuledMarket]:
    """Closed markets whose rule has not been applied, oldest close first."""
    params = {"now": call.now, "limit": limit}
    return connection.fetch_all(call, _queries["list_undecided_markets"], RuledMarket, params)


def list_closing_rules(call: Call, within: timedelta, limit: int) -> list[RuledMarket]:
    """Active markets with a rule that close soon."""
    until: datetime = call.now + within
    params = {"now": call.now, "until": until, "limit": limit}
    return connection.fetch_all(call, _queries["list_closing_rules"], RuledMarket, params)


def _tell_of_waiting(run: Run) -> None:
    """Raise an alert for each market that should have moved, by itself or by a human's decision."""
    params = {
        "now": run.call.now,
        "overdue_s": OVERDUE_S,
        "stuck_s": STUCK_S,
        "limit": ALERTS_PER_RUN,
    }
    waiting = connection.fetch_all(
        run.call, _queries["list_waiting_markets"], _WaitingMarket, params
    )
    raised = [
        alerts.statement(
            run.call,
            "transition_overdue" if market.is_overdue else "stuck_market",
            {"marketId": str(market.id), "slug": market.slug, "state": market.state},
            str(market.id),
        )
        for market in waiting
    ]
    if raised:
        connection.run(run.call, raised)
    metrics.count("StuckMarkets", len(waiting))


def _each(run: Run, listing: str, work: Callable[[uuid.UUID], bool]) -> int:
    """Do `work` for every listed market until none or no time is left; one's failure stops none."""
    done = 0
    failed: set[uuid.UUID] = set()  # or left alone
    while not run.out_of_time:
        params = {
            "now": run.call.now,
            "stuck_s": STUCK_S,
            "limit": MARKETS_PER_LOOK + len(failed),
        }
        rows = connection.fetch_all(run.call, _queries[listing], _Id, params)
        fresh = [row.id for row in rows if row.id not in failed]
        if not fresh:
            break
        for market_id in fresh:
            if run.out_of_time:
                break
            if run.skips(str(market_id)):
                failed.add(market_id)
                continue
            try:
                finished = work(market_id)
            except (PresageError, psycopg.Error) as error:
                run.fail(str(market_id), error)
                finished = False
            if finished:
                done += 1
            else:
                failed.add(market_id)
    return done


def _outcome(run: Run, **counts: int) -> Outcome:
    """What was done; a run that ran out of time goes on in another slice."""
    return Outcome(counts=counts, next_cursor={"more": True} if run.out_of_time else None)
