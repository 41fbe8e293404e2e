"""The QStash API on loopback: publish, schedules, queues, retries, dead letters, signatures.

Protocol source: https://upstash.com/docs/qstash/api. With `PRESAGE_CLOCK_FILE` set, time stands
still until `POST /_local/advance`, which answers once all that is due has been delivered.
`POST /_local/faults` makes deliveries fail, lose their answers or happen twice.
Run: `python -m infra.local.qstash --port N --token T --current-key C --next-key K`.
"""

import argparse
import asyncio
import contextlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson

from infra.local.asgi import (
    BodyTooLargeError,
    DisconnectedError,
    Receive,
    Scope,
    Send,
    end_if_failed,
    read_body,
    respond,
    serve,
)
from infra.local.clock import now_ms, simulated
from infra.local.qstash_delivery import Courier, Faults
from infra.local.qstash_engine import Engine
from infra.local.qstash_messages import InvalidRequestError
from infra.local.qstash_signature import SigningKeys

MAX_BODY_BYTES = 10 * 1024 * 1024
MAX_PAGE = 1_000


class MissingError(Exception):
    """What the request names does not exist (404)."""


@dataclass(frozen=True)
class Request:
    """One API call; `words` are the path's segments after `/v2`, `rest` what follows the first."""

    method: str
    words: list[str]
    rest: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    caller_ip: str = "127.0.0.1"

    def json(self) -> Any:  # noqa: ANN401 - JSON of a stranger
        """The body as JSON, {} when empty."""
        return orjson.loads(self.body) if self.body else {}


type Result = tuple[int, Any]


