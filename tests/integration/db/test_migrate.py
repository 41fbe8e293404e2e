"""The runner: once each, checksummed, by phase, undone when it fails; schema.sql is the result."""

import shutil
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from infra.db import migrate as runner
from infra.db.dump import dump_schema
from infra.db.migrate import HERE, MigrationError, Script, migrate
from infra.local.postgres import Postgres
from tests.conftest import Database

PROBE = "20991231000000_post_probe.sql"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the migration files, to be changed at will."""
    for folder in ("migrations", "functions", "policies"):
        shutil.copytree(HERE / folder, tmp_path / folder)
    shutil.copy(HERE / "roles.sql", tmp_path)
    return tmp_path


def add(root: Path, text: str, name: str = PROBE) -> None:
    (root / "migrations" / name).write_text(text, encoding="utf-8")


def test_a_migrated_database_needs_nothing(database: Database) -> None:
    assert migrate(database.url()) == []
    assert migrate(database.url(), phase="post") == []


def test_the_schema_file_is_what_the_migrations_make(database: Database) -> None:
    committed = (HERE / "schema.sql").read_text(encoding="utf-8")
    assert dump_schema(database.url()) == committed, "run `python -m infra.db.migrate --dump`"


def test_phases_and_dry_run(postgres: Postgres, root: Path) -> None:
    add(root, "create table probe (id integer);")
    url = postgres.create_database(f"empty_{uuid4().hex}")
    lines: list[str] = []
    planned = migrate(url, root=root, dry_run=True, progress=lines.append)
    assert planned[0].endswith("_pre_identity.sql")
    assert lines[0] == f"would apply {planned[0]}"
    applied = migrate(url, root=root, phase="pre")
    after = [name for name in planned if "_post_" in name]
    assert after[-1] == PROBE
    assert applied == [name for name in planned if name not in after]
    assert migrate(url, root=root, phase="post") == after
    assert migrate(url, root=root) == []


def test_an_edited_migration_is_refused(database: Database, root: Path) -> None:
    first = min((root / "migrations").iterdir())
    first.write_text(first.read_text(encoding="utf-8") + "\n-- edited", encoding="utf-8")
    with pytest.raises(MigrationError, match=first.name):
        migrate(database.url(), root=root)


def test_a_misnamed_migration_is_refused(database: Database, root: Path) -> None:
    add(root, "select 1", name="probe.sql")
    with pytest.raises(MigrationError, match="is not named"):
        migrate(database.url(), root=root)


def test_a_failing_migration_leaves_nothing(database: Database, root: Path) -> None:
    add(root, "create table probe (id integer); select 1 / 0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(database.url(), root=root)
    with database.connect() as connection:
        assert connection.execute("select to_regclass('probe')").fetchone() == (None,)
    add(root, "create table probe (id integer);")
    assert migrate(database.url(), root=root) == [PROBE]
    with database.connect() as connection:
        owner = connection.execute("select tableowner from pg_tables where tablename = 'probe'")
        assert owner.fetchone() == ("presage_owner",)


def test_a_changed_function_is_applied_again(database: Database, root: Path) -> None:
    path = root / "functions" / "actor_id.sql"
    path.write_text(path.read_text(encoding="utf-8") + "\n-- changed\n", encoding="utf-8")
    assert migrate(database.url(), root=root) == ["functions/actor_id.sql"]
    assert migrate(database.url(), root=root) == []


def test_passwords_come_from_the_environment(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRESAGE_API_PASSWORD", "it's")
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        runner.set_role_passwords(connection)
        rows = connection.execute("select rolname from pg_authid where rolpassword is not null")
        assert rows.fetchall() == [("presage_api",)]
        connection.execute("alter role presage_api password null")


def test_scripts_know_their_text() -> None:
    assert Script("a", "x").checksum == Script("b", "x").checksum
