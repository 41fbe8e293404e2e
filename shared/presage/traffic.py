"""Requests and server errors of each minute, counted in Redis for all functions together."""

from presage.adapters.redis import Command

MINUTE_MS = 60_000
_KEPT_S = 180


def keys(now_ms: int) -> tuple[str, str]:
    """Where the requests and the server errors of that minute are counted."""
    minute = now_ms // MINUTE_MS
    return f"traffic:{minute}:requests", f"traffic:{minute}:errors"


def count_request(now_ms: int) -> list[Command]:
    """The commands that count a request; they travel in its own flush."""
    return _count(keys(now_ms)[0])


def count_error(now_ms: int) -> list[Command]:
    """The commands that count a server error."""
    return _count(keys(now_ms)[1])


def _count(key: str) -> list[Command]:
    return [("INCR", key), ("EXPIRE", key, _KEPT_S)]
