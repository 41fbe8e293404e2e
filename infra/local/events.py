"""API Gateway's payload format 2.0: the event a function gets, the answer it gives.

Source: "Working with AWS Lambda proxy integrations for HTTP APIs" in the API Gateway developer
guide, and captures of real events: `rawPath` arrives decoded, cookies leave the headers.
"""

import base64
import binascii
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson

from infra.local.asgi import Headers
from infra.local.clock import now_ms
from infra.local.template import Route

STAGE = "$default"
API_ID = "local"
MAX_ANSWER_BYTES = 6 * 1024 * 1024  # Lambda's limit on a synchronous answer
_TEXT_TYPES = frozenset({"application/json", "application/xml", "application/javascript"})


class MalformedAnswerError(ValueError):
    """A function's answer that API Gateway turns into a 500."""


@dataclass(frozen=True)
class HttpRequest:
    """A request as it came in. The path is percent-encoded; header names are lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    cookies: list[str]
    body: bytes
    source_ip: str
    protocol: str = "HTTP/1.1"


@dataclass(frozen=True)
class HttpAnswer:
    """What goes back to the client."""

    status: int
    headers: Headers
    body: bytes


def build_event(
    request: HttpRequest, route: Route, parameters: dict[str, str], request_id: str
) -> dict[str, Any]:
    """The event for one request. Members without content are left out, as on AWS."""
    host = request.headers.get("host", "")
    path = unquote(request.path)
    at_ms = now_ms()
    when = datetime.fromtimestamp(at_ms / 1_000, UTC)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route.key,
        "rawPath": path,
        "rawQueryString": request.query,
        "headers": request.headers,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": API_ID,
            "domainName": host,
            "domainPrefix": host.partition(".")[0].partition(":")[0],
            "http": {
                "method": request.method,
                "path": path,
                "protocol": request.protocol,
                "sourceIp": request.source_ip,
                "userAgent": request.headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": route.key,
            "stage": STAGE,
            "time": when.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": at_ms,
        },
        "isBase64Encoded": False,
    }
    if request.cookies:
        event["cookies"] = request.cookies
    if request.query:
        event["queryStringParameters"] = _query_parameters(request.query)
    if parameters:
        event["pathParameters"] = parameters
    if request.body:
        event["body"], event["isBase64Encoded"] = _encode_body(request)
    return event


def new_request_id() -> str:
    """A request id of the shape API Gateway uses."""
    return base64.b64encode(secrets.token_bytes(11)).decode()


def read_answer(payload: Any) -> HttpAnswer:  # noqa: ANN401 - whatever a handler returned
    """A function's answer as HTTP.

    Without `statusCode` anything is the JSON body of a 200. Raises MalformedAnswerError for
    what API Gateway refuses.
    """
    if not isinstance(payload, dict) or "statusCode" not in payload:
        text = payload if isinstance(payload, str) else orjson.dumps(payload).decode()
        return HttpAnswer(200, [(b"content-type", b"application/json")], text.encode())
    try:
        status = int(payload["statusCode"])
    except (TypeError, ValueError) as error:
        raise MalformedAnswerError("statusCode is not a number") from error
    body = _decode_body(payload)
    if len(body) > MAX_ANSWER_BYTES:
        raise MalformedAnswerError("the answer is over 6 MB")
    headers = _answer_headers({} if payload.get("headers") is None else payload["headers"])
    if body and not any(name == b"content-type" for name, _ in headers):
        headers.append((b"content-type", b"text/plain;charset=UTF-8"))
    cookies = payload.get("cookies") or []
    if not isinstance(cookies, list):
        raise MalformedAnswerError("cookies is not a list")
    headers += [(b"set-cookie", str(one).encode("latin-1")) for one in cookies]
    if not 100 <= status <= 599:  # noqa: PLR2004 - HTTP's range
        raise MalformedAnswerError(f"statusCode {status}")
    return HttpAnswer(status, headers, body)


def message(status: int, text: str) -> HttpAnswer:
    """One of API Gateway's own answers."""
    body = orjson.dumps({"message": text})
    return HttpAnswer(status, [(b"content-type", b"application/json")], body)


def _query_parameters(query: str) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _encode_body(request: HttpRequest) -> tuple[str, bool]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith("text/") or kind in _TEXT_TYPES:
        try:
            return request.body.decode(), False
        except UnicodeDecodeError:
            pass  # a text type with a body that is none travels like binary
    return base64.b64encode(request.body).decode(), True


def _decode_body(payload: dict[str, Any]) -> bytes:
    body = payload.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise MalformedAnswerError("body is not a string")
    if not payload.get("isBase64Encoded"):
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise MalformedAnswerError("body is not base64") from error


def _answer_headers(headers: Any) -> Headers:  # noqa: ANN401 - whatever a handler returned
    if not isinstance(headers, dict):
        raise MalformedAnswerError("headers is not an object")
    lines: Headers = []
    for name, value in headers.items():
        if isinstance(value, dict | list) or value is None:
            raise MalformedAnswerError(f"header {name} is not a string")
        text = str(value).lower() if isinstance(value, bool) else str(value)
        lower = name.lower()
        if "\n" in text or "\r" in text:
            raise MalformedAnswerError(f"header {name} has a line break")
        if lower not in {"content-length", "transfer-encoding", "connection"}:
            lines.append((lower.encode("latin-1"), text.encode("latin-1", "replace")))
    return lines
