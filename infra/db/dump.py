"""The schema of a database as text that is the same on every machine (`infra/db/schema.sql`)."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg

from infra.local.postgres import find_binaries

# Comments, session settings and pg_dump's own guards name versions and random words.
NOISE = re.compile(r"^(--.*|SET .*|SELECT pg_catalog\.set_config.*|\\(un)?restrict .*)$")


class DumpError(Exception):
    """No pg_dump of the server's major version could be found: set PG_BIN."""


def _folders() -> Iterator[Path]:
    yield find_binaries()
    yield from Path("/usr/lib/postgresql").glob("*/bin")
    if found := shutil.which("pg_dump"):
        yield Path(found).parent


def find_pg_dump(major: int) -> Path:
    """A pg_dump of the server's major version; raises DumpError when there is none."""
    for folder in _folders():
        binary = folder / "pg_dump"
        if not os.access(binary, os.X_OK):
            continue
        said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
        if f" {major}." in said.stdout:
            return binary
    raise DumpError(f"no pg_dump of version {major} was found: set PG_BIN")


def dump_schema(url: str) -> str:
    """The schema of the database at `url`, without comments, settings, owners and blank runs."""
    with psycopg.connect(url) as connection:
        major = connection.info.server_version // 10000
    said = subprocess.run(
        [find_pg_dump(major), "--schema-only", "--no-owner", "--schema=public", f"--dbname={url}"],
        capture_output=True,
        text=True,
        check=True,
    )
    kept = "\n".join(line for line in said.stdout.splitlines() if not NOISE.match(line))
    return re.sub(r"\n{3,}", "\n\n", kept).strip() + "\n"
