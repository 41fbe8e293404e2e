"""An API Gateway HTTP API event (payload 2.0) as a request: headers, parameters and a JSON body.

Numbers are parsed as decimals, never through a binary float, and what no field could mean is
refused here by its path: NaN, Infinity, NUL characters, lone surrogates, overlong strings, deep or
repeated keys.
"""

import base64
import binascii
import json
import re
import uuid
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Self
from urllib.parse import parse_qsl

from aws_lambda_powertools.utilities.data_classes.api_gateway_proxy_event import (
    APIGatewayProxyEventV2,
)

from presage.errors import BadRequestError, ValidationFailedError

MAX_BODY_BYTES = 1_000_000
MAX_STRING_CHARS = 20_000
MAX_DEPTH = 20
MAX_NUMBER_CHARS = 50
MAX_QUERY_FIELDS = 100
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,100}")


@dataclass(frozen=True)
class Request:
    """What a handler sees of one HTTP request. Header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    cookies: dict[str, str]
    path_parameters: dict[str, str]
    raw_query: str
    raw_body: str
    is_base64: bool
    ip: str
    request_id: str

    @classmethod
    def from_event(cls, event: dict[str, Any]) -> Self:
        """Read the event; the caller's IP is the gateway's own word, never a header's."""
        proxied = APIGatewayProxyEventV2(event)
        http = proxied.request_context.http
        headers = {name.lower(): value for name, value in event.get("headers", {}).items()}
        pairs = (cookie.partition("=") for cookie in event.get("cookies", ()))
        asked = headers.get("x-request-id", "")
        return cls(
            method=http.method,
            path=proxied.raw_path,
            headers=headers,
            cookies={name.strip(): value for name, _, value in pairs},
            path_parameters=dict(event.get("pathParameters") or {}),
            raw_query=event.get("rawQueryString", ""),
            raw_body=event.get("body") or "",
            is_base64=bool(event.get("isBase64Encoded")),
            ip=http.source_ip,
            request_id=asked if _REQUEST_ID.fullmatch(asked) else str(uuid.uuid4()),
        )

    def body_bytes(self) -> bytes:
        """The body as it was sent.

        Raises:
            BadRequestError: over 1 MB, or not the base64 it says it is.
        """
        try:
            body = base64.b64decode(self.raw_body) if self.is_base64 else self.raw_body.encode()
        except (binascii.Error, UnicodeEncodeError):
            raise BadRequestError("The body cannot be read.", field="body") from None
        if len(body) > MAX_BODY_BYTES:
            raise BadRequestError("The body is over 1 MB.", field="body")
        return body

    def fields(self) -> dict[str, Any]:
        """Path, query and body fields together; a name may come from one of them only.

        Raises:
            BadRequestError: the body is not a JSON object.
            ValidationFailedError: a name is given twice, or a value no field may hold.
        """
        fields: dict[str, Any] = {}
        query = parse_qsl(
            self.raw_query, keep_blank_values=True, max_num_fields=None, separator="&"
        )
        if len(query) > MAX_QUERY_FIELDS:
            raise BadRequestError("The query has too many fields.", field="query")
        body = json_object(self.body_bytes())
        for name, value in (*self.path_parameters.items(), *query, *body.items()):
            if name in fields:
                raise ValidationFailedError(f"{name} is given more than once.", field=name)
            fields[name] = value
        for name, value in fields.items():
            _refuse_unspeakable(value, name, depth=0)
        return fields


def json_object(body: bytes) -> dict[str, Any]:
    """Parse a JSON object with exact decimals; an empty body is an empty object.

    Raises:
        BadRequestError: it is not JSON, or not an object, or nested too deep to read.
    """
    if not body:
        return {}
    try:
        parsed = json.loads(
            body,
            parse_float=_exact,
            parse_int=_whole,
            parse_constant=_refuse_constant,
            object_pairs_hook=_without_repeats,
        )
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, _RefusedJsonError) else "The body is not JSON."
        raise BadRequestError(reason, field="body") from None
    if not isinstance(parsed, dict):
        raise BadRequestError("The body must be a JSON object.", field="body")
    return parsed


def _exact(text: str) -> Decimal:
    """A JSON number as written; one of absurd length or exponent costs seconds to expand."""
    try:
        number = Decimal(text) if len(text) <= MAX_NUMBER_CHARS else None
    except InvalidOperation:
        number = None
    if number is None or abs(number.adjusted()) > MAX_NUMBER_CHARS:
        raise _RefusedJsonError("A number has too many digits.")
    return number


def _whole(text: str) -> int:
    if len(text) > MAX_NUMBER_CHARS:
        raise _RefusedJsonError("A number has too many digits.")
    return int(text)


class _RefusedJsonError(ValueError):
    """JSON that parsers disagree on."""


def _refuse_constant(name: str) -> None:
    raise _RefusedJsonError(f"{name} is not JSON.")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _RefusedJsonError("A name is repeated in the body.")
    return fields


def _refuse_unspeakable(value: Any, path: str, *, depth: int) -> None:  # noqa: ANN401 - any JSON
    if depth > MAX_DEPTH:
        raise ValidationFailedError("is nested too deep.", field=path)
    if isinstance(value, str):
        if len(value) > MAX_STRING_CHARS:
            raise ValidationFailedError(f"{path} is too long.", field=path)
        if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
            raise ValidationFailedError(f"{path} has a character that is not text.", field=path)
    elif isinstance(value, dict):
        for name, inner in value.items():
            _refuse_unspeakable(name, f"{path}.{name[:50]!a}", depth=depth + 1)
            _refuse_unspeakable(inner, f"{path}.{name[:50]}", depth=depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _refuse_unspeakable(inner, f"{path}.{index}", depth=depth + 1)
