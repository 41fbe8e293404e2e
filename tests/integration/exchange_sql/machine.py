"""A hypothesis machine that does everything traders and workflows do, crashes included.

After every step the audit is empty; at the end the market closes and is settled by a vector drawn
before, and the escrow is empty: whatever happened, every promise was covered.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar
from uuid import UUID

import psycopg
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from tests.integration.exchange_sql.exchange import Exchange

CASH = 60_000_000
LABELS = ("Dhaka", "Khulna", "OTHER")
EXPECTED = {"PR400", "PR402", "PR410", "PR422"}
# Where a call is stopped and killed: tables in the order in which the calls write them.
TABLES = [
    "orders",
    "transfers",
    "accounts",
    "fills",
    "positions",
    "price_bars",
    "market_counters",
    "order_batches",
    "share_operations",
    "idempotency_keys",
    "outbox",
]
STATE = (
    "select (select sum(hashtext(a::text)::bigint) from accounts a),"
    " (select sum(hashtext(o::text)::bigint) from orders o),"
    " (select sum(hashtext(p::text)::bigint) from positions p),"
    " (select count(*) from transfers), (select count(*) from fills),"
    " (select count(*) from outbox), (select count(*) from idempotency_keys),"
    " (select count(*) from order_batches)"
)

users = st.integers(0, 2)
outcomes = st.integers(0, 2)
orders = st.fixed_dictionaries(
    {
        "outcome": outcomes,
        "position": st.sampled_from(["YES", "NO"]),
        "side": st.sampled_from(["BUY", "BUY", "SELL"]),
        "type": st.sampled_from(["GTC", "GTC", "GTC", "GTD", "FAK", "FOK"]),
        "price": st.sampled_from([3000, 4500, 5000, 5500, 7000]),
        "size": st.sampled_from([100, 150, 300, 700]),
        "stp": st.sampled_from(["cancel_taker", "cancel_maker", "cancel_both"]),
    }
)
changes = st.tuples(
    st.sampled_from(["split", "merge", "convert", "complete", "redeem"]),
    outcomes,
    st.sampled_from([50, 100, 333]),
)
# Shares that need not divide: thirds and nothing at all.
vectors = st.sampled_from([[10_000, 0, 0], [0, 0, 10_000], [3334, 3333, 3333], [1, 9998, 1]])


class TradingMachine(RuleBasedStateMachine):
    """Three people and one exhaustive market of three outcomes, with fees and rebates.

    A subclass names the exchange. `killed` counts, by table, the calls that died before writing it.
    """

    exchange: ClassVar[Exchange]
    killed: ClassVar[Counter[str]]

    def __init__(self) -> None:
        super().__init__()
        exchange = self.exchange
        self.watcher = exchange.database.connect()
        self.users = [exchange.user(CASH) for _ in range(3)]
        self.now = datetime.now(UTC)
        self.placed: list[tuple[UUID, UUID]] = []
        self.market = UUID(int=0)
        self.vector: list[int] = []

    @initialize(fee_bps=st.sampled_from([0, 333]), vector=vectors)
    def open(self, fee_bps: int, vector: list[int]) -> None:
        """A market that everybody holds something of."""
        self.vector = vector
        self.market = self.exchange.market(
            labels=LABELS, is_exhaustive=True, fee_bps=fee_bps, maker_rebate_bps=2500
        )
        for number, user in enumerate(self.users):
            self.exchange.change(user, self.market, "split", number, 500)
            self.exchange.change(user, self.market, "complete", None, 200)
        for outcome in range(3):  # bids at 0.45 and asks at 0.55 and 0.70 to trade against
            for offer, user in enumerate(self.users[:2]):
                order = {"outcome": outcome, "price": 4500, "size": 300}
                self.exchange.place(user, self.market, position=("YES", "NO")[offer], **order)
            sale = {"outcome": outcome, "side": "SELL", "price": 7000, "size": 300}
            self.exchange.place(self.users[outcome], self.market, **sale)

    @rule(drawn=st.lists(st.tuples(users, orders), min_size=3, max_size=8))
    def place(self, drawn: list[tuple[int, dict[str, Any]]]) -> None:
        """A few orders."""
        for user, order in drawn:
            self._try(partial(self._place, self.users[user], order))

    @rule(user=users, drawn=st.lists(orders, min_size=2, max_size=5), atomic=st.booleans())
    def place_batch(self, user: int, drawn: list[dict[str, Any]], *, atomic: bool) -> None:
        """A bet slip."""
        slip = self._slip(self.users[user], drawn, atomic=atomic)
        placed = [order for order in slip.orders if order["status"] != "rejected"]
        assert slip.status == (
            "completed" if len(placed) == len(drawn) else "partial" if placed else "failed"
        )
        self.placed += [(self.users[user], UUID(order["order_id"])) for order in placed]

    @precondition(lambda self: self.placed)
    @rule(number=st.integers(0, 50), size=st.sampled_from([100, 150, 200]))
    def amend(self, number: int, size: int) -> None:
        """Lower one of the orders placed so far."""
        user, order = self.placed[number % len(self.placed)]
        self._try(lambda: self.exchange.amend(user, order, size))

    @precondition(lambda self: self.placed)
    @rule(number=st.integers(0, 50))
    def cancel(self, number: int) -> None:
        """Cancel one of the orders placed so far."""
        user, order = self.placed[number % len(self.placed)]
        self._try(lambda: self.exchange.cancel(user, order))

    @rule(user=users)
    def cancel_all(self, user: int) -> None:
        """The kill switch."""
        self.exchange.people[self.users[user]].execute(
            "select cancel_orders(%s, %s)", (self.market, self.now)
        )

    @rule(user=users, change=changes)
    def change(self, user: int, change: tuple[str, int, int]) -> None:
        """Make or unmake shares."""
        self._try(lambda: self._change(self.users[user], change))

    @rule()
    def expire(self) -> None:
        """Two minutes pass, and the workflow tidies up."""
        self.now += timedelta(minutes=2)
        while self.exchange.work("select expire_orders(2, %s)", self.now)[0][0]:
            pass

    @rule()
    def sweep_fees(self) -> None:
        """Fees go to the platform."""
        self.exchange.work("select * from sweep_fees(10, %s)", self.now)

    @rule(user=users, order=orders, table=st.sampled_from(TABLES))
    def crash_an_order(self, user: int, order: dict[str, Any], table: str) -> None:
        """Its backend dies before it writes a table."""
        self._crash(table, self.users[user], lambda: self._place(self.users[user], order))

    @rule(user=users, drawn=st.lists(orders, min_size=2, max_size=5), table=st.sampled_from(TABLES))
    def crash_a_slip(self, user: int, drawn: list[dict[str, Any]], table: str) -> None:
        """Its backend dies before it writes a table."""
        who = self.users[user]
        self._crash(table, who, lambda: self._slip(who, drawn, atomic=False))

    @rule(user=users, change=changes, table=st.sampled_from(TABLES))
    def crash_a_change(self, user: int, change: tuple[str, int, int], table: str) -> None:
        """Its backend dies before it writes a table."""
        self._crash(table, self.users[user], lambda: self._change(self.users[user], change))

    @invariant()
    def sound(self) -> None:
        """Nothing that must hold is broken."""
        assert self.exchange.audit() == []

    def teardown(self) -> None:
        """Close, settle one holder a call, and find nothing left over."""
        if self.market.int:
            self._compare_methods()
            self._settle()
            self._compare_methods()
        self.watcher.close()
        for user in self.users:
            self.exchange.people.pop(user).close()

    def _compare_methods(self) -> None:
        """Average cost and first in, first out tell one story of shares and of money."""
        for user in self.users:
            kept = self.exchange.rows(
                "select outcome, position, held_lots, cost_micros - realised_micros as spent"
                " from positions where user_id = %s",
                user,
            )
            told = self.exchange.people[user].execute(
                "select outcome, position, held_lots, cost_micros - realised_micros"
                " from fifo_positions(%s)",
                (self.market,),
            )
            shares = {(row[0], row[1]): (row[2], row[3]) for row in told}
            assert {key: held for key, (held, _spent) in shares.items()} == {
                (row["outcome"], row["position"]): row["held_lots"] for row in kept
            }
            assert sum(spent for _held, spent in shares.values()) == sum(
                row["spent"] for row in kept
            )

    def _settle(self) -> None:
        self.exchange.owner.execute(
            "update markets set closes_at = now(), state = 'FINALIZED', final_payout_bps = %s"
            " where id = %s",
            (self.vector, self.market),
        )
        done = False
        while not done:
            done = self.exchange.work(
                "select done from settle_market(%s, 2, %s)", self.market, self.now
            )[0].done
            self.sound()
        for kind in ("market:escrow", "market:orders"):
            assert self.exchange.account(self.market, kind) == 0

    def _try(self, call: Callable[[], object]) -> None:
        try:
            call()
        except psycopg.Error as error:
            assert error.sqlstate in EXPECTED, error  # noqa: PT017 - any other is a failure

    def _expiry(self, order: dict[str, Any]) -> datetime | None:
        return self.now + timedelta(seconds=90) if order["type"] == "GTD" else None

    def _place(self, user: UUID, order: dict[str, Any]) -> None:
        row = self.exchange.place(
            user, self.market, now=self.now, expires_at=self._expiry(order), **order
        )
        self.placed.append((user, row.order_id))

    def _slip(self, user: UUID, drawn: list[dict[str, Any]], *, atomic: bool) -> Any:
        batch = []
        for order in drawn:
            expiry = self._expiry(order)
            batch.append(
                {
                    "market_id": str(self.market),
                    "outcome": order["outcome"],
                    "position": order["position"],
                    "side": order["side"],
                    "type": order["type"],
                    "price_bps": order["price"],
                    "size_lots": order["size"],
                    "self_trade_prevention": order["stp"],
                    "expires_at": expiry.isoformat() if expiry else None,
                }
            )
        mode = "atomic" if atomic else "independent"
        return self.exchange.place_batch(user, batch, mode=mode, now=self.now)

    def _change(self, user: UUID, change: tuple[str, int, int]) -> None:
        kind, outcome, size = change
        whole = kind in {"complete", "redeem"}
        self.exchange.change(user, self.market, kind, None if whole else outcome, size)

    def _crash(self, table: str, user: UUID, call: Callable[[], object]) -> None:
        """Make a call wait before it writes a table, and kill its backend there."""
        exchange = self.exchange
        pid = exchange.people[user].info.backend_pid
        before = exchange.rows(STATE)
        errors: list[str | None] = []

        def run() -> None:
            try:
                call()
            except psycopg.Error as error:
                errors.append(error.sqlstate)

        with exchange.owner.transaction():
            exchange.owner.execute(f"lock table {table} in share mode")
            thread = threading.Thread(target=run)
            thread.start()
            killed = False
            while thread.is_alive() and not killed:
                killed = self._kill_if_waiting(pid)
            thread.join()
        if killed:
            self.killed[table] += 1
            exchange.people[user].close()
            exchange.people[user] = exchange.database.connect(
                "presage_api", presage__user_id=str(user)
            )
            assert exchange.rows(STATE) == before
        else:
            assert set(errors) <= EXPECTED

    def _kill_if_waiting(self, pid: int) -> bool:
        waiting = self.watcher.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where pid = %s and wait_event_type = 'Lock'",
            (pid,),
        ).fetchone()
        if waiting is None:
            time.sleep(0.001)
            return False
        return True