class QStashApi:
    """The ASGI application."""

    def __init__(self, engine: Engine, token: str, state_file: Path | None = None) -> None:
        self._engine = engine
        self._authorization = f"Bearer {token}"
        self._state_file = state_file
        self._sections: dict[str, Callable[[Request], Result]] = {
            "publish": self._publish,
            "enqueue": self._enqueue,
            "batch": self._batch,
            "messages": self._messages,
            "schedules": self._schedules,
            "queues": self._queues,
            "topics": self._topics,
            "dlq": self._dlq,
            "events": self._events,
            "keys": self._keys,
            "flowControl": self._flow_control,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request, or the server's start and stop."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        try:
            status, payload = await self._answer(scope, receive)
        except DisconnectedError:
            return
        body = b"" if payload is None else orjson.dumps(payload)
        await respond(send, status, body)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        if self._state_file is not None and self._state_file.exists():
            self._engine.restore(self._state_file.read_bytes())
        loop = None if simulated() else asyncio.create_task(self._engine.run())
        if loop is not None:
            loop.add_done_callback(end_if_failed)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if loop is not None:
            loop.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await loop
        if self._state_file is not None:
            scratch = self._state_file.with_name(f"{self._state_file.name}.new")
            scratch.write_bytes(self._engine.saved())
            scratch.replace(self._state_file)
        await self._engine.courier.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive) -> Result:
        try:
            request = _request(scope, await read_body(receive, MAX_BODY_BYTES))
            given = request.headers.get("authorization", "")
            if not hmac.compare_digest(given.encode(), self._authorization.encode()):
                return 401, {"error": "invalid token"}
            return await self._route(scope["path"], request)
        except BodyTooLargeError:
            return 413, {"error": "message is too large"}
        except MissingError as error:
            return 404, {"error": f"{error} not found"}
        except (InvalidRequestError, orjson.JSONDecodeError, KeyError, TypeError) as error:
            return 400, {"error": str(error)}

    async def _route(self, path: str, request: Request) -> Result:
        if path.startswith("/_local/"):
            return await self._control(path.removeprefix("/_local/"), request)
        section = self._sections.get(request.words[0])
        if section is None:
            raise MissingError("route")
        return section(request)

    async def _control(self, command: str, request: Request) -> Result:
        if command == "advance":
            return 200, await self._engine.advance()
        if command == "faults":
            courier = self._engine.courier
            courier.faults = Faults(**request.json())
            shown = asdict(courier.faults)
            return 200, {name: value for name, value in shown.items() if name[0] != "_"}
        raise MissingError(command)

    # Publishing

    def _publish(self, request: Request) -> Result:
        return _accepted(
            self._engine.publish(
                request.rest, request.headers, request.body, caller_ip=request.caller_ip
            )
        )

    def _enqueue(self, request: Request) -> Result:
        queue, _, destination = request.rest.partition("/")
        return _accepted(
            self._engine.publish(
                destination,
                request.headers,
                request.body,
                queue=queue,
                caller_ip=request.caller_ip,
            )
        )

    def _batch(self, request: Request) -> Result:
        items = [
            (
                one["destination"],
                {name.lower(): str(value) for name, value in (one.get("headers") or {}).items()},
                (one.get("body") or "").encode(),
                one.get("queue"),
            )
            for one in request.json()
        ]
        for destination, headers, _, _ in items:
            self._engine.validate(destination, headers)  # all or none
        return 200, [
            self._engine.publish(
                destination, headers, body, queue=queue, caller_ip=request.caller_ip
            )
            for destination, headers, body, queue in items
        ]

    def _messages(self, request: Request) -> Result:
        engine = self._engine
        match request.method, request.words:
            case "GET", [_, name]:
                return 200, _found(engine.messages, name, "message").view()
            case "DELETE", [_, name]:
                if not engine.cancel(name):
                    raise MissingError("message")
                return 202, None
            case "DELETE", [_]:
                chosen = request.json().get("messageIds", list(engine.messages))
                return 200, {"cancelled": sum(engine.cancel(one) for one in chosen)}
        raise MissingError("route")

    # Schedules, queues, groups

    def _schedules(self, request: Request) -> Result:
        engine = self._engine
        if request.method == "POST":
            created = engine.put_schedule(request.rest, request.headers, request.body)
            return 201, {"scheduleId": created}
        if request.method == "GET" and len(request.words) == 1:
            outcomes = engine.outcomes()
            return 200, [one.view(outcomes) for one in engine.schedules.values()]
        name = request.words[1]
        schedule = _found(engine.schedules, name, "schedule")
        match request.method, request.words[2:]:
            case "GET", []:
                return 200, schedule.view(engine.outcomes())
            case "DELETE", []:
                del engine.schedules[name]
                return 200, None
            case "PATCH" | "PUT", [("pause" | "resume") as action]:
                engine.pause_schedule(schedule, paused=action == "pause")
                return 200, None
        raise MissingError("route")

    def _queues(self, request: Request) -> Result:
        engine = self._engine
        match request.method, request.words[1:]:
            case "POST", []:
                asked = request.json()
                queue = engine.queue(asked["queueName"])
                queue.parallelism = int(asked.get("parallelism", 1))
                queue.paused = bool(asked.get("paused", False))
            case "GET", []:
                return 200, [one.view() for one in engine.queues.values()]
            case "GET", [name]:
                return 200, _found(engine.queues, name, "queue").view()
            case "DELETE", [name]:
                for message_id in list(_found(engine.queues, name, "queue").order):
                    engine.cancel(message_id)
                del engine.queues[name]
                return 200, None
            case "POST", [name, ("pause" | "resume") as action]:
                queue = _found(engine.queues, name, "queue")
                queue.paused = action == "pause"
            case _:
                raise MissingError("route")
        queue.updated_ms = now_ms()
        engine.release_held()
        return 200, None

    def _topics(self, request: Request) -> Result:
        groups = self._engine.groups
        match request.method, request.words[1:]:
            case "GET", []:
                return 200, [self._topic(name) for name in groups]
            case "GET", [name]:
                return 200, self._topic(name)
            case "DELETE", [name]:
                _found(groups, name, "topic")
                del groups[name]
            case "POST", [name, "endpoints"]:
                times = self._engine.group_times
                times[name] = (times.get(name, (now_ms(), 0))[0], now_ms())
                for one in request.json()["endpoints"]:
                    groups.setdefault(name, {})[one["url"]] = one.get("name")
            case "DELETE", [name, "endpoints"]:
                self._remove_endpoints(name, request.json()["endpoints"])
            case _:
                raise MissingError("route")
        return 200, None

    def _remove_endpoints(self, name: str, endpoints: list[dict[str, str]]) -> None:
        group = _found(self._engine.groups, name, "topic")
        urls = {one.get("url") for one in endpoints}
        labels = {one["name"] for one in endpoints if "name" in one}
        for url in [url for url, label in group.items() if url in urls or label in labels]:
            del group[url]
        if not group:
            del self._engine.groups[name]

    def _topic(self, name: str) -> dict[str, Any]:
        group = _found(self._engine.groups, name, "topic")
        created, updated = self._engine.group_times.get(name, (now_ms(), now_ms()))
        return {
            "name": name,
            "createdAt": created,
            "updatedAt": updated,
            "endpoints": [
                {"url": url} | ({"name": label} if label else {}) for url, label in group.items()
            ],
        }

    # Dead letters, events, keys

    def _dlq(self, request: Request) -> Result:
        dead = self._engine.dead
        match request.method, request.words[1:]:
            case "GET", []:
                return 200, _page("messages", (one.view() for one in dead.values()), request)
            case "GET", [name]:
                return 200, _found(dead, name, "dlq message").view()
            case "DELETE", [name]:
                _found(dead, name, "dlq message")
                del dead[name]
                return 200, None
            case "DELETE", []:
                chosen = request.json().get("dlqIds", list(dead))
                return 200, {"deleted": sum(dead.pop(one, None) is not None for one in chosen)}
            case "POST", ["retry", name]:
                revived = self._engine.revive(_found(dead, name, "dlq message"))
                return 200, {"messageId": revived, "responses": [{"messageId": revived}]}
            case "POST", ["retry"]:
                chosen = request.json().get("dlqIds", list(dead))
                letters = [_found(dead, one, "dlq message") for one in chosen]
                return 200, {
                    "responses": [{"messageId": self._engine.revive(one)} for one in letters]
                }
        raise MissingError("route")

    def _events(self, request: Request) -> Result:
        if request.method != "GET":
            raise MissingError("route")
        return 200, _page("events", reversed(self._engine.events), request)

    def _keys(self, request: Request) -> Result:
        keys = self._engine.courier.keys
        if (request.method, request.words[1:]) == ("POST", ["rotate"]):
            keys.rotate()
        elif (request.method, request.words[1:]) != ("GET", []):
            raise MissingError("route")
        return 200, {"current": keys.current, "next": keys.next}

    def _flow_control(self, request: Request) -> Result:
        name = request.words[1] if len(request.words) == 2 else ""  # noqa: PLR2004 - key only
        limits = _found(self._engine.flow_limits, name, "flow control key")
        waiting = [one for one in self._engine.messages.values() if one.settings.flow_key == name]
        load = self._engine.flow_load(name)
        return 200, {
            "flowControlKey": name,
            "waitListSize": len(waiting) - load,
            "parallelismMax": limits.get("parallelism", 0),
            "parallelismCount": load,
            "rateMax": limits.get("rate", 0),
            "ratePeriod": limits.get("period", 1),
        }


