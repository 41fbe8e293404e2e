"""Stored answers of public reads: one Redis look-up, an ETag, and dropping by tag after a write.

An entry carries the time its reading began and the tag of what it shows (a service sets
`call.cache_tag`). A write that changes the thing marks the tag stale after its commit; an entry
begun before the mark, slow readers included, is not served. Trades do not drop anything: their
freshness is the route's `cache_s`. Moves of a market's state do.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self

import orjson

from presage import clock
from presage.adapters import redis
from presage.call import Call
from presage.edge.request import Request
from presage.routes import Route

# Clocks of two environments may differ by this; what begins so soon after a write is not stored.
SKEW_MS = 1_000
MAX_TTL_S = 120

# KEYS: the entry. Its first line is 'begun_ms tag'. Answers the entry unless its tag is stale.
_READ = """
local entry = redis.call('GET', KEYS[1])
if not entry then return false end
local begun, tag = string.match(entry, '^(%d+) (%S+)\\n')
local stale = redis.call('GET', 'stale:' .. tag)
if stale and tonumber(begun) <= tonumber(stale) then return false end
return entry
"""


@dataclass(frozen=True)
class Entry:
    """One stored answer: the JSON of its data and pagination, and when it was read."""

    begun_ms: int
    tag: str
    data: bytes
    pagination: bytes | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an entry back from Redis."""
        head, data, pagination = text.split("\n", 2)
        begun, tag = head.split(" ")
        return cls(int(begun), tag, data.encode(), pagination.encode() or None)

    def text(self) -> str:
        """The entry as Redis keeps it: JSON holds no raw newline, so lines are a safe frame."""
        pagination = self.pagination.decode() if self.pagination else ""
        return f"{self.begun_ms} {self.tag}\n{self.data.decode()}\n{pagination}"

    @property
    def etag(self) -> str:
        """A strong validator of data and pagination."""
        digest = hashlib.sha256(self.data + b"\n" + (self.pagination or b"")).hexdigest()
        return f'"{digest[:32]}"'


def _key(request: Request) -> str:
    asked = f"{request.path}?{request.raw_query}".encode()
    return f"answer:{hashlib.sha256(asked).hexdigest()}"


def look_up(request: Request) -> redis.Command:
    """The Redis command that answers this request's entry, if there is a fresh one."""
    return ("EVAL", _READ, 1, _key(request))


def store(call: Call, request: Request, data: bytes, pagination: bytes | None, ttl_s: int) -> Entry:
    """Keep an answer for `ttl_s` seconds; best effort."""
    entry = Entry(clock.to_ms(call.now), call.cache_tag or "none", data, pagination)
    redis.flush([("SET", _key(request), entry.text(), "EX", ttl_s)])
    return entry


def drop(call: Call) -> None:
    """Mark stale what the call has changed, after its commit."""
    until = clock.now_ms() + SKEW_MS
    redis.flush([("SET", f"stale:{tag}", until, "EX", MAX_TTL_S) for tag in call.changed_tags])


def answer(
    call: Call, route: Route, entry: Entry, headers: Mapping[str, str], base: Mapping[str, str]
) -> dict[str, Any]:
    """The envelope around an entry, or 304 when the caller has it already."""
    shown = {
        **base,
        "X-Request-Id": call.request_id,
        **call.headers,
        "ETag": entry.etag,
        "Cache-Control": f"public, max-age={route.cache_s}, stale-while-revalidate={route.cache_s}",
    }
    if entry.etag in headers.get("if-none-match", ""):
        return {"statusCode": HTTPStatus.NOT_MODIFIED, "headers": shown, "body": ""}
    body: dict[str, Any] = {"success": True, "data": orjson.Fragment(entry.data)}
    if entry.pagination:
        body["pagination"] = orjson.Fragment(entry.pagination)
    body |= {"requestId": call.request_id, "timestamp": call.now}
    return {
        "statusCode": route.status,
        "headers": shown,
        "body": orjson.dumps(body).decode(),
    }
