"""Stored answers of public reads: one Redis look-up, an ETag, and dropping by tag after a write.

An entry carries the time its reading began and the tag of what it shows (a service sets
`call.cache_tag`). A write that changes the thing marks the tag stale after its commit; an entry
begun before the mark, slow readers included, is not served. Trades do not drop anything: their
freshness is the route's `cache_s`. Moves of a market's state do.

An entry is fresh for `cache_s` and kept for as long again: once it has aged, one caller at a time
makes it anew while the others get the aged copy (stale-while-revalidate).
"""

import hashlib
from collections.abc import Mapping, Sequence
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
MAX_TTL_S = 240
_SERVE, _FILL = 1, 2

# A caller that died while filling holds the others off no longer than this.
FILL_MS = 5_000

# KEYS: the entry, the fill lock. ARGV: now and freshness in ms, FILL_MS. The entry's first line is
# 'begun_ms tag'. Answers {1, entry} to serve it, {2} to read anew and store, {0} to read anew only.
_READ = """
local entry = redis.call('GET', KEYS[1])
if entry then
  local begun, tag = string.match(entry, '^(%d+) (%S+)\\n')
  local dropped = redis.call('GET', 'stale:' .. tag)
  if dropped and tonumber(begun) <= tonumber(dropped) then
    entry = false
  elseif tonumber(ARGV[1]) < tonumber(begun) + tonumber(ARGV[2]) then
    return {1, entry}
  end
end
local mine = redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[3])
if mine then return {2} end
if entry then return {1, entry} end
return {0}
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


@dataclass(frozen=True)
class Found:
    """What the look-up said: an entry to serve, or whether to store what is read anew."""

    entry: Entry | None
    fill: bool


NOTHING = Found(None, fill=False)


def _key(request: Request) -> str:
    asked = f"{request.path}?{request.raw_query}".encode()
    return f"answer:{hashlib.sha256(asked).hexdigest()}"


def look_up(request: Request, now_ms: int, ttl_s: int) -> redis.Command:
    """The Redis command that answers this request's entry, or who is to make it."""
    key = _key(request)
    return ("EVAL", _READ, 2, key, f"{key}:fill", now_ms, ttl_s * 1000, FILL_MS)


def found(result: Sequence[Any]) -> Found:
    """What `look_up` answered."""
    return Found(Entry.parse(result[1]) if result[0] == _SERVE else None, result[0] == _FILL)


def store(
    call: Call, request: Request, data: bytes, pagination: bytes | None, ttl_s: int, *, fill: bool
) -> Entry:
    """Make an entry of an answer, and keep it when it is ours to `fill`; best effort."""
    entry = Entry(clock.to_ms(call.now), call.cache_tag or "none", data, pagination)
    if fill:
        key = _key(request)
        kept = [("SET", key, entry.text(), "EX", 2 * ttl_s), ("DEL", f"{key}:fill")]
        redis.flush([*kept, *call.told])
    return entry


def drop(call: Call) -> None:
    """Mark stale what the call has changed, and send what it tells Redis, after its commit."""
    until = clock.now_ms() + SKEW_MS
    redis.flush(
        [
            ("SET", f"stale:{tag}", until, "EX", MAX_TTL_S)
            for tag in dict.fromkeys(call.changed_tags)
        ]
        + call.told
    )


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
