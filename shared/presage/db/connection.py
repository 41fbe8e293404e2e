"""Running statements as the caller: one network flush, one transaction, errors as ours.

A Lambda serves one request at a time, so each thread owns one connection a trust zone. Every
statement travels in a libpq pipeline behind `set_config('presage.user_id', ...)`, which is one
implicit transaction and one flush. No session state is left behind, so a transaction pooler may
stand between.
"""

import random
import select
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import psycopg
from psycopg import errors as pg_errors
from psycopg.pq import TransactionStatus
from psycopg.rows import class_row, tuple_row

from presage import config, metrics
from presage.call import Call, Zone
from presage.db.queries import Query
from presage.errors import (
    PresageError,
    UnavailableError,
    ValidationFailedError,
    from_sqlstate,
)

CONNECT_TIMEOUT_S = 2
RETRIES = 3
RETRY_BASE_S = 0.02
_SET_ACTOR = """
select set_config('presage.user_id', %s, true), set_config('statement_timeout', %s, true),
       set_config('timezone', 'UTC', true)
"""
# Two first uses of one key can race where no common lock orders them; the loser looks again.
_RETRY_ON_UNIQUE = frozenset(
    {
        "orders_client_order_id_is_used_once",
        "order_batches_key_is_used_once",
        "idempotency_keys_are_used_once",
    }
)

_local = threading.local()

type Params = Mapping[str, Any]
type Statement[RowT] = tuple[Query, type[RowT] | None, Params]


def _connection(zone: Zone) -> psycopg.Connection[Any]:
    pool: dict[Zone, psycopg.Connection[Any]] | None = getattr(_local, "pool", None)
    if pool is None:
        pool = _local.pool = {}
    connection = pool.get(zone)
    if connection is not None:
        if not _has_hung_up(connection):
            return connection
        connection.close()
    try:
        connection = psycopg.connect(
            config.get(f"DATABASE_URL_{zone.upper()}"),
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name="presage",
        )
    except psycopg.OperationalError as error:
        metrics.count("DatabaseUnreachable")
        raise UnavailableError("The database does not answer.") from error
    pool[zone] = connection
    return connection


def _has_hung_up(connection: psycopg.Connection[Any]) -> bool:
    """Whether the server ended an idle connection: a restart must not fail the next request.

    Nothing is due from the server between two requests, so a readable socket is its good-bye. This
    asks the kernel and not the network.
    """
    if connection.closed:
        return True
    socket = select.poll()  # select() knows no descriptor above 1023
    socket.register(connection.fileno(), select.POLLIN)
    return bool(socket.poll(0))


def close() -> None:
    """Close this thread's connections."""
    for connection in getattr(_local, "pool", {}).values():
        connection.close()
    _local.pool = {}


def fetch_all[RowT](call: Call, query: Query, row: type[RowT], params: Params) -> list[RowT]:
    """Run one statement as the caller and type its rows."""
    return run(call, [(query, row, params)])[0]


def fetch_one[RowT](call: Call, query: Query, row: type[RowT], params: Params) -> RowT | None:
    """As `fetch_all`, for a statement that answers at most one row."""
    rows = fetch_all(call, query, row, params)
    return rows[0] if rows else None


def execute(call: Call, query: Query, params: Params) -> int:
    """Run one statement as the caller; how many rows it touched."""
    return _attempt(call, [(query, None, params)])[0].rowcount


def run(call: Call, statements: list[Statement[Any]]) -> list[list[Any]]:
    """Run the statements as one transaction in one flush; their rows, statement by statement.

    Raises:
        PresageError: the SQLSTATE of a `PR4xx` failure as its class.
        UnavailableError: Postgres is out of reach, or a statement ran into its time limit.
    """
    return [
        cursor.fetchall() if cursor.description else [] for cursor in _attempt(call, statements)
    ]


def load[RowT](
    call: Call,
    first: Statement[RowT] | None,
    copy: Query,
    blocks: Callable[[list[RowT]], Iterable[str]],
    last: Callable[[], list[Statement[Any]]],
) -> list[list[Any]]:
    """One transaction around a COPY: perhaps a statement, COPY of what its rows leave, and more.

    That is four flushes and none a row. Blocks of lines are sent as they are made, so that the
    server works while they are; both callables may be asked again. Answers the rows of `last`.

    Raises:
        PresageError: as `run`.
    """
    return _retried(lambda: _load(call, first, copy, blocks, last))


