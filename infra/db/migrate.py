"""Bring a database to the present schema: `python -m infra.db.migrate --url ...`.

Migrations are `<timestamp>_{pre|post}_<what>.sql`, each applied once, in its own transaction, under
its checksum; `pre` runs before new code is deployed, `post` after. Then every file of `functions/`
and `policies/` whose text changed is applied again (they are written to be repeatable). A direct
connection is needed: the runner holds a session lock and waits for table locks.
"""

import argparse
import hashlib
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from infra.db.dump import dump_schema

HERE = Path(__file__).parent
LOCK_KEY = 0x70726573  # "pres": one runner at a time in a database
LOGIN_ROLES = ("presage_api", "presage_admin", "presage_worker")
MIGRATION_NAME = re.compile(r"\d{14}_(?P<phase>pre|post)_[a-z0-9_]+\.sql")

TRACKING = """
create table if not exists public.schema_migrations (
    name       text primary key,
    checksum   text        not null,
    applied_at timestamptz not null default clock_timestamp()
)
"""


class MigrationError(Exception):
    """The database and the migration files contradict each other."""


@dataclass(frozen=True)
class Script:
    """One SQL file: its name as recorded in schema_migrations, its text and its checksum."""

    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def _scripts(folder: Path, prefix: str = "") -> list[Script]:
    return [
        Script(prefix + path.name, path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.sql"))
    ]


def _migrations(root: Path, phase: str) -> list[Script]:
    chosen = []
    for script in _scripts(root / "migrations"):
        named = MIGRATION_NAME.fullmatch(script.name)
        if named is None:
            raise MigrationError(f"{script.name} is not named <timestamp>_{{pre|post}}_<what>.sql")
        if phase in {"all", named["phase"]}:
            chosen.append(script)
    return chosen


def _applied(connection: psycopg.Connection) -> dict[str, str]:
    if connection.execute("select to_regclass('public.schema_migrations')").fetchone() == (None,):
        return {}
    return dict(
        connection.execute("select name, checksum from public.schema_migrations").fetchall()
    )


def _refuse_edited(migrations: list[Script], applied: dict[str, str]) -> None:
    for script in migrations:
        if applied.get(script.name, script.checksum) != script.checksum:
            raise MigrationError(
                f"{script.name} was edited after it was applied: restore it and write a new one"
            )


def _apply(connection: psycopg.Connection, script: Script) -> None:
    with connection.transaction():
        connection.execute("set local role presage_owner")
        # Functions may call one another in any order of files.
        connection.execute("set local check_function_bodies = off")
        connection.execute(script.text.encode())
        connection.execute(
            "insert into public.schema_migrations (name, checksum) values (%s, %s)"
            " on conflict (name) do update"
            " set checksum = excluded.checksum, applied_at = clock_timestamp()",
            (script.name, script.checksum),
        )


def _prepare(connection: psycopg.Connection, root: Path) -> None:
    with connection.transaction():
        connection.execute((root / "roles.sql").read_bytes())
        connection.execute("set local role presage_owner")
        connection.execute(TRACKING)


def set_role_passwords(connection: psycopg.Connection) -> None:
    """Give each login role the password in `PRESAGE_{API,ADMIN,WORKER}_PASSWORD`, if set."""
    for role in LOGIN_ROLES:
        if password := os.environ.get(f"{role.upper()}_PASSWORD"):
            connection.execute(
                sql.SQL("alter role {} password {}").format(
                    sql.Identifier(role), sql.Literal(password)
                )
            )


def migrate(
    owner_url: str,
    *,
    phase: str = "all",
    dry_run: bool = False,
    progress: Callable[[str], None] | None = None,
    root: Path = HERE,
) -> list[str]:
    """Apply what is missing and return the names of the files applied (or, dry, to be applied).

    `phase` is all, pre or post; functions and policies belong to pre. Raises MigrationError when
    an applied migration's file was edited, psycopg.Error when a file fails (and is undone).
    """
    say = progress or (lambda _line: None)
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(%s)", (LOCK_KEY,))
        applied = _applied(connection)
        _refuse_edited(_migrations(root, "all"), applied)
        pending = [s for s in _migrations(root, phase) if s.name not in applied]
        if phase != "post":
            pending += [
                script
                for folder in ("functions", "policies")
                for script in _scripts(root / folder, f"{folder}/")
                if applied.get(script.name) != script.checksum
            ]
        if not dry_run:
            _prepare(connection, root)
        for script in pending:
            say(f"{'would apply' if dry_run else 'apply'} {script.name}")
            if not dry_run:
                _apply(connection, script)
    return [script.name for script in pending]


def main() -> None:
    """The command line; exits 1 with one line when the files and the database disagree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default=os.environ.get("DATABASE_URL_OWNER"))
    parser.add_argument("--phase", choices=("all", "pre", "post"), default="all")
    parser.add_argument("--dry-run", action="store_true", help="say what would be applied")
    parser.add_argument("--dump", action="store_true", help="write infra/db/schema.sql afterwards")
    parser.add_argument(
        "--role-passwords",
        action="store_true",
        help="set the login roles' passwords from PRESAGE_{API,ADMIN,WORKER}_PASSWORD",
    )
    options = parser.parse_args()
    if not options.url:
        parser.error("give --url or set DATABASE_URL_OWNER")
    try:
        applied = migrate(options.url, phase=options.phase, dry_run=options.dry_run, progress=print)
    except MigrationError as error:
        sys.exit(f"migrate: {error}")
    print(f"{len(applied)} file(s) {'pending' if options.dry_run else 'applied'}")
    if options.role_passwords:
        with psycopg.connect(options.url, autocommit=True) as connection:
            set_role_passwords(connection)
    if options.dump:
        (HERE / "schema.sql").write_text(dump_schema(options.url), encoding="utf-8")
        print("wrote infra/db/schema.sql")


if __name__ == "__main__":
    main()
