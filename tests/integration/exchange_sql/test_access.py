"""Who may see and do what: row policies, grants, and definer functions closed to the public."""

from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from tests.conftest import Database
from tests.integration.exchange_sql.exchange import Exchange
from tests.integration.exchange_sql.teller import Teller

# Every table that holds a person's rows, with the columns that name the person.
OWNED = {
    "users": ("id",),
    "sessions": ("user_id",),
    "audit_log": ("actor_id",),
    "accounts": ("user_id",),
    "orders": ("user_id",),
    "fills": ("taker_id", "maker_id"),
    "positions": ("user_id",),
    "settlements": ("user_id",),
    "order_batches": ("user_id",),
    "share_operations": ("user_id",),
    "market_disputes": ("user_id",),
    "idempotency_keys": ("actor_id",),
    "deposits": ("user_id",),
    "withdrawals": ("user_id",),
}
# Public tables may name the person who made the row: that is part of the public record.
PUBLIC = {"markets", "market_state_changes", "market_clarifications"}
API_READS = {
    "users",
    "audit_log",
    "accounts",
    "transfers",
    "orders",
    "fills",
    "positions",
    "settlements",
    "order_batches",
    "share_operations",
    "market_disputes",
    "deposits",
    "withdrawals",
}


@pytest.fixture(scope="module")
def people(module_database: Database) -> Iterator[tuple[Exchange, UUID]]:
    """An exchange where B and C have a row in every table, and A, who has an empty account."""
    exchange = Exchange.at(module_database)
    a, b, c = exchange.user(), exchange.user(), exchange.user()
    for settled in (True, False):
        market = exchange.market()
        exchange.hand_out(market, b, c)
        exchange.place(b, market, price=1000)
        if settled:
            exchange.owner.execute(
                "update markets set state = 'FINALIZED', final_payout_bps = '{10000,0}'"
            )
            exchange.work("select * from settle_market(%s, 10, now())", market)
            exchange.work("select * from settle_market(%s, 10, now())", market)
    exchange.change(b, market, "split", 0, 100)
    exchange.place_batch(b, [{"market_id": str(market), "outcome": 0}])
    exchange.owner.execute(
        "insert into market_disputes values (gen_random_uuid(), %s, %s, 'wrong', 1, now())",
        (market, b),
    )
    teller = Teller(exchange, exchange.user())
    teller.deposit(b)
    teller.withdraw(b)
    exchange.owner.execute(
        "insert into sessions values (sha256('b'), %s, now(), now() + interval '1 day')", (b,)
    )
    exchange.owner.execute(
        "insert into audit_log (actor_id, action, resource, created_at)"
        " values (%s, 'test', 'test', now())",
        (b,),
    )
    yield exchange, a
    exchange.close()


def _rows(connection: psycopg.Connection, table: str) -> int:
    query = sql.SQL("select count(*) from {}").format(sql.Identifier(table))
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def test_nobody_reads_a_row_of_somebody_else(people: tuple[Exchange, UUID]) -> None:
    exchange, a = people
    own = {"users": 1, "accounts": 1, "transfers": 1}
    for table in sorted(API_READS):
        assert _rows(exchange.owner, table) > own.get(table, 0), table
        assert _rows(exchange.people[a], table) == own.get(table, 0), table
    with exchange.database.connect("presage_api", presage__user_id="") as nobody:
        assert [_rows(nobody, table) for table in API_READS] == [0] * 13


