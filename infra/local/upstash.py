"""The Upstash Redis REST API over a local Valkey.

Protocol source: https://upstash.com/docs/redis/features/restapi. `POST /` takes one command as a
JSON array, `/pipeline` and `/multi-exec` take arrays of commands, `/get/key` is a command in the
path. Run: `python -m infra.local.upstash --port N --redis-port M --token T`.
"""

import argparse
import base64
import hmac
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson

from infra.local.asgi import (
    JSON_HEADERS,
    BodyTooLargeError,
    DisconnectedError,
    Receive,
    Scope,
    Send,
    answer_lifespan,
    read_body,
    respond,
    serve,
)
from infra.local.redis_link import RedisLink, RedisLostError, RedisReplyError, Reply
from infra.local.redis_scripts import ScriptDialect

MAX_BODY_BYTES = 10 * 1024 * 1024
_HEADERS = [*JSON_HEADERS, (b"upstash-sync-token", b"0")]
# These would block the shared connection, change its state, or never answer once.
_REFUSED = frozenset(
    b"SUBSCRIBE PSUBSCRIBE SSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE SUNSUBSCRIBE MONITOR SYNC PSYNC"
    b" SELECT AUTH HELLO QUIT RESET CLIENT MULTI EXEC DISCARD WATCH UNWATCH WAIT WAITAOF"
    b" BLPOP BRPOP BRPOPLPUSH BLMOVE BLMPOP BZPOPMIN BZPOPMAX BZMPOP SHUTDOWN DEBUG CONFIG"
    b" REPLICAOF SLAVEOF FAILOVER CLUSTER MODULE ACL".split()
)


class BadRequestError(Exception):
    """The request is not a command; the text is the answer's error."""


class UpstashBridge:
    """The ASGI application."""

    def __init__(self, redis_port: int, token: str) -> None:
        self._link = RedisLink(redis_port)
        self._scripts = ScriptDialect()
        self._authorization = f"Bearer {token}".encode()
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] == "lifespan":
            await answer_lifespan(receive, send)
            return
        try:
            status, payload = await self._answer(scope, receive)
        except DisconnectedError:
            return
        await respond(send, status, orjson.dumps(payload), _HEADERS)

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, Any]:
        headers = dict(scope["headers"])
        query = parse_qsl(scope["query_string"].decode(), keep_blank_values=True)
        if not self._authorized(headers, query):
            return 401, {"error": "Unauthorized"}
        encode = headers.get(b"upstash-encoding") == b"base64"
        path: str = scope["path"]
        try:
            body = await read_body(receive, MAX_BODY_BYTES)
            if path in {"/pipeline", "/multi-exec"}:
                commands = [self._scripts.translate(command) for command in _commands(body)]
                run = self._pipeline if path == "/pipeline" else self._transaction
                return await run(commands, encode=encode)
            command = _command(orjson.loads(body)) if path == "/" else _in_path(scope, query, body)
            _check(command)
            [reply] = await self._link.run([self._scripts.translate(command)])
        except BodyTooLargeError:
            return 413, {"error": f"ERR max request size exceeded. Limit: {MAX_BODY_BYTES} bytes"}
        except (BadRequestError, orjson.JSONDecodeError) as error:
            return 400, {"error": f"ERR {error}"}
        except RedisLostError as error:
            return 503, {"error": f"ERR database is unreachable: {error}"}
        item = _item(reply, encode=encode)
        return (400 if "error" in item else 200), item

    def _authorized(self, headers: dict[bytes, bytes], query: list[tuple[str, str]]) -> bool:
        given = headers.get(b"authorization")
        if given is not None:
            return hmac.compare_digest(given, self._authorization)
        in_query = dict(query).get("_token")
        return in_query is not None and hmac.compare_digest(in_query.encode(), self._token)

    async def _pipeline(self, commands: list[list[bytes]], *, encode: bool) -> tuple[int, Any]:
        replies = await self._link.run(commands)
        return 200, [_item(reply, encode=encode) for reply in replies]

    async def _transaction(self, commands: list[list[bytes]], *, encode: bool) -> tuple[int, Any]:
        replies = await self._link.run([[b"MULTI"], *commands, [b"EXEC"]])
        outcome = replies[-1]
        if isinstance(outcome, list):
            return 200, [_item(reply, encode=encode) for reply in outcome]
        # Discarded: one object instead of an array, with the first command's own error.
        errors = [reply for reply in replies if isinstance(reply, RedisReplyError)]
        return 400, {"error": str(errors[0] if errors else outcome)}


def _commands(body: bytes) -> list[list[bytes]]:
    raw = orjson.loads(body)
    if not isinstance(raw, list) or not raw:
        raise BadRequestError("empty pipeline request" if raw == [] else "expected an array")
    commands = [_command(one) for one in raw]
    for command in commands:
        _check(command)
    return commands


def _command(raw: Any) -> list[bytes]:  # noqa: ANN401 - JSON of a stranger
    if not isinstance(raw, list) or not raw:
        raise BadRequestError("expected a command as a non-empty array")
    return [_argument(value) for value in raw]


def _argument(value: Any) -> bytes:  # noqa: ANN401 - JSON of a stranger
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, int | float):
        return str(value).encode()
    raise BadRequestError(f"arguments are strings or numbers, not {type(value).__name__}")


def _in_path(scope: Scope, query: list[tuple[str, str]], body: bytes) -> list[bytes]:
    """`/set/key/value?EX=100`; the body, if any, is an argument after the path's."""
    words = [unquote(part).encode() for part in scope["raw_path"].decode().split("/")[1:]]
    if body:
        words.append(body)
    for name, value in query:
        if name != "_token":
            words += [name.encode(), value.encode()] if value else [name.encode()]
    return words


def _check(command: Sequence[bytes]) -> None:
    if command[0].upper() in _REFUSED:
        raise BadRequestError(f"Command is not available: '{command[0].decode(errors='replace')}'")


def _item(reply: Reply, *, encode: bool) -> dict[str, Any]:
    if isinstance(reply, RedisReplyError):
        return {"error": str(reply)}
    return {"result": _plain(reply, encode=encode)}


def _plain(reply: Reply, *, encode: bool) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(reply, bytes):
        if encode and reply != b"OK":
            return base64.b64encode(reply).decode()
        return reply.decode(errors="replace")
    if isinstance(reply, list):
        return [_plain(one, encode=encode) for one in reply]
    if isinstance(reply, RedisReplyError):  # an error inside a script's array
        return _plain(str(reply).encode(), encode=encode)
    return reply


def main() -> None:
    """Run the bridge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--redis-port", type=int, required=True)
    parser.add_argument("--token", required=True)
    options = parser.parse_args()
    serve(UpstashBridge(options.redis_port, options.token), options.port)


if __name__ == "__main__":
    main()
