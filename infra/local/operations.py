"""What an operator does to a local stack beside the API: fund, promote, audit, look at the rest."""

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

from presage import clock
from presage.call import Call
from presage.db import connection
from presage.ledger import service as ledger


@dataclass(frozen=True)
class Leftovers:
    """How far the markets have come: `open` are still to be decided, finalized or paid.

    `escalated` wait for a person, who has not proposed an outcome yet.
    """

    open: int
    escalated: int
    dead_letters: int


@dataclass(frozen=True)
class Payout:
    """What settlement paid a user."""

    user_id: str
    amount_micros: int


@contextmanager
def worker_zone(env: Mapping[str, str], *others: str) -> Iterator[None]:
    """Let this process log in as the workflows' role of the stack whose variables these are.

    `others` are settings of the stack that are needed beside the database's.
    """
    names = ("DATABASE_URL_WORKER", *others)
    before = {name: os.environ.pop(name, None) for name in names}
    connection.close()
    os.environ.update({name: env[name] for name in names})
    try:
        yield
    finally:
        connection.close()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def deposit(
    env: Mapping[str, str], now_ms: int, amounts_micros: Mapping[str, int], reference: str
) -> None:
    """Credit users (by id) with money from outside; a repeated reference changes nothing."""
    with worker_zone(env):
        for user_id, amount_micros in amounts_micros.items():
            ledger.deposit(
                _call(now_ms), uuid.UUID(user_id), amount_micros, f"{reference}:{user_id}"
            )


def audit(env: Mapping[str, str], now_ms: int) -> list[ledger.Violation]:
    """Every invariant of the exchange that does not hold."""
    with worker_zone(env):
        return ledger.audit(_call(now_ms))


def promote(owner_url: str, address: str) -> None:
    """Make a signed-in wallet an admin, where BOOTSTRAP_ADMIN names another."""
    with psycopg.connect(owner_url) as database:
        database.execute(
            "update users set role = 'super_admin' where address = %s and role = 'user'", (address,)
        )


def leftovers(owner_url: str) -> Leftovers:
    """What workflows have not finished, and what they gave to people."""
    with psycopg.connect(owner_url) as database:
        row = database.execute(
            """
            select count(*) filter (where (m.state = 'ACTIVE' and e.subject is null)
                                       or (m.state in ('RESOLVING', 'FINALIZED')
                                           and m.settled_at is null)),
                   count(*) filter (where m.state = 'ACTIVE' and e.subject is not null),
                   (select count(*) from dead_letters
                     where status in ('pending', 'manual_review'))
            from markets m
            left join escalations e on e.kind = 'resolution' and e.subject = m.id::text
            """
        ).fetchone()
    if row is None:
        raise LookupError("an aggregate always answers a row")
    return Leftovers(*row)


def escalated(owner_url: str) -> frozenset[str]:
    """Ids of the markets whose outcome workflows gave to people."""
    with psycopg.connect(owner_url) as database:
        rows = database.execute("select subject from escalations where kind = 'resolution'")
        return frozenset(str(subject) for (subject,) in rows)


def payouts(owner_url: str, market_id: str) -> list[Payout]:
    """What settlement paid for a market, the largest first."""
    with (
        psycopg.connect(owner_url) as database,
        database.cursor(row_factory=class_row(Payout)) as c,
    ):
        return c.execute(
            """
            select user_id::text, amount_micros from settlements
            where market_id = %s order by amount_micros desc, user_id
            """,
            (market_id,),
        ).fetchall()


def fees_micros(owner_url: str) -> int:
    """What trading has earned in fees, after rebates, swept or not."""
    with psycopg.connect(owner_url) as database:
        row = database.execute(
            "select sum(balance_micros) from accounts "
            "where kind in ('market:fees', 'platform:fees')"
        ).fetchone()
    return int(row[0] or 0) if row else 0


def _call(now_ms: int) -> Call:
    return Call(zone="worker", now=clock.from_ms(now_ms), request_id="operator", ip="127.0.0.1")
