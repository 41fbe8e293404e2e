"""One stem everywhere: the route table, the folders, the template, the events, the documents."""

import ast
import json
import re
from pathlib import Path

import pytest

from infra import docs
from infra.local import template
from presage.config import SETTINGS
from presage.routes import ROUTES

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template.yaml"
MAX_HANDLER_LINES = 14
MAX_LINES = 500
MAX_FUNCTION_LINES = 70
# CloudFormation's limit is 500; what a transform adds must fit too.
MAX_RESOURCES = 450
BANNED_MODULES = {"utils", "helpers", "common"}


@pytest.fixture(scope="module")
def api() -> template.HttpApi:
    return template.load(TEMPLATE)


def _pascal(stem: str) -> str:
    return "".join(word.capitalize() for word in stem.split("_"))


def _handlers() -> dict[str, Path]:
    return {path.parent.name: path for path in ROOT.glob("functions/*/*/handler.py")}


def _python_files() -> list[Path]:
    folders = ("shared/presage", "functions", "infra", "tests")
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def test_every_route_has_its_folder() -> None:
    expected = {f"{route.domain}/{stem}" for stem, route in ROUTES.items()}
    actual = {"/".join(path.parts[-3:-1]) for path in _handlers().values()}
    assert expected == actual


def test_every_route_has_its_event() -> None:
    assert set(ROUTES) == {path.stem for path in (ROOT / "events").glob("*.json")}


@pytest.mark.parametrize("stem", ROUTES)
def test_an_event_is_for_its_route(stem: str) -> None:
    event = json.loads((ROOT / "events" / f"{stem}.json").read_text(encoding="utf-8"))
    assert event["version"] == "2.0"
    assert event["routeKey"] == f"{ROUTES[stem].method} {ROUTES[stem].path}"


def test_the_template_serves_the_routes_and_nothing_else(api: template.HttpApi) -> None:
    expected = {
        (route.method, route.path, f"{_pascal(stem)}Function", f"functions/{route.domain}/{stem}")
        for stem, route in ROUTES.items()
    }
    actual = {
        (
            route.method,
            route.path,
            route.function.logical_id,
            str(Path(route.function.code).resolve().relative_to(ROOT)),
        )
        for route in api.routes
    }
    assert expected == actual


# These wait for an IPFS node and then for the chain, each within its own limits.
PATIENT_S = {"propose_market": 20, "resolve_on_chain": 20}


@pytest.mark.parametrize("stem", ROUTES)
def test_a_template_block_has_its_role_and_time(stem: str, api: template.HttpApi) -> None:
    block = re.search(
        rf"^  {_pascal(stem)}Function:\n(?:    .*\n)+", TEMPLATE.read_text(), re.MULTILINE
    )
    assert block is not None
    zone = ROUTES[stem].zone
    role = "Webhook" if ROUTES[stem].auth == "webhook" else zone.capitalize()
    assert f"Role: !GetAtt {role}Role.Arn" in block[0]
    usual_s = 28 if zone == "worker" else 10
    assert api.functions[f"{_pascal(stem)}Function"].timeout_s == PATIENT_S.get(stem, usual_s)


def test_what_the_roles_may_read_are_the_secrets() -> None:
    granted = re.findall(r":secret:presage/\${Stage}/(\w+)-\*$", TEMPLATE.read_text(), re.MULTILINE)
    assert {setting.name for setting in SETTINGS.values() if setting.secret} == set(granted)


def test_the_stack_stays_under_its_limit_of_resources(api: template.HttpApi) -> None:
    assert len(ROUTES) < api.resource_count <= MAX_RESOURCES


@pytest.mark.parametrize("stem", ROUTES)
def test_a_handler_only_wires(stem: str) -> None:
    text = _handlers()[stem].read_text()
    tree = ast.parse(text)
    docstring, *imports, assignment = tree.body
    assert len(text.splitlines()) <= MAX_HANDLER_LINES
    assert isinstance(docstring, ast.Expr)
    assert all(isinstance(node, ast.ImportFrom) for node in imports)
    assert isinstance(assignment, ast.Assign)
    assert isinstance(assignment.value, ast.Call)
    assert ast.literal_eval(assignment.value.args[0]) == stem
    assert (ast.get_docstring(tree) or "").startswith(f"{ROUTES[stem].method} {ROUTES[stem].path}:")


def test_no_module_is_a_drawer_for_everything() -> None:
    assert [path for path in _python_files() if {path.stem, *path.parts} & BANNED_MODULES] == []


def test_files_and_functions_stay_short() -> None:
    long = []
    for path in _python_files():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if len(path.read_text(encoding="utf-8").splitlines()) > MAX_LINES:
            long.append(str(path))
        long += [
            f"{path}:{node.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and (node.end_lineno or node.lineno) - node.lineno >= MAX_FUNCTION_LINES
        ]
    assert long == []


def test_generated_documents_are_current() -> None:
    assert (ROOT / "openapi.json").read_text(encoding="utf-8") == docs.openapi_text()
    assert (ROOT / "README.md").read_text(encoding="utf-8") == docs.readme_text()


def test_errors_are_never_told_by_their_text() -> None:
    pattern = re.compile(
        r"(==|!=|\bin\b)[^#\n]*\bstr\((exc|error|err|e)\)|\bstr\((exc|error|err|e)\)\s*(==|!=|\bin\b|\.(startswith|endswith))"
    )
    hits = [
        f"{path}:{number}"
        for path in (ROOT / "shared/presage").rglob("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert hits == []
