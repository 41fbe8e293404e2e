"""A circuit breaker whose state lives in Redis, since execution environments share no memory.

Five failures within a minute open it for a minute; then one probe is let through at a time until
one succeeds. With Redis down every call is let through: the timeouts still bound it.
"""

from collections.abc import Callable

from presage import metrics
from presage.adapters import redis
from presage.errors import UpstreamError

FAILURES_TO_OPEN = 5
OPEN_S = 60
PROBE_S = 30


def guarded[ResultT](name: str, action: Callable[[], ResultT]) -> ResultT:
    """Run `action` unless the breaker `name` is open; count its failures (`UpstreamError`).

    Raises:
        UpstreamError: the breaker is open, or the action failed.
    """
    opened, failures, probing = (f"breaker:{name}:{part}" for part in ("open", "failures", "probe"))
    state = redis.flush([("GET", opened), ("GET", failures)])
    failed = int(state[1] or 0) if state else 0
    if state and state[0]:
        raise UpstreamError(f"{name} has failed repeatedly and is left alone for a minute.")
    if failed >= FAILURES_TO_OPEN:
        claimed = redis.flush([("SET", probing, 1, "NX", "EX", PROBE_S)])
        if claimed and not claimed[0]:
            raise UpstreamError(f"{name} is being probed.")
    try:
        result = action()
    except UpstreamError:
        _count_failure(name, opened, failures, probing)
        raise
    if failed:
        redis.flush([("DEL", failures, probing)])
    return result


def _count_failure(name: str, opened: str, failures: str, probing: str) -> None:
    counted = redis.flush(
        # Outlives the open minute, so that the first call after it is the probe.
        [("INCR", failures), ("EXPIRE", failures, 2 * OPEN_S), ("DEL", probing)]
    )
    if counted and counted[0] >= FAILURES_TO_OPEN:
        redis.flush([("SET", opened, 1, "EX", OPEN_S)])
        metrics.count("BreakerOpened", breaker=name)
