"""The gateway in process and under AWS' runtime client: events, answers, limits, CORS."""

import base64
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from . import sample_app
from .conftest import run_module

ORIGIN = "https://one.example"


@pytest.fixture(scope="module", params=["inprocess", "runtime"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("gateway")
    arguments = [
        "--template", str(sample_app.write(folder)), "--dispatch", request.param,
        "--integration-timeout-s", "0.6", "--processes", "2", "--log-dir", str(folder / "logs"),
    ]  # fmt: skip
    environment = {"STAGE": "test", "MARKER": "from the stack"}
    with run_module("infra.local.gateway", folder, *arguments, env=environment) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=10) as http:
        yield http


@pytest.fixture(scope="module")
def inprocess(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """What does not depend on how functions run is tested once."""
    folder = tmp_path_factory.mktemp("inprocess")
    template = ("--template", str(sample_app.write(folder)))
    with (
        run_module("infra.local.gateway", folder, *template, env={"STAGE": "test"}) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as http,
    ):
        yield http


def event_of(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    event: dict[str, Any] = answer.json()["event"]
    return event


def answer_of(client: httpx.Client, result: object) -> httpx.Response:
    return client.post("/answer", json=result)


def test_the_event_has_the_documented_shape(client: httpx.Client) -> None:
    answer = client.post(
        "/api/v1/items/7%2F8%20%E0%A6%95?parameter1=value1&parameter1=value2&parameter2=a%20b&p3=",
        content=b"Hello from Lambda",
        headers=[
            ("Content-Type", "text/plain"),
            ("Header1", "value1"),
            ("Header2", "value1"),
            ("Header2", "value2"),
            ("Cookie", "cookie1=a; cookie2=b"),
            ("User-Agent", "agent"),
            ("X-Forwarded-For", "192.0.2.1"),
        ],
    )
    event = event_of(answer)
    context = event.pop("requestContext")
    headers = event.pop("headers")
    assert event == {
        "version": "2.0",
        "routeKey": "POST /items/{item_id}",
        "rawPath": "/api/v1/items/7/8 ক",
        "rawQueryString": "parameter1=value1&parameter1=value2&parameter2=a%20b&p3=",
        "cookies": ["cookie1=a", "cookie2=b"],
        "queryStringParameters": {
            "parameter1": "value1,value2",
            "parameter2": "a b",
            "p3": "",
        },
        "pathParameters": {"item_id": "7/8 ক"},
        "body": "Hello from Lambda",
        "isBase64Encoded": False,
    }
    assert headers.pop("x-amzn-trace-id").startswith("Root=1-")
    host = headers["host"]
    assert headers == {
        "accept": "*/*",
        "accept-encoding": headers["accept-encoding"],
        "connection": "keep-alive",
        "content-length": "17",
        "content-type": "text/plain",
        "header1": "value1",
        "header2": "value1,value2",
        "host": host,
        "user-agent": "agent",
        "x-forwarded-for": "192.0.2.1, 127.0.0.1",
        "x-forwarded-port": host.partition(":")[2],
        "x-forwarded-proto": "http",
    }
    assert abs(context.pop("timeEpoch") - time.time() * 1_000) < 5_000
    time.strptime(context.pop("time"), "%d/%b/%Y:%H:%M:%S +0000")
    assert context.pop("requestId") == answer.headers["apigw-requestid"]
    assert context == {
        "accountId": "000000000000",
        "apiId": "local",
        "domainName": host,
        "domainPrefix": "127",
        "http": {
            "method": "POST",
            "path": "/api/v1/items/7/8 ক",
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": "agent",
        },
        "routeKey": "POST /items/{item_id}",
        "stage": "$default",
    }


def test_members_without_content_are_left_out(client: httpx.Client) -> None:
    event = event_of(client.get("/items"))
    assert sorted(event) == [
        "headers",
        "isBase64Encoded",
        "rawPath",
        "rawQueryString",
        "requestContext",
        "routeKey",
        "version",
    ]


def test_the_context_and_the_layer(client: httpx.Client) -> None:
    answer = client.get("/items").json()
    assert answer["mark"] == "from the layer"
    assert answer["stage"] == "test"
    assert answer["name"] == "EchoFunction"
    assert 20_000 < answer["left_ms"] <= 28_000
    assert answer["id"]


@pytest.mark.parametrize("prefix", ["", "/api", "/api/v1"])
def test_every_prefix_serves_the_same_routes(inprocess: httpx.Client, prefix: str) -> None:
    event = event_of(inprocess.get(f"{prefix}/items/special"))
    assert event["rawPath"] == f"{prefix}/items/special"
    assert event["routeKey"] == "GET /items/special"
    assert inprocess.post(f"{prefix}/items/special").json()["event"]["pathParameters"] == {
        "item_id": "special"
    }
    assert event_of(inprocess.delete(f"{prefix}/any/1"))["routeKey"] == "ANY /any/{x}"
    assert event_of(inprocess.get(f"{prefix}/files/a/b%2Fc"))["pathParameters"] == {"path": "a/b/c"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nothing"), ("DELETE", "/items"), ("GET", "/api/v1"), ("GET", "/")],
)
def test_an_unmatched_route_is_404(inprocess: httpx.Client, method: str, path: str) -> None:
    answer = inprocess.request(method, path)
    assert (answer.status_code, answer.json()) == (404, {"message": "Not Found"})


@pytest.mark.parametrize(
    ("kind", "content", "encoded"),
    [
        ("application/json; charset=utf-8", '{"a": "ক"}'.encode(), False),
        ("text/csv", b"a,b", False),
        ("application/xml", b"<a/>", False),
        ("application/javascript", b"1", False),
        ("application/x-www-form-urlencoded", b"a=1", True),
        ("application/octet-stream", bytes(range(256)), True),
        ("application/json", b"\xff\xfe", True),
        (None, b"abc", True),
    ],
)
def test_bodies_are_encoded_by_their_type(
    inprocess: httpx.Client, kind: str | None, content: bytes, encoded: bool
) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    event = event_of(inprocess.post("/items/1", content=content, headers=headers))
    assert event["isBase64Encoded"] is encoded
    body = event["body"]
    assert (base64.b64decode(body) if encoded else body.encode()) == content


def test_a_body_over_ten_megabytes_is_413(inprocess: httpx.Client) -> None:
    limit = 10 * 1024 * 1024
    answer = inprocess.post("/items/1", content=b"x" * (limit + 1))
    assert (answer.status_code, answer.json()) == (413, {"message": "Request Entity Too Large"})
    headers = {"Content-Type": "text/plain"}
    assert inprocess.post("/items/1", content=b"x" * limit, headers=headers).status_code == 200


def test_the_full_answer_format(client: httpx.Client) -> None:
    answer = answer_of(
        client,
        {
            "statusCode": 201,
            "headers": {"X-A": "b", "Content-Type": "application/problem+json", "X-N": 5},
            "cookies": ["a=1; HttpOnly", "b=2"],
            "body": base64.b64encode(b"\x00\xff").decode(),
            "isBase64Encoded": True,
        },
    )
    assert (answer.status_code, answer.content) == (201, b"\x00\xff")
    assert answer.headers["x-a"] == "b"
    assert answer.headers["x-n"] == "5"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers.get_list("set-cookie") == ["a=1; HttpOnly", "b=2"]


@pytest.mark.parametrize(
    ("result", "body"),
    [
        ({"message": "hi"}, b'{"message":"hi"}'),
        ("plain", b"plain"),
        ([1, 2], b"[1,2]"),
        (7, b"7"),
    ],
)
def test_an_answer_without_a_status_is_inferred(
    inprocess: httpx.Client, result: object, body: bytes
) -> None:
    answer = answer_of(inprocess, result)
    assert (answer.status_code, answer.content) == (200, body)
    assert answer.headers["content-type"] == "application/json"


def test_an_empty_answer(inprocess: httpx.Client) -> None:
    answer = answer_of(inprocess, {"statusCode": 204})
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers


@pytest.mark.parametrize(
    "result",
    [
        {"statusCode": "many"},
        {"statusCode": 99},
        {"statusCode": 200, "body": {"not": "a string"}},
        {"statusCode": 200, "headers": {"a": {"b": 1}}},
        {"statusCode": 200, "headers": {"a": "b\r\nc: d"}},
        {"statusCode": 200, "headers": []},
        {"statusCode": 200, "body": "*", "isBase64Encoded": True},
        {"statusCode": 200, "cookies": "a=1"},
    ],
    ids=str,
)
def test_a_malformed_answer_is_500(inprocess: httpx.Client, result: object) -> None:
    answer = answer_of(inprocess, result)
    assert (answer.status_code, answer.json()) == (500, {"message": "Internal Server Error"})


@pytest.mark.parametrize("path", ["/do/raise", "/broken"])
def test_a_crash_is_500_and_the_next_call_works(client: httpx.Client, path: str) -> None:
    for _ in range(2):
        answer = client.request("GET" if path == "/broken" else "POST", path)
        assert (answer.status_code, answer.json()) == (500, {"message": "Internal Server Error"})
    assert client.post("/do/well").json()["how"] == "well"


def test_a_late_answer_is_503(client: httpx.Client) -> None:
    client.post("/do/well")  # started: initialisation does not count
    started = time.monotonic()
    answer = client.post("/do/sleep?s=0.9")
    assert (answer.status_code, answer.json()) == (503, {"message": "Service Unavailable"})
    assert 0.5 < time.monotonic() - started < 0.85


def test_interleaved_requests_keep_to_themselves(client: httpx.Client) -> None:
    def call(number: int) -> dict[str, Any]:
        result: dict[str, Any] = client.post("/do/mine", headers={"X-User": str(number)}).json()
        return result

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(call, range(4)))
    assert answers == [{"who": str(number), "same": True} for number in range(4)]


def test_preflight(inprocess: httpx.Client) -> None:
    headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    answer = inprocess.options("/api/v1/items", headers=headers)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["access-control-allow-methods"] == "GET,POST"
    assert answer.headers["access-control-allow-headers"] == "authorization,content-type"
    assert answer.headers["access-control-max-age"] == "600"
    stranger = inprocess.options("/items", headers=headers | {"Origin": "https://evil.example"})
    assert stranger.status_code == 204
    assert not [name for name in stranger.headers if name.startswith("access-control")]
    assert inprocess.options("/items").status_code == 404


def test_the_apis_cors_replaces_the_functions(inprocess: httpx.Client) -> None:
    result = {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*"}}
    answer = inprocess.post("/answer", json=result, headers={"Origin": ORIGIN})
    assert answer.headers.get_list("access-control-allow-origin") == [ORIGIN]
    assert answer.headers["access-control-expose-headers"] == "x-request-id"
    assert answer.headers["vary"] == "Origin"
    missing = inprocess.get("/nothing", headers={"Origin": ORIGIN})
    assert missing.headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-origin" not in answer_of(inprocess, result).headers


def test_another_loopback_address_is_another_source(inprocess: httpx.Client) -> None:
    port = inprocess.base_url.port
    assert port is not None
    with socket.create_connection(("127.0.0.1", port), 5, ("127.0.0.2", 0)) as connection:
        connection.sendall(b"GET /items HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        with connection.makefile("rb") as stream:
            body = stream.read().partition(b"\r\n\r\n")[2]
    assert json.loads(body)["event"]["requestContext"]["http"]["sourceIp"] == "127.0.0.2"


def test_runtime_processes(tmp_path: Path) -> None:
    arguments = [
        "--template", str(sample_app.write(tmp_path)), "--dispatch", "runtime",
        "--processes", "1", "--log-dir", str(tmp_path / "logs"),
    ]  # fmt: skip
    with (
        run_module("infra.local.gateway", tmp_path, *arguments, env={"STAGE": "test"}) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=15) as client,
    ):
        first = client.post("/do/well").json()["pid"]
        assert client.post("/do/well").json()["pid"] == first
        assert client.post("/do/exit").status_code == 500
        second = client.post("/do/well").json()["pid"]
        assert second != first
        # The function's own timeout (1 s) kills it.
        assert client.post("/do/sleep?s=60").status_code == 500
        third = client.post("/do/well").json()["pid"]
        assert third != second
        # Another function takes the only place.
        assert client.get("/items").status_code == 200
        assert client.post("/do/well").json()["pid"] != third
        # Both at once, again and again: more than there are places for.
        with ThreadPoolExecutor(8) as pool:
            asked = [
                pool.submit(client.post, "/do/well")
                if turn % 2
                else pool.submit(client.get, "/items")
                for turn in range(24)
            ]
            assert {one.result().status_code for one in asked} == {200}
    assert "no_such_module" not in (tmp_path / "logs" / "MisbehaveFunction.log").read_text()
