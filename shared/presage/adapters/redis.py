"""Upstash Redis over REST: bounded in time, optional by design, one flush at a time.

Redis may be lost at any moment and nothing but speed may depend on it, so `flush` answers None
when it is down; the caller goes to Postgres or does without. In the vendor's SDK one failed command
loses a pipeline's other results, so only commands that cannot fail are sent, and its transport,
which has no timeout, is replaced by ours.
"""

import http.client
import threading
import time
from collections.abc import Sequence
from typing import Any

from upstash_redis import Redis
from upstash_redis.errors import UpstashError

from presage import config, metrics
from presage.adapters.redis_transport import Transport

REST_AFTER_FAILURE_S = 5.0

_local = threading.local()
_down_until = 0.0

type Command = Sequence[str | int]


def _client() -> Redis:
    client: Redis | None = getattr(_local, "client", None)
    if client is None:
        client = Redis(
            url=config.get("UPSTASH_REDIS_REST_URL"),
            token=config.get("UPSTASH_REDIS_REST_TOKEN"),
            rest_retries=0,
            allow_telemetry=False,
        )
        # The SDK offers no other place to set it.
        client.close()  # type: ignore[no-untyped-call]  # the SDK leaves it bare
        client._http = Transport(  # type: ignore[assignment]  # noqa: SLF001
            config.get("UPSTASH_REDIS_REST_URL"), config.integer("REDIS_TIMEOUT_MS") / 1000
        )
        _local.client = client
    return client


def close() -> None:
    """Close this thread's client and forget any outage, as a fresh environment would."""
    global _down_until  # noqa: PLW0603 - see flush
    _down_until = 0.0
    client: Redis | None = getattr(_local, "client", None)
    if client is not None:
        client.close()  # type: ignore[no-untyped-call]  # the SDK leaves it bare
    _local.client = None


def flush(commands: Sequence[Command]) -> list[Any] | None:
    """Send the commands in one pipeline; their results in order, or None when Redis is down.

    After a failure Redis is left alone for five seconds, so that an outage costs one timeout
    rather than one a request.
    """
    global _down_until  # noqa: PLW0603 - one health flag an environment is the point
    if not commands:
        return []
    if time.monotonic() < _down_until:
        return None
    client = _client()
    pipeline = client.pipeline()
    for command in commands:
        pipeline.execute(list(command))
    try:
        return list(pipeline.exec())
    except (http.client.HTTPException, UpstashError, ValueError, OSError):
        client.close()  # type: ignore[no-untyped-call]  # half an answer must not stay behind
        _down_until = time.monotonic() + REST_AFTER_FAILURE_S
        metrics.count("RedisUnavailable")
        return None
