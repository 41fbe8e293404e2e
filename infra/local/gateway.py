"""API Gateway's HTTP API on loopback: routes from template.yaml, events as on AWS.

Each path is served bare and under /api and /api/v1, the prefixes that custom-domain mappings
add; `rawPath` keeps the prefix, as it does there.
Run: `python -m infra.local.gateway --port 8000 --template template.yaml`.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from infra.local.asgi import (
    BodyTooLargeError,
    DisconnectedError,
    Receive,
    Scope,
    Send,
    read_body,
    respond,
    serve,
)
from infra.local.cors import is_preflight, preflight_headers, with_cors
from infra.local.events import (
    HttpAnswer,
    HttpRequest,
    MalformedAnswerError,
    build_event,
    message,
    new_request_id,
    read_answer,
)
from infra.local.inprocess import DEFAULT_THREADS, InProcess, apply_environment
from infra.local.invocation import Dispatcher, InvocationError
from infra.local.router import Match, Router
from infra.local.runtime import DEFAULT_CAP, RuntimeProcesses
from infra.local.template import HttpApi, load

MAX_BODY_BYTES = 10 * 1024 * 1024
INTEGRATION_TIMEOUT_S = 30.0
PREFIXES = ("/api/v1", "/api")

type Log = Callable[[str], None]


class Gateway:
    """The ASGI application."""

    def __init__(
        self,
        api: HttpApi,
        dispatcher: Dispatcher,
        log: Log,
        *,
        access_log: bool = True,
        integration_timeout_s: float = INTEGRATION_TIMEOUT_S,
    ) -> None:
        self._router = Router(api.routes)
        self._cors = api.cors
        self._dispatcher = dispatcher
        self._log = log
        self._access_log = access_log
        self._timeout_s = integration_timeout_s
        self._calls: set[asyncio.Task[Any]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request, or the server's start and stop."""
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await self._dispatcher.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
        started = time.perf_counter()
        request_id = new_request_id()
        try:
            answer = await self._answer(scope, receive, request_id)
        except DisconnectedError:
            return
        headers = [*answer.headers, (b"apigw-requestid", request_id.encode())]
        await respond(send, answer.status, answer.body, headers)
        if self._access_log:
            spent_ms = (time.perf_counter() - started) * 1_000
            path = scope["raw_path"].decode("latin-1")
            self._log(f"{scope['method']} {path} {answer.status} {spent_ms:.1f}ms")

    async def _answer(self, scope: Scope, receive: Receive, request_id: str) -> HttpAnswer:
        headers, cookies = _headers(scope)
        if self._cors is not None and is_preflight(scope["method"], headers):
            return HttpAnswer(204, preflight_headers(self._cors, headers), b"")
        found = self._find(scope["method"], scope["raw_path"].decode("latin-1"))
        if found is None:
            answer = message(HTTPStatus.NOT_FOUND, "Not Found")
        else:
            try:
                body = await read_body(receive, MAX_BODY_BYTES)
            except BodyTooLargeError:
                return message(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Request Entity Too Large")
            request = HttpRequest(
                method=scope["method"],
                path=scope["raw_path"].decode("latin-1"),
                query=scope["query_string"].decode("latin-1"),
                headers=headers,
                cookies=cookies,
                body=body,
                source_ip=scope["client"][0],
                protocol=f"HTTP/{scope['http_version']}",
            )
            answer = await self._integrate(request, found, request_id)
        return HttpAnswer(
            answer.status, with_cors(self._cors, headers, answer.headers), answer.body
        )

    def _find(self, method: str, path: str) -> Match | None:
        for prefix in PREFIXES:
            if path.startswith(f"{prefix}/"):
                found = self._router.find(method, path.removeprefix(prefix))
                if found is not None:
                    return found
        return self._router.find(method, path)

    async def _integrate(self, request: HttpRequest, found: Match, request_id: str) -> HttpAnswer:
        route, parameters = found
        event = build_event(request, route, parameters, request_id)
        # On AWS the function runs on when the gateway gives up: so does this task.
        call = asyncio.create_task(self._dispatcher.invoke(route.function, event, request_id))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        done, _ = await asyncio.wait({call}, timeout=self._timeout_s)
        name = route.function.logical_id
        if not done:
            call.add_done_callback(_consume)
            self._log(f"{name} {request_id}: no answer in {self._timeout_s:g} s")
            return message(HTTPStatus.SERVICE_UNAVAILABLE, "Service Unavailable")
        try:
            answer = read_answer(call.result())
        except (InvocationError, MalformedAnswerError, TypeError) as error:
            self._log(f"{name} {request_id}: {error}")
            return message(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal Server Error")
        return answer


def _consume(call: asyncio.Task[Any]) -> None:
    """Take the outcome nobody waits for, so that it is not reported as forgotten."""
    if not call.cancelled():
        call.exception()


def _headers(scope: Scope) -> tuple[dict[str, str], list[str]]:
    """Header lines joined by commas, cookies apart, and the lines API Gateway adds."""
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name == "cookie":
            cookies += [part for one in value.split(";") if (part := one.strip())]
        else:
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    seen = headers.get("x-forwarded-for")
    client = scope["client"][0]
    headers["x-forwarded-for"] = f"{seen}, {client}" if seen else client
    headers["x-forwarded-proto"] = scope["scheme"]
    headers["x-forwarded-port"] = str(scope["server"][1])
    if "x-amzn-trace-id" not in headers:
        trace = os.urandom(12).hex()
        headers["x-amzn-trace-id"] = f"Root=1-{int(time.time()):08x}-{trace}"
    return headers, cookies


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Run the gateway."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--template", type=Path, default=Path("template.yaml"))
    parser.add_argument("--api", help="logical id of the HttpApi, when there are several")
    dispatch = os.environ.get("PRESAGE_DISPATCH", "inprocess")
    parser.add_argument("--dispatch", choices=("inprocess", "runtime"), default=dispatch)
    parser.add_argument("--threads", type=int, default=DEFAULT_THREADS)
    parser.add_argument("--processes", type=int, default=DEFAULT_CAP)
    parser.add_argument("--log-dir", type=Path, help="logs of function processes")
    parser.add_argument("--integration-timeout-s", type=float, default=INTEGRATION_TIMEOUT_S)
    parser.add_argument("--quiet", action="store_true", help="no access log")
    options = parser.parse_args()
    api = load(options.template, api=options.api, environment=os.environ)
    root = options.template.resolve().parent
    dispatcher: Dispatcher
    if options.dispatch == "inprocess":
        apply_environment(api.functions)
        dispatcher = InProcess(root, options.threads)
    else:
        log_dir = options.log_dir or Path(tempfile.mkdtemp(prefix="presage-functions-"))
        dispatcher = RuntimeProcesses(root, log_dir, options.processes)
    gateway = Gateway(
        api,
        dispatcher,
        _say,
        access_log=not options.quiet,
        integration_timeout_s=options.integration_timeout_s,
    )
    serve(gateway, options.port)


if __name__ == "__main__":
    main()