def _request(scope: Scope, body: bytes) -> Request:
    # The destination in the path is a raw URL with its own slashes and query: never normalised.
    path = scope["raw_path"].decode().removeprefix("/v2/")
    query = scope["query_string"].decode()
    rest = path.partition("/")[2] + (f"?{query}" if query else "")
    if rest.lower().startswith(("http%3a", "https%3a")):
        rest = unquote(rest)
    client = scope.get("client") or ("127.0.0.1", 0)
    return Request(
        method=scope["method"],
        words=[unquote(word) for word in path.split("/")],
        rest=rest,
        query=dict(parse_qsl(query)),
        headers={name.decode(): value.decode("latin-1") for name, value in scope["headers"]},
        body=body,
        caller_ip=client[0],
    )


def _accepted(answer: dict[str, Any] | list[dict[str, Any]]) -> Result:
    duplicate = isinstance(answer, dict) and answer.get("deduplicated")
    return (202 if duplicate else 201), answer


def _found[T](shelf: dict[str, T], name: str, kind: str) -> T:
    try:
        return shelf[name]
    except KeyError:
        raise MissingError(kind) from None


def _page(name: str, rows: Iterable[dict[str, Any]], request: Request) -> dict[str, Any]:
    """One page of what the query's filters leave; a cursor when there is more."""
    wanted = {key: value for key, value in request.query.items() if key not in {"cursor", "count"}}
    since, until = int(wanted.pop("fromDate", 0)), int(wanted.pop("toDate", 2**62))
    kept = [
        row
        for row in rows
        if since <= row.get("time", row["createdAt"]) <= until
        and all(str(row.get(key, "")) == value for key, value in wanted.items())
    ]
    start = int(request.query.get("cursor", 0))
    end = start + min(int(request.query.get("count", MAX_PAGE)), MAX_PAGE)
    more = {"cursor": str(end)} if end < len(kept) else {}
    return {name: kept[start:end]} | more


def main() -> None:
    """Run the emulator."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--current-key", required=True)
    parser.add_argument("--next-key", required=True)
    parser.add_argument("--state", type=Path, help="keep schedules and messages in this file")
    options = parser.parse_args()
    keys = SigningKeys(options.current_key, options.next_key)
    serve(QStashApi(Engine(Courier(keys)), options.token, options.state), options.port)


if __name__ == "__main__":
    main()