def test_what_is_not_granted_is_not_read(people: tuple[Exchange, UUID]) -> None:
    exchange, a = people
    for table in (
        "sessions",
        "auth_challenges",
        "login_attempts",
        "outbox",
        "transfer_keys",
        "idempotency_keys",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            _rows(exchange.people[a], table)


def test_who_set_a_rate_is_not_told(people: tuple[Exchange, UUID]) -> None:
    exchange, a = people
    exchange.people[a].execute("select base, rate_micros, observed_at from exchange_rates")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        exchange.people[a].execute("select set_by from exchange_rates")


def test_people_do_not_decide_money(people: tuple[Exchange, UUID]) -> None:
    """The database refuses a user's role, and a user who speaks as an admin."""
    exchange, a = people
    calls = (
        "select decide_deposit(gen_random_uuid(), true, null, '', '', now())",
        "select decide_withdrawal(gen_random_uuid(), true, 'paid', null, '', '', now())",
        "select store_rate('USDT', 'BDT', 1, 'me', now(), '', '', now())",
    )
    as_admin = exchange.database.connect("presage_admin", presage__user_id=str(a))
    for call in calls:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            exchange.people[a].execute(call)
        with pytest.raises(psycopg.Error) as caught:
            as_admin.execute(call)
        assert caught.value.sqlstate == "PR403"
    as_admin.close()


def test_nobody_writes_a_row_of_somebody_else(people: tuple[Exchange, UUID]) -> None:
    exchange, a = people
    connection = exchange.people[a]
    for table in [*OWNED, "transfers", "transfer_keys", "outbox", "market_ledgers"]:
        name = sql.Identifier(table)
        for statement in (
            sql.SQL("delete from {}").format(name),
            sql.SQL("insert into {} default values").format(name),
        ):
            with pytest.raises(
                (
                    psycopg.errors.InsufficientPrivilege,
                    psycopg.errors.DataError,
                    psycopg.errors.NotNullViolation,
                )
            ) as caught:
                connection.execute(statement)
            if table != "audit_log":
                assert caught.value.sqlstate == "42501", (table, caught.value)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("update accounts set balance_micros = 1")
    assert connection.execute("update users set display_name = 'me'").rowcount == 1
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("update users set role = 'super_admin'")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):  # the log takes one's own entries
        connection.execute(
            "insert into audit_log (actor_id, action, resource, created_at)"
            " select %s, 'test', 'test', now()",
            (next(user for user in exchange.people if user != a),),
        )


def test_rows_are_guarded_in_every_table_that_names_a_person(
    people: tuple[Exchange, UUID],
) -> None:
    exchange, _a = people
    named = exchange.rows(
        "select distinct c.relname, c.relrowsecurity from pg_class c"
        " join pg_attribute t on t.attrelid = c.oid and t.attnum > 0 and not t.attisdropped"
        " where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace"
        " and (t.attname in ('user_id', 'actor_id', 'taker_id', 'maker_id', 'debit_account')"
        " or c.relname = 'users')"
    )
    unguarded = {row["relname"] for row in named if not row["relrowsecurity"]}
    assert unguarded - PUBLIC == set()
    assert {row["relname"] for row in named} >= set(OWNED) - PUBLIC


def test_definer_functions_are_closed_and_pinned(people: tuple[Exchange, UUID]) -> None:
    exchange, _a = people
    functions = exchange.rows(
        "select p.oid::regprocedure::text as name, p.prosecdef, p.proconfig,"
        " p.proowner::regrole::text as owner,"
        " has_function_privilege('public', p.oid, 'execute') as is_public"
        " from pg_proc p where p.pronamespace = 'public'::regnamespace"
    )
    assert len(functions) > 20
    for function in functions:
        assert not function["is_public"], function
        assert function["owner"] == "presage_owner", function
        assert 'search_path=""' in (function["proconfig"] or []), function


def test_the_ledger_is_written_by_functions_only(people: tuple[Exchange, UUID]) -> None:
    exchange, _a = people
    granted = exchange.rows(
        "select grantee, table_name, privilege_type from information_schema.role_table_grants"
        " where grantee like 'presage_%%' and grantee <> 'presage_owner'"
        " and privilege_type <> 'SELECT' and table_name in"
        " ('accounts', 'transfers', 'transfer_keys', 'orders', 'fills', 'positions',"
        " 'settlements', 'market_ledgers', 'market_counters', 'price_bars', 'price_points',"
        " 'deposits', 'withdrawals', 'exchange_rates')"
    )
    assert granted == []
