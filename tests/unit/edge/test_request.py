"""Bodies that parsers disagree on, and values that no field may hold."""

import base64
import json
from decimal import Decimal
from typing import Any

import pytest

from presage.edge.request import MAX_BODY_BYTES, Request, json_object
from presage.errors import BadRequestError, PresageError, ValidationFailedError


def _request(
    body: str = "",
    query: str = "",
    *,
    is_base64: bool = False,
    path: dict[str, str] | None = None,
) -> Request:
    event: dict[str, Any] = {
        "rawPath": "/x",
        "rawQueryString": query,
        "headers": {"X-Request-Id": "well-formed-1"},
        "requestContext": {"http": {"method": "POST", "sourceIp": "203.0.113.7"}},
        "body": body,
        "isBase64Encoded": is_base64,
        "pathParameters": path,
    }
    return Request.from_event(event)


def test_numbers_stay_decimal() -> None:
    assert json_object(b'{"price": 0.1, "size": 3}') == {"price": Decimal("0.1"), "size": 3}


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'"text"',
        b"1",
        b"null",
        b"{",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a": ' + b"9" * 5000 + b"}",
        b"\xff\xfe",
        b"{'a': 1}",
    ],
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequestError) as refused:
        json_object(body)
    assert refused.value.details == {"field": "body"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"a": "\\u0000"}', "a"),
        ('{"a": {"b": ["ok", "\\ud800"]}}', "a.b.1"),
        (json.dumps({"a": "x" * 20_001}), "a"),
    ],
)
def test_text_that_is_none_is_refused_by_its_path(body: str, field: str) -> None:
    with pytest.raises(ValidationFailedError) as refused:
        _request(body).fields()
    assert refused.value.details == {"field": field}


def test_depth_is_bounded() -> None:
    with pytest.raises(ValidationFailedError):
        _request('{"a": ' + "[" * 30 + "]" * 30 + "}").fields()


@pytest.mark.parametrize(
    ("body", "query", "path"),
    [("{}", "a=1&a=2", {}), ('{"a": 1}', "a=1", {}), ('{"a": 1}', "", {"a": "1"})],
)
def test_a_field_is_given_once(body: str, query: str, path: dict[str, str]) -> None:
    with pytest.raises(ValidationFailedError) as refused:
        _request(body, query, path=path).fields()
    assert refused.value.details == {"field": "a"}


def test_base64_bodies_are_decoded() -> None:
    body = base64.b64encode(b'{"a": "\xe0\xa6\xac"}').decode()
    assert _request(body, is_base64=True).fields() == {"a": "ব"}


@pytest.mark.parametrize(("body", "is_base64"), [("x" * (MAX_BODY_BYTES + 1), False), ("a", True)])
def test_bodies_that_cannot_be_taken(body: str, *, is_base64: bool) -> None:
    with pytest.raises(PresageError) as refused:
        _request(body, is_base64=is_base64).fields()
    assert refused.value.details == {"field": "body"}


def test_too_many_query_fields_are_refused() -> None:
    with pytest.raises(BadRequestError):
        _request(query="&".join(f"f{n}=1" for n in range(101))).fields()


def test_only_a_well_formed_request_id_is_taken() -> None:
    assert _request().request_id == "well-formed-1"
    event: dict[str, Any] = {
        "headers": {"x-request-id": "bad id\n"},
        "requestContext": {"http": {"method": "GET", "sourceIp": "203.0.113.7"}},
        "rawPath": "/",
    }
    assert Request.from_event(event).request_id != "bad id\n"
