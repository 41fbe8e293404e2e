"""Who may see and do what: row policies, grants, and definer functions closed to the public."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from tests.conftest import Database
from tests.integration.exchange_sql.exchange import Exchange
from tests.integration.exchange_sql.teller import Teller

# Public tables may name the person who made the row: that is part of the public record.
PUBLIC = {"markets", "market_state_changes", "market_clarifications"}
# Guarded tables that name no person: definer functions and workers only.
NOBODYS = {"auth_challenges", "login_attempts", "outbox", "transfer_keys"}
# Of columns that name a person without a foreign key.
NAMES = ("user_id", "actor_id", "taker_id", "maker_id")
# Whose a row is, where the row itself does not say.
WHOSE = {
    "transfers": "array[debit_account, credit_account]"
    " && array(select a.id from accounts a where a.user_id = %(person)s)"
}
REFUSED = "42501"


@dataclass(frozen=True)
class Guarded:
    """A table under row security, and the columns that name a person."""

    name: str
    columns: tuple[str, ...]

    @property
    def mine(self) -> str:
        """The condition that a row is a person's."""
        return WHOSE.get(self.name) or " or ".join(
            f"{column} = %(person)s" for column in self.columns
        )


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
    exchange.owner.execute(
        "insert into venue_credentials values"
        " (%s, 'polymarket', 'k', decode(repeat('00', 12), 'hex'), sha256('b'), now(), now())",
        (b,),
    )
    _take_part(exchange, b, market)
    for statement in (
        "insert into user_daily_stats values (%s, current_date, 1, 1)",
        "insert into profit_marks values (%s, current_date, 1)",
        "insert into leaderboard_entries values ('all', %s, 1, 1, 0, 0, null, 1, 1, 1, now())",
    ):
        exchange.owner.execute(statement.encode(), (b,))
    exchange.change(b, market, "split", 0, 100)
    exchange.place_batch(b, [{"market_id": str(market), "outcome": 0}])
    exchange.owner.execute(
        "insert into market_disputes values (gen_random_uuid(), %s, %s, 'wrong', 1, now())",
        (market, b),
    )
    exchange.owner.execute(
        "insert into escalations (kind, subject, user_id, title, reason, created_at)"
        " values ('support', 'ticket:b', %s, 'Help', 'Please.', now())",
        (b,),
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
    exchange.owner.execute(
        "insert into api_keys (id, user_id, name, prefix, key_hash, scopes, created_at)"
        " values (gen_random_uuid(), %s, 'bot', 'psg_', sha256('b'), '{read}', now())",
        (b,),
    )
    exchange.owner.execute(
        "insert into ws_tickets values (sha256('b'), %s, now(), now() + interval '1 minute')", (b,)
    )
    yield exchange, a
    exchange.close()


def _take_part(exchange: Exchange, person: UUID, market: UUID) -> None:
    """Follow a market, be told of it, vote on it, speak of it."""
    for statement in (
        "insert into bookmarks values (%s, %s, now())",
        "insert into follows values (%s, %s, true, true, true, now())",
        (
            "insert into notifications (user_id, type, market_id, created_at)"
            " values (%s, 'market_resolved', %s, now())"
        ),
        (
            "insert into votes (id, user_id, market_id, wallet, kind, vote, created_at)"
            " values (gen_random_uuid(), %s, %s, 'b', 'dispute', true, now())"
        ),
        (
            "insert into unsigned_transactions (message_hash, user_id, purpose, market_id,"
            " last_valid_block_height, created_at)"
            " values (sha256('b'), %s, 'buy_shares', %s, 1, now())"
        ),
        (
            "with said as (insert into comments (user_id, market_id, content, created_at)"
            " values (%s, %s, 'Hm.', now()) returning id, user_id)"
            " insert into comment_likes select id, user_id, now() from said"
        ),
    ):
        exchange.owner.execute(statement.encode(), (person, market))


@pytest.fixture(scope="module")
def guarded(people: tuple[Exchange, UUID]) -> list[Guarded]:
    """Every table under row security that holds people's rows, out of pg_class."""
    exchange, _a = people
    rows = exchange.rows(
        "select c.relname, array_agg(t.attname::text order by t.attnum) filter (where"
        "   t.attname = any (%s) or (c.relname = 'users' and t.attname = 'id') or exists ("
        "     select from pg_constraint k where k.contype = 'f' and k.conrelid = c.oid"
        "     and k.confrelid = 'users'::regclass and t.attnum = any (k.conkey))) as columns"
        " from pg_class c"
        " join pg_attribute t on t.attrelid = c.oid and t.attnum > 0 and not t.attisdropped"
        " where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace"
        " and c.relrowsecurity group by c.relname order by c.relname",
        list(NAMES),
    )
    tables = [Guarded(row["relname"], tuple(row["columns"] or ())) for row in rows]
    nobodys = {table.name for table in tables if not table.columns and table.name not in WHOSE}
    assert nobodys == NOBODYS
    return [table for table in tables if table.name not in NOBODYS]


def _rows(connection: psycopg.Connection, table: str) -> int:
    query = sql.SQL("select count(*) from {}").format(sql.Identifier(table))
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def _count(connection: psycopg.Connection, table: Guarded, condition: str, person: UUID) -> int:
    row = connection.execute(
        f"select count(*) from {table.name} where {condition}".encode(),  # noqa: S608 - pg_class
        {"person": person},
    ).fetchone()
    assert row is not None
    return int(row[0])


def _refused_or(connection: psycopg.Connection, statement: str, touched: int) -> None:
    """A statement is refused, or touches just so many rows; nothing of it is kept."""
    with connection.transaction(force_rollback=True):
        try:
            done = connection.execute(statement.encode()).rowcount
        except psycopg.errors.InsufficientPrivilege:
            return
        assert done == touched, statement


def test_everybody_else_has_a_row_in_every_table(
    people: tuple[Exchange, UUID], guarded: list[Guarded]
) -> None:
    exchange, a = people
    empty = [
        table.name
        for table in guarded
        if _count(exchange.owner, table, f"({table.mine}) is not true", a) == 0
    ]
    assert (
        empty == []
    )  # a new table needs a row of B in the fixture, or the tests below say nothing


def test_nobody_reads_a_row_of_somebody_else(
    people: tuple[Exchange, UUID], guarded: list[Guarded]
) -> None:
    exchange, a = people
    read = 0
    for table in guarded:
        own = _count(exchange.owner, table, table.mine, a)
        try:
            assert _count(exchange.people[a], table, "true", a) == own, table
            read += 1
        except psycopg.errors.InsufficientPrivilege:
            assert own == 0, table
            continue
        with exchange.database.connect("presage_api", presage__user_id="") as nobody:
            assert _count(nobody, table, "true", a) == 0, table
    assert read > 10
    with exchange.database.connect("presage_api", presage__user_id="") as nobody:
        for name in NOBODYS:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                _rows(nobody, name)


def test_admins_have_no_business_with_credentials(people: tuple[Exchange, UUID]) -> None:
    exchange, _a = people
    with exchange.database.connect("presage_admin") as staff:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            _rows(staff, "venue_credentials")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            staff.execute("select * from find_wallet('evm', '0x')")


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
        "select acknowledge_alert(1, '', '', now())",
        "select resolve_escalation(1, 'mine', '', '', now())",
        "select create_escalation(gen_random_uuid(), 'support', null, 'a', 'b', '', '', now())",
        "select set_tick_range(gen_random_uuid(), 10, 100, '', '', now())",
    )
    as_admin = exchange.database.connect("presage_admin", presage__user_id=str(a))
    for call in calls:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            exchange.people[a].execute(call)
        with pytest.raises(psycopg.Error) as caught:
            as_admin.execute(call)
        assert caught.value.sqlstate == "PR403"
    as_admin.close()


