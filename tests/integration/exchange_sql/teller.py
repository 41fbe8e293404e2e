"""A window where money comes in and goes out: the wallet's functions, as the handlers call them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg

from tests.integration.exchange_sql.exchange import Exchange

HASH = b"h" * 32
CREATE_DEPOSIT = """
select id, status, credited_micros from create_deposit(
    %(id)s, %(method)s, %(currency)s, 'BDT', %(micros)s, %(reference)s, %(number)s, %(key)s,
    %(request_hash)s, 'test', '127.0.0.1', %(now)s)
"""
CREATE_WITHDRAWAL = """
select id, status, payout_micros from create_withdrawal(
    %(id)s, %(method)s, 'BDT', %(micros)s, %(destination)s, %(key)s, %(request_hash)s, 'test',
    '127.0.0.1', %(now)s)
"""
DECIDE_DEPOSIT = (
    "select id, status, decided_at from decide_deposit(%s, %s, %s, 'test', '127.0.0.1', %s)"
)
DECIDE_WITHDRAWAL = (
    "select id, status, decided_at from decide_withdrawal(%s, %s, %s, %s, 'test', '127.0.0.1', %s)"
)


@dataclass
class Teller:
    """Speaks for an admin on a connection of its own; `now` may be moved on."""

    exchange: Exchange
    admin: UUID
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    connection: psycopg.Connection = field(init=False)

    def __post_init__(self) -> None:
        self.exchange.owner.execute("update users set role = 'admin' where id = %s", (self.admin,))
        self.connection = self.exchange.database.connect(
            "presage_admin", presage__user_id=str(self.admin)
        )
        self.exchange.people[self.admin].close()
        self.exchange.people[self.admin] = self.connection  # it is closed with the people's

    def deposit(self, user: UUID, micros: int = 5_000_000, **fields: Any) -> UUID:
        """The id of a deposit that is announced."""
        return UUID(str(deposit(self.exchange.people[user], micros, now=self.now, **fields)[0]))

    def withdraw(self, user: UUID, micros: int = 2_000_000, **fields: Any) -> UUID:
        """The id of a withdrawal that is taken out."""
        return UUID(str(withdraw(self.exchange.people[user], micros, now=self.now, **fields)[0]))

    def verify(self, deposit_id: UUID) -> tuple[Any, ...]:
        """decide_deposit, in favour."""
        return row(self.connection, DECIDE_DEPOSIT, (deposit_id, True, None, self.now))

    def reject(self, deposit_id: UUID) -> tuple[Any, ...]:
        """decide_deposit, against."""
        return row(self.connection, DECIDE_DEPOSIT, (deposit_id, False, "lost", self.now))

    def complete(self, withdrawal_id: UUID) -> tuple[Any, ...]:
        """decide_withdrawal, paid."""
        told = (withdrawal_id, True, "paid-1", None, self.now)
        return row(self.connection, DECIDE_WITHDRAWAL, told)

    def reject_withdrawal(self, withdrawal_id: UUID) -> tuple[Any, ...]:
        """decide_withdrawal, not paid."""
        told = (withdrawal_id, False, None, "no such number", self.now)
        return row(self.connection, DECIDE_WITHDRAWAL, told)

    def set_rate(self, rate_micros: int) -> None:
        """store_rate for USDT."""
        self.connection.execute(
            "select store_rate('USDT', 'BDT', %s, 'test', %s, 'test', '127.0.0.1', %s)",
            (rate_micros, self.now, self.now),
        )

    def expire(self, limit: int = 100) -> int:
        """expire_deposits as a worker; how many were marked."""
        return int(
            self.exchange.work(
                "select expire_deposits(%s, 'test', '127.0.0.1', %s)", limit, self.now
            )[0][0]
        )


def deposit(connection: psycopg.Connection, micros: int, **fields: Any) -> tuple[Any, ...]:
    """create_deposit on a person's connection: by bank, under a reference and key of its own."""
    told = {"method": "bank", "currency": "BDT", "reference": uuid4().hex, "number": None}
    return row(connection, CREATE_DEPOSIT, _told(micros) | told | fields)


def withdraw(connection: psycopg.Connection, micros: int, **fields: Any) -> tuple[Any, ...]:
    """create_withdrawal on a person's connection: to a bank, under a key of its own."""
    told = {"method": "bank", "destination": "1234567890"}
    return row(connection, CREATE_WITHDRAWAL, _told(micros) | told | fields)


def _told(micros: int) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {"id": uuid4(), "micros": micros, "key": uuid4().hex, "request_hash": HASH, "now": now}


def row(connection: psycopg.Connection, query: str, told: Any) -> tuple[Any, ...]:
    """The one row that a call answers."""
    rows = connection.execute(query.encode(), told).fetchall()
    assert len(rows) == 1
    return tuple(rows[0])
