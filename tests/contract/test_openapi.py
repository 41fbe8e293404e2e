"""openapi.json says what every route answers, by name and without a free-form object."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from presage.routes import ROUTES

DOCUMENT = json.loads(
    (Path(__file__).resolve().parents[2] / "openapi.json").read_text(encoding="utf-8")
)


def _response(stem: str) -> dict[str, Any]:
    route = ROUTES[stem]
    operation = DOCUMENT["paths"][route.path][route.method.lower()]
    content: dict[str, Any] = operation["responses"][str(route.status)]["content"]
    return content


def _open_objects(schema: Any, path: str, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """Where a schema lets an object hold what it does not name."""
    if isinstance(schema, list):
        for index, one in enumerate(schema):
            yield from _open_objects(one, f"{path}.{index}", seen)
    if not isinstance(schema, dict):
        return
    reference = schema.get("$ref")
    if reference and reference not in seen:
        target: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
        yield from _open_objects(target, reference, seen | {reference})
    if schema.get("type") == "object" and schema.get("additionalProperties", True) is True:
        yield path
    for name, inner in schema.items():
        yield from _open_objects(inner, f"{path}.{name}", seen)


@pytest.mark.parametrize("stem", ROUTES)
def test_an_answer_has_a_named_model(stem: str) -> None:
    content = _response(stem)
    if set(content) == {ROUTES[stem].document.partition(";")[0]}:
        return
    data = content["application/json"]["schema"]["properties"]["data"]
    model = data.get("items", data)["$ref"].removeprefix("#/components/schemas/")
    assert model in DOCUMENT["components"]["schemas"]


@pytest.mark.parametrize("stem", ROUTES)
def test_no_answer_holds_a_free_form_object(stem: str) -> None:
    assert list(_open_objects(_response(stem), stem)) == []


def test_no_error_holds_a_free_form_object() -> None:
    error = DOCUMENT["components"]["schemas"]["Error"]
    assert list(_open_objects(error, "Error")) == []
