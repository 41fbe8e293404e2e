"""Who may import whom, and how much a cold start may cost."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from presage.routes import ROUTES

ROOT = Path(__file__).resolve().parents[2]
PRESAGE = ROOT / "shared/presage"
DOMAINS = {path.parent.name for path in PRESAGE.glob("*/service.py")} | {
    "chain",
    "workflows",
    "prices",
}
# What a user's request may not load, whatever it is for.
NEVER = (
    "boto3",
    "botocore.session",
    "qstash",
    "eth_account",
    "sentry_sdk",
    "samtranslator",
    "starlette",
)
BUDGET_MS = 350
# What psycopg takes on the machine that the budget was set on.
PSYCOPG_MS = 87
ATTEMPTS = 10


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.startswith("presage.")}


def _files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((PRESAGE / folder).rglob("*.py"))]


def test_domains_never_import_the_edge() -> None:
    hits = {
        str(path): name
        for path in _files(*DOMAINS, "db", "adapters")
        for name in _imports(path)
        if name.startswith("presage.edge")
    }
    assert hits == {}


def test_db_and_adapters_never_import_a_domain() -> None:
    prefixes = tuple(f"presage.{domain}." for domain in DOMAINS)
    hits = {
        str(path): name
        for path in _files("db", "adapters")
        for name in _imports(path)
        if name.startswith(prefixes)
    }
    assert hits == {}


def test_only_a_domains_own_modules_read_its_queries() -> None:
    for path in PRESAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if "beside(" in text and path.parent.name != "db":
            assert "beside(__file__)" in text, path
        assert 'queries.sql"' not in text or path.parent.name == "db", path


def test_handlers_import_the_edge_and_domains_only() -> None:
    allowed = tuple(f"presage.{name}." for name in (*DOMAINS, "edge", "schema"))
    hits = {
        str(path): name
        for path in ROOT.glob("functions/*/*/handler.py")
        for name in _imports(path)
        if not name.startswith(allowed)
    }
    assert hits == {}


def test_no_cold_start_loads_anything_heavy() -> None:
    # What none of them loads together, none loads alone.
    modules = ", ".join(f"functions.{one.domain}.{one.stem}.handler" for one in ROUTES.values())
    loaded = set(_run(f"import sys, {modules}; print(*sorted(sys.modules))").split())
    assert [name for name in NEVER if name in loaded] == []


READS = [stem for stem, route in ROUTES.items() if route.method == "GET"]


@pytest.mark.parametrize("stem", READS)
def test_a_reads_cold_start_stays_in_its_budget(stem: str) -> None:
    # The first good one counts: what neighbours do on the machine is not its cost.
    assert any(_is_within_budget(stem) for _ in range(ATTEMPTS))


def _is_within_budget(stem: str) -> bool:
    """A machine that takes k times the reference's time for psycopg has k times the budget."""
    slowness = max(1.0, _import_ms("psycopg") / PSYCOPG_MS)
    handler = f"functions.{ROUTES[stem].domain}.{stem}.handler"
    return _import_ms(handler) < BUDGET_MS * slowness


def _import_ms(module: str) -> float:
    """Processor time of a bare interpreter for an import, bytecode there."""
    return float(
        _run(
            f"import time; began = time.process_time(); import {module};"
            " print((time.process_time() - began) * 1000)"
        )
    )


def _run(program: str) -> str:
    environment = os.environ | {"PYTHONPATH": f"{ROOT}/shared:{ROOT}"}
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return result.stdout
