"""Rate limits: a sliding window in one small Lua script that travels in the request's Redis flush.

The window is two fixed ones, the earlier weighted by how much of it still counts (the algorithm of
`upstash-ratelimit`, which is the oracle in the tests). A refused request consumes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from presage.adapters.redis import Command

WINDOW_MS = 60_000

# KEYS: this window, the one before, and what must exist to be counted, if anything.
# ARGV: limit, now in ms, window in ms, cost.
# Answers what is left, or -1 when refused.
SLIDING_WINDOW = """
local current = tonumber(redis.call('GET', KEYS[1]) or 0)
local previous = tonumber(redis.call('GET', KEYS[2]) or 0)
local limit, now = tonumber(ARGV[1]), tonumber(ARGV[2])
local window, cost = tonumber(ARGV[3]), tonumber(ARGV[4])
if KEYS[3] and redis.call('EXISTS', KEYS[3]) == 0 then return limit end
local used = math.floor((1 - (now % window) / window) * previous) + current
if used + cost > limit then return -1 end
if redis.call('INCRBY', KEYS[1], cost) == cost then
  redis.call('PEXPIRE', KEYS[1], window * 2 + 1000)
end
return limit - used - cost
"""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """At most `per_min` requests a minute by `subject`, counted apart for each `name`.

    With `only_with` it counts only while that key exists: an unknown token leaves nothing behind.
    """

    name: str
    subject: str
    per_min: int
    only_with: str | None = None

    @property
    def bucket(self) -> str:
        """Where it is counted: whose, and for what."""
        return f"{self.name}:{self.subject}"

    def command(self, now_ms: int, cost: int = 1) -> Command:
        """The Redis command that counts one request at that time."""
        window = now_ms // WINDOW_MS
        return (
            "EVAL",
            SLIDING_WINDOW,
            3 if self.only_with else 2,
            f"limit:{self.bucket}:{window}",
            f"limit:{self.bucket}:{window - 1}",
            *((self.only_with,) if self.only_with else ()),
            self.per_min,
            now_ms,
            WINDOW_MS,
            cost,
        )


def exceeded(limits: Sequence[Limit], results: Sequence[int]) -> Limit | None:
    """The first limit whose command answered that it is spent."""
    return next((limit for limit, left in zip(limits, results, strict=True) if left < 0), None)


def headers(limits: Sequence[Limit], results: Sequence[int], now_ms: int) -> dict[str, str]:
    """`RateLimit-*` headers (draft-ietf-httpapi-ratelimit-headers) of the tightest limit."""
    limit, left = min(zip(limits, results, strict=True), key=lambda pair: pair[1])
    reset_s = retry_after_s(now_ms)
    return {
        "RateLimit-Limit": str(limit.per_min),
        "RateLimit-Remaining": str(max(left, 0)),
        "RateLimit-Reset": str(reset_s),
    }


def retry_after_s(now_ms: int) -> int:
    """Seconds, rounded up, until this fixed window ends and its weight begins to fall."""
    return -(-(WINDOW_MS - now_ms % WINDOW_MS) // 1000)
