"""A database with people and markets in it, spoken to as the handlers speak to it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Self
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import dict_row, namedtuple_row
from psycopg.types.json import Jsonb

from tests.conftest import Database

PLACE = """
select * from place_order(
    %(market)s, %(outcome)s::smallint, %(position)s, %(side)s, %(type)s, %(price)s, %(size)s,
    %(amount)s, %(post_only)s, %(stp)s, %(client_order_id)s, %(request_hash)s, %(order_id)s,
    %(now)s, %(expires_at)s)
"""
DEFAULTS: dict[str, Any] = {
    "outcome": 0,
    "position": "YES",
    "side": "BUY",
    "type": "GTC",
    "price": 5000,
    "size": 100,
    "amount": None,
    "post_only": False,
    "stp": "cancel_taker",
    "client_order_id": None,
    "request_hash": None,
    "expires_at": None,
}


class Placed(NamedTuple):
    """The row place_order answers."""

    order_id: UUID
    status: str
    size_lots: int
    filled_lots: int
    remaining_lots: int
    cost_micros: int
    fee_micros: int
    average_price_bps: Any
    fills: list[dict[str, Any]]
    created_at: datetime
    replayed: bool


class Slip(NamedTuple):
    """The row place_orders answers."""

    batch_id: UUID
    status: str
    mode: str
    orders: list[dict[str, Any]]
    created_at: datetime
    replayed: bool


class Changed(NamedTuple):
    """The row change_shares answers."""

    operation_id: UUID
    market_id: UUID
    kind: str
    outcome: int | None
    size_lots: int
    amount_micros: int
    created_at: datetime
    replayed: bool


class Refusal(NamedTuple):
    """What a refused call said: SQLSTATE and field."""

    code: str | None
    column: str | None


def refusal(error: psycopg.Error) -> Refusal:
    """Our code and field of a database error."""
    return Refusal(error.sqlstate, error.diag.column_name)


@dataclass
class Exchange:
    """Makes users and markets; each user speaks on a presage_api connection of its own."""

    database: Database
    owner: psycopg.Connection
    worker: psycopg.Connection
    people: dict[UUID, psycopg.Connection] = field(default_factory=dict)

    @classmethod
    def at(cls, database: Database) -> Self:
        """An exchange in a database, with its owner's and a worker's connection."""
        return cls(database, database.connect(), database.connect("presage_worker"))

    def close(self) -> None:
        """Close every connection."""
        for connection in (self.owner, self.worker, *self.people.values()):
            connection.close()

    def user(self, cash_micros: int = 1_000_000_000, *, closed_only: bool = False) -> UUID:
        """A new user with money deposited."""
        user = uuid4()
        self.owner.execute(
            "insert into users (id, address, chain, closed_only, created_at)"
            " values (%s, %s, 'evm', %s, now())",
            (user, str(user), closed_only),
        )
        self.people[user] = self.database.connect("presage_api", presage__user_id=str(user))
        if cash_micros:
            self.deposit(user, cash_micros)
        return user

    def deposit(self, user: UUID, micros: int, reference: str | None = None) -> int:
        """Money from outside; returns the transfer's id."""
        return int(
            self.one(
                "select post_transfer('external', null, 'user:cash', %s, null, %s, 'deposit',"
                " %s, now())",
                user,
                micros,
                reference or str(uuid4()),
            )
        )

    def market(self, *, labels: tuple[str, ...] = ("YES",), **columns: Any) -> UUID:
        """A new ACTIVE market that closes tomorrow; keyword arguments set columns."""
        market = uuid4()
        now = datetime.now(UTC)
        row = {
            "id": market,
            "slug": str(market),
            "question": "Will it rain?",
            "state": "ACTIVE",
            "market_type": "binary" if len(labels) == 1 else "multi_outcome",
            "closes_at": now + timedelta(days=1),
            "created_at": now,
            "updated_at": now,
        } | columns
        names = ", ".join(row)
        places = ", ".join(f"%({name})s" for name in row)
        self.owner.execute(f"insert into markets ({names}) values ({places})", row)  # noqa: S608
        for number, label in enumerate(labels):
            self.owner.execute(
                "insert into outcomes (market_id, outcome, label) values (%s, %s, %s)",
                (market, number, label),
            )
        return market

    def place(self, user: UUID, market: UUID, **fields: Any) -> Placed:
        """place_order by a user; DEFAULTS fill the rest."""
        order = {"order_id": uuid4(), "now": datetime.now(UTC), "market": market}
        cursor = self.people[user].execute(PLACE, DEFAULTS | order | fields)
        rows = cursor.fetchall()
        assert len(rows) == 1
        return Placed(*rows[0])

    def place_batch(
        self,
        user: UUID,
        orders: list[dict[str, Any]],
        *,
        mode: str = "independent",
        key: str | None = None,
        request_hash: bytes = b"h" * 32,
        now: datetime | None = None,
    ) -> Slip:
        """place_orders by a user."""
        cursor = self.people[user].execute(
            "select * from place_orders(%s, %s, %s, %s, %s, %s)",
            (
                mode,
                Jsonb(orders),
                key or str(uuid4()),
                request_hash,
                uuid4(),
                now or datetime.now(UTC),
            ),
        )
        rows = cursor.fetchall()
        assert len(rows) == 1
        return Slip(*rows[0])

    def refused(self, user: UUID, market: UUID, **fields: Any) -> Refusal:
        """What place_order says when it refuses."""
        try:
            placed = self.place(user, market, **fields)
        except psycopg.Error as error:
            return refusal(error)
        raise AssertionError(f"accepted: {placed}")

    def hand_out(self, market: UUID, yes: UUID, no: UUID, lots: int = 1000) -> None:
        """Mint shares at 0.50: YES to one user, NO to the other."""
        self.place(yes, market, size=lots)
        self.place(no, market, position="NO", size=lots)

    def cancel(self, user: UUID, order_id: UUID) -> tuple[Any, ...]:
        """cancel_order by a user."""
        cursor = self.people[user].execute("select * from cancel_order(%s, now())", (order_id,))
        row = cursor.fetchone()
        assert row is not None
        return row

    def change(
        self,
        user: UUID,
        market: UUID,
        kind: str,
        outcome: int | None,
        size: int,
        *,
        key: str | None = None,
        request_hash: bytes = b"h" * 32,
    ) -> Changed:
        """change_shares by a user."""
        cursor = self.people[user].execute(
            "select * from change_shares(%s, %s, %s::smallint, %s, %s, %s, %s, now())",
            (market, kind, outcome, size, key or str(uuid4()), request_hash, uuid4()),
        )
        rows = cursor.fetchall()
        assert len(rows) == 1
        return Changed(*rows[0])

    def amend(self, user: UUID, order_id: UUID, size_lots: int) -> tuple[Any, ...]:
        """amend_order by a user."""
        cursor = self.people[user].execute(
            "select * from amend_order(%s, %s, now())", (order_id, size_lots)
        )
        row = cursor.fetchone()
        assert row is not None
        return row

    def one(self, query: str, *parameters: object) -> Any:
        """The first column of the first row, as the owner."""
        row = self.owner.execute(query, parameters).fetchone()
        assert row is not None
        return row[0]

    def rows(self, query: str, *parameters: object) -> list[dict[str, Any]]:
        """All rows as dicts, as the owner."""
        with self.owner.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query, parameters).fetchall()

    def work(self, query: str, *parameters: object) -> Any:
        """All rows as named tuples, as a worker."""
        with self.worker.cursor(row_factory=namedtuple_row) as cursor:
            return cursor.execute(query, parameters).fetchall()

    def cash(self, user: UUID) -> int:
        """The user's available balance in micros."""
        return int(self.one("select balance_micros from accounts where user_id = %s", user))

    def account(self, market: UUID, kind: str) -> int:
        """A market account's balance in micros."""
        return int(
            self.one(
                "select balance_micros from accounts where market_id = %s and kind = %s",
                market,
                kind,
            )
        )

    def position(self, user: UUID, market: UUID, position: str = "YES") -> tuple[int, int]:
        """Held and locked lots."""
        rows = self.rows(
            "select held_lots, locked_lots from positions"
            " where user_id = %s and market_id = %s and position = %s",
            user,
            market,
            position,
        )
        return (rows[0]["held_lots"], rows[0]["locked_lots"]) if rows else (0, 0)

    def audit(self) -> list[tuple[str, str]]:
        """Invariant and subject of what presage_audit finds."""
        return [(row.invariant, row.subject) for row in self.work("select * from presage_audit()")]