def _attempt(call: Call, statements: list[Statement[Any]]) -> list[psycopg.Cursor[Any]]:
    return _retried(lambda: _flush(call, statements))


def _retried[ResultT](work: Callable[[], ResultT]) -> ResultT:
    attempt = 0
    while True:
        try:
            return work()
        except psycopg.Error as error:
            attempt += 1
            if attempt <= RETRIES and _is_safe_to_retry(error):
                metrics.count("DatabaseRetry")
                time.sleep(RETRY_BASE_S * attempt * (1 + random.random()))  # noqa: S311 - jitter
                continue
            raise _translate(error) from error


def _is_safe_to_retry(error: psycopg.Error) -> bool:
    """Whether nothing of the transaction can have been kept."""
    if isinstance(error, pg_errors.DeadlockDetected | pg_errors.SerializationFailure):
        return True
    return (
        isinstance(error, pg_errors.UniqueViolation)
        and error.diag.constraint_name in _RETRY_ON_UNIQUE
    )


def _flush(call: Call, statements: list[Statement[Any]]) -> list[psycopg.Cursor[Any]]:
    connection = _connection(call.zone)
    try:
        with connection.pipeline():
            connection.execute(_SET_ACTOR, _actor(call))
            return [_execute(connection, statement) for statement in statements]
    except psycopg.OperationalError:
        if connection.broken:
            connection.close()
        raise


def _load[RowT](
    call: Call,
    first: Statement[RowT] | None,
    copy: Query,
    blocks: Callable[[list[RowT]], Iterable[str]],
    last: Callable[[], list[Statement[Any]]],
) -> list[list[Any]]:
    connection = _connection(call.zone)
    try:
        with connection.pipeline():
            connection.execute("begin")
            # Of a caller that vanishes between two flushes nothing may stay locked.
            connection.execute("set local idle_in_transaction_session_timeout = '10s'")
            connection.execute(_SET_ACTOR, _actor(call))
            found = _execute(connection, first) if first else None
        made = iter(blocks(found.fetchall() if found else []))
        if head := next(made, ""):
            with connection.cursor().copy(copy.sql.removesuffix(";")) as stream:
                stream.write(head)
                for block in made:
                    stream.write(block)
                statements = last()
        else:
            statements = last()
        with connection.pipeline():
            cursors = [_execute(connection, statement) for statement in statements]
            connection.execute("commit")
        return [cursor.fetchall() if cursor.description else [] for cursor in cursors]
    finally:
        if connection.broken:
            connection.close()
        elif connection.info.transaction_status != TransactionStatus.IDLE:
            connection.rollback()


def _actor(call: Call) -> tuple[str, str]:
    actor = str(call.actor.user_id) if call.actor else ""
    usual = "WORKER_STATEMENT_TIMEOUT_MS" if call.zone == "worker" else "STATEMENT_TIMEOUT_MS"
    return actor, str(call.statement_timeout_ms or config.get(usual))


def _execute(connection: psycopg.Connection[Any], statement: Statement[Any]) -> psycopg.Cursor[Any]:
    query, row, params = statement
    factory: Callable[..., Any] = class_row(row) if row else tuple_row
    cursor = connection.cursor(row_factory=factory)
    cursor.execute(query.sql, params)
    return cursor


def _translate(error: psycopg.Error) -> PresageError | psycopg.Error:
    ours = from_sqlstate(
        error.sqlstate, error.diag.message_primary or "", error.diag.column_name or None
    )
    if ours is not None:
        return ours
    if isinstance(error, psycopg.DataError):
        # Values of a shape that the models let through but no column holds.
        metrics.count("DatabaseRefusedValue")
        return ValidationFailedError("A value is out of range.")
    if isinstance(error, pg_errors.ProgramLimitExceeded):
        return ValidationFailedError("A value is too long.")
    if isinstance(error, pg_errors.QueryCanceled):
        return UnavailableError("The database took too long.")
    if isinstance(error, psycopg.OperationalError | pg_errors.AdminShutdown):
        return UnavailableError("The database does not answer.")
    # It will be logged: where it broke may be told, what the row held (its DETAIL) may not.
    error.args = (f"{error.diag.message_primary}\n{error.diag.context or ''}".rstrip(),)
    return error
