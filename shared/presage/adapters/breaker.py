"""A circuit breaker whose state lives in Redis, since execution environments share no memory.

So many failures in a row open it for a while (five and a minute unless a service has limits of its
own); then one probe is let through at a time until one succeeds. With Redis down every call is let
through: the timeouts still bound it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from presage import metrics
from presage.adapters import redis
from presage.errors import UpstreamError

FAILURES_TO_OPEN = 5
OPEN_S = 60
PROBE_S = 30


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How many failures in a row open a breaker, and for how long."""

    failures: int = FAILURES_TO_OPEN
    open_s: int = OPEN_S


class OpenError(UpstreamError):
    """The breaker is open, or has just opened."""


class ProbedError(OpenError):
    """The breaker was open, and somebody finds out just now whether the service is back."""


_USUAL = Limits()


def guarded[ResultT](name: str, action: Callable[[], ResultT], limits: Limits = _USUAL) -> ResultT:
    """Run `action` unless the breaker `name` is open; count its failures (`UpstreamError`).

    Raises:
        OpenError: the breaker is open, or this failure has opened it; `ProbedError` while a probe
            is under way.
        UpstreamError: the action failed.
    """
    opened, failures, probing = open_key(name), f"breaker:{name}:failures", f"breaker:{name}:probe"
    state = redis.flush([("GET", opened), ("GET", failures)])
    failed = int(state[1] or 0) if state else 0
    if state and state[0]:
        raise OpenError(f"{name} has failed repeatedly and is left alone for a while.")
    if failed >= limits.failures:
        claimed = redis.flush([("SET", probing, 1, "NX", "EX", PROBE_S)])
        if claimed and not claimed[0]:
            raise ProbedError(f"{name} is being probed.")
    try:
        result = action()
    except UpstreamError as error:
        if _opens(name, limits, failures, probing):
            raise OpenError(f"{name} has failed repeatedly.") from error
        raise
    if failed:
        redis.flush([("DEL", failures, probing)])
    return result


def check(name: str) -> None:
    """Ask the breaker alone; with Redis down it is taken for closed.

    Raises:
        OpenError: it is open, whoever's failures opened it.
    """
    state = redis.flush([("GET", open_key(name))])
    if state and state[0]:
        raise OpenError(f"{name} has failed repeatedly and is left alone for a while.")


def open_key(name: str) -> str:
    """The key in Redis that is there while a breaker is open."""
    return f"breaker:{name}:open"


def _opens(name: str, limits: Limits, failures: str, probing: str) -> bool:
    """Count a failure; whether it opened the breaker."""
    counted = redis.flush(
        # Outlives the open time, so that the first call after it is the probe.
        [("INCR", failures), ("EXPIRE", failures, 2 * limits.open_s), ("DEL", probing)]
    )
    if not counted or counted[0] < limits.failures:
        return False
    redis.flush([("SET", open_key(name), 1, "EX", limits.open_s)])
    metrics.count("BreakerOpened", breaker=name)
    return True
