"""How Postgres goes about a named query."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg

import presage
from presage.db.queries import Queries

DOMAINS = Path(presage.__file__).parent


def plan(
    worker: psycopg.Connection, domain: str, name: str, told: Mapping[str, object]
) -> dict[str, Any]:
    """The plan of a domain's query as it was carried out, with the blocks that it read."""
    worker.prepare_threshold = None  # as the handlers do: planned for the values at hand
    statement = Queries(DOMAINS / domain / "queries.sql")[name].sql.rstrip(";\n ")
    explained = f"explain (analyze, buffers, format json) {statement}"
    row = worker.execute(explained.encode(), told).fetchone()
    assert row is not None
    root: dict[str, Any] = row[0][0]["Plan"]
    return root


def nodes(root: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan's steps."""
    yield root
    for below in root.get("Plans", []):
        yield from nodes(below)


def scanned(root: dict[str, Any]) -> set[str]:
    """The tables that are read from end to end."""
    return {node["Relation Name"] for node in nodes(root) if node["Node Type"] == "Seq Scan"}
