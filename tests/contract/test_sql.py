"""SQL as code: queries PREPARE, schema.sql is what the migrations make, definers are closed."""

import re
from pathlib import Path

import pytest

from infra.db.dump import dump_schema
from presage.db.queries import Queries, Query
from tests.conftest import Database

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "shared/presage").rglob("queries.sql"))
ALL = [(path.parent.name, query) for path in FILES for query in Queries(path)]
# Tables that hold nobody's rows.
PUBLIC_TABLES = {
    "markets",
    "outcomes",
    "market_state_changes",
    "market_clarifications",
    "market_ledgers",
    "market_counters",
    "market_listings",
    "market_audience",
    "price_bars",
    "price_points",
    "schema_migrations",
    "workflow_runs",
    "dead_letters",
    "ops_alerts",
    "price_feeds",
    "exchange_rates",
    "market_daily_stats",
    "platform_daily_stats",
    "tick_changes",
    "daily_reports",
    "news_items",
    "news_feeds",
    "chain_events",
    "chain_markets",
    "chain_positions",
    "chain_votes",
    "chain_transactions",
    "chain_cursors",
    "chain_addresses",
    "chain_config",
    "chain_incomplete",
    "dispute_weights",
    "vote_tallies",
    "aggregation_results",
    "discrepancies",
    "ipfs_anchors",
}


def _numbered(query: Query) -> str:
    """The named parameters as Postgres' numbered ones."""
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    return re.sub(r"%\((\w+)\)s", number, query.sql).rstrip().removesuffix(";")


@pytest.mark.parametrize(("domain", "query"), ALL, ids=lambda value: getattr(value, "name", value))
def test_every_query_prepares(domain: str, query: Query, module_database: Database) -> None:
    assert query.description, domain
    with module_database.connect() as connection:
        if query.sql.startswith("copy "):  # which takes no parameters, and no PREPARE
            with connection.cursor().copy(_numbered(query).encode()):
                return
        connection.execute(f"prepare checked as {_numbered(query)}".encode())


def test_the_committed_schema_is_what_the_migrations_make(module_database: Database) -> None:
    committed = (ROOT / "infra/db/schema.sql").read_text(encoding="utf-8")
    assert committed == dump_schema(module_database.url())


def test_every_table_with_a_users_rows_has_row_security(module_database: Database) -> None:
    with module_database.connect() as connection:
        rows = connection.execute(
            "select relname from pg_class where relnamespace = 'public'::regnamespace"
            " and relkind in ('r', 'p') and not relrowsecurity"
        ).fetchall()
    assert {name for (name,) in rows} == PUBLIC_TABLES


def test_functions_are_closed_to_public_and_pin_their_path(module_database: Database) -> None:
    with module_database.connect() as connection:
        rows = connection.execute(
            """
            select p.proname from pg_proc p
            where p.pronamespace = 'public'::regnamespace
              and (has_function_privilege('public', p.oid, 'execute')
                   or not coalesce(p.proconfig @> array['search_path=""'], false))
            """
        ).fetchall()
    assert rows == []


def test_definer_functions_belong_to_the_owner(module_database: Database) -> None:
    with module_database.connect() as connection:
        owners = connection.execute(
            "select distinct r.rolname from pg_proc p join pg_roles r on r.oid = p.proowner"
            " where p.pronamespace = 'public'::regnamespace"
        ).fetchall()
    assert owners == [("presage_owner",)]


@pytest.mark.parametrize("role", ["presage_api", "presage_admin", "presage_worker"])
def test_login_roles_own_nothing_and_bypass_nothing(role: str, module_database: Database) -> None:
    with module_database.connect() as connection:
        row = connection.execute(
            "select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb,"
            " exists (select from pg_class where relowner = pg_roles.oid)"
            " from pg_roles where rolname = %s",
            (role,),
        ).fetchone()
    assert row == (False, False, False, False, False)