def test_people_know_nothing_of_the_operators(people: tuple[Exchange, UUID]) -> None:
    exchange, a = people
    for statement in (
        "select id from ops_alerts",
        "select id from workflow_runs",
        "select severity from escalations",
        "select * from raise_alert('audit_failed', 'CRITICAL', 'x', '{}', now())",
        "select * from escalate_overdue(1, '{HIGH,HIGH,HIGH}', now())",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            exchange.people[a].execute(statement.encode())


def test_nobody_writes_a_row_of_somebody_else(
    people: tuple[Exchange, UUID], guarded: list[Guarded]
) -> None:
    exchange, a = people
    connection = exchange.people[a]
    b = next(user for user in exchange.people if user != a)
    for table in guarded:
        own = _count(exchange.owner, table, table.mine, a)
        _refused_or(connection, f"delete from {table.name}", own)  # noqa: S608 - pg_class
        granted = exchange.rows(
            "select attname::text as name from pg_attribute"
            " where attrelid = %s::regclass and attnum > 0 and not attisdropped"
            " and has_column_privilege('presage_api', attrelid, attnum, 'update')",
            table.name,
        )
        for column in (row["name"] for row in granted):
            change = f"update {table.name} set {column} = {column}"  # noqa: S608 - pg_class
            _refused_or(connection, change, own)
        for column in table.columns:
            with pytest.raises(psycopg.Error) as caught:
                connection.execute(
                    f"insert into {table.name} ({column}) values ('{b}')".encode()  # noqa: S608
                )
            assert caught.value.sqlstate == REFUSED, (table, caught.value)
    for name in NOBODYS:
        for statement in (f"delete from {name}", f"insert into {name} default values"):  # noqa: S608
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())


def test_one_edits_how_one_is_shown_and_nothing_else(people: tuple[Exchange, UUID]) -> None:
    exchange, a = people
    connection = exchange.people[a]
    assert connection.execute("update users set display_name = 'me'").rowcount == 1
    for change in (
        "update users set role = 'super_admin'",
        "update users set closed_only = false",
        "update users set email = null",
        "update users set email_pending = null",
        "update users set email_sent_at = null",
        "update accounts set balance_micros = 1",
        "update audit_log set action = 'x'",
        "select key_hash from api_keys",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(change.encode())


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
    assert len(named) > 10


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
