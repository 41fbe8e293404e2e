"""Write the generated files, or check that they are current: `python -m infra.docs [--check]`.

`openapi.json` comes from the route table and the handlers' models, the README's tables from
routes.py, errors.py, config.py and ops/alerts.py, `infra/db/schema.sql` from the migrations on an
embedded server (which a contract test checks, so `--check` does not start one). Dashboards and
alarms come from METRICS (see dashboard.py).
"""

import argparse
import importlib
import json
import re
import sys
import tomllib
from functools import partial
from pathlib import Path

from infra import dashboard
from infra.dashboard import grafana_text
from infra.db.dump import dump_schema
from infra.db.migrate import migrate
from infra.local.postgres import Postgres
from presage.config import SETTINGS, Setting
from presage.edge.openapi import Handler, document
from presage.errors import ALL_ERRORS
from presage.ops.alerts import ALERTS
from presage.routes import ROUTES, Route

ROOT = Path(__file__).resolve().parent.parent


def handlers() -> dict[str, Handler]:
    """Every Lambda's handler, by stem."""
    return {
        stem: importlib.import_module(f"functions.{route.domain}.{stem}.handler").handler
        for stem, route in ROUTES.items()
    }


def openapi_text() -> str:
    """openapi.json as it should be."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    text = json.dumps(document(handlers(), project["project"]["version"]), indent=2)
    return text + "\n"


def readme_text() -> str:
    """README.md with its generated tables as they should be."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, table in (
        ("routes", _routes_table()),
        ("errors", _errors_table()),
        ("settings", _settings_table()),
        ("alerts", _alerts_table()),
    ):
        marked = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        # A function as the replacement: a table's backslashes are text.
        text = marked.sub(partial(_insert, table), text)
    return text


def _insert(table: str, marks: re.Match[str]) -> str:
    return f"{marks[1]}{table}{marks[2]}"


def template_text() -> str:
    """template.yaml with its dashboard and alarms as they should be."""
    return dashboard.template_text((ROOT / "template.yaml").read_text(encoding="utf-8"))


def schema_text() -> str:
    """schema.sql as the migrations, functions and policies make it."""
    with Postgres().start(durable=False) as server:
        url = server.create_database("schema")
        migrate(url)
        return dump_schema(url)


def _routes_table() -> str:
    rows = [
        f"| `{route.method} {route.path}` | {route.summary} | {_who(route)} | {_limit(route)} "
        f"| {f'{route.cache_s} s' if route.cache_s else ''} | `{route.stem}` |"
        for route in ROUTES.values()
    ]
    head = "| route | what it does | who | limit | cached | stem |\n|---|---|---|---|---|---|\n"
    return head + "\n".join(rows) + "\n"


def _who(route: Route) -> str:
    """Who may call, and what an API key needs for it."""
    return f"{route.auth}, {route.scope}" if route.auth in {"user", "admin"} else route.auth


def _limit(route: Route) -> str:
    return f"{route.limit_per_min}/min by {route.limit_by}" if route.limit_per_min else ""


def _errors_table() -> str:
    rows = [
        f"| {error.code} | {int(error.status)} | {(error.__doc__ or '').strip()} "
        f"| {'yes' if error.retryable else 'no'} |"
        for error in ALL_ERRORS
    ]
    return "| code | status | meaning | retry |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"


def _settings_table() -> str:
    rows = [
        f"| `{setting.name}` | {setting.meaning} | {_default(setting)} "
        f"| {'yes' if setting.secret else ''} |"
        for setting in SETTINGS.values()
    ]
    return "| setting | meaning | default | secret |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"


def _alerts_table() -> str:
    rows = [
        f"| `{name}` | {alert.severity} | {alert.meaning} | {alert.first_step} |"
        for name, alert in ALERTS.items()
    ]
    return (
        "| type | severity | meaning | first step |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def _default(setting: Setting) -> str:
    if setting.default is None:
        return "required"
    return f"`{setting.default}`" if setting.default else ""


def main() -> None:
    """Write, or with --check exit 1 and name what is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when stale")
    check = parser.parse_args().check
    stale = []
    files = {
        "openapi.json": openapi_text,
        "README.md": readme_text,
        "template.yaml": template_text,
        "infra/dashboards/presage.json": grafana_text,
    }
    if not check:
        files["infra/db/schema.sql"] = schema_text
    for name, make in files.items():
        path, text = ROOT / name, make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path.name)
            if not check:
                path.write_text(text, encoding="utf-8")
    if stale and check:
        sys.exit(f"stale: {', '.join(stale)}; run make docs")
    print("current" if not stale else f"wrote {', '.join(stale)}")


if __name__ == "__main__":
    main()
