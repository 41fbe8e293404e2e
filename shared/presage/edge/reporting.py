"""What the operators see of a request: one log line, a latency, and every unhandled error."""

import logging
import time
from contextlib import suppress
from http import HTTPStatus

from aws_lambda_powertools import Logger

from presage import clock, config, metrics, traffic
from presage.adapters import redis
from presage.call import Call
from presage.edge.redaction import redact_event, redacted_json
from presage.errors import UnavailableError

# It logs every address it asks, and Slack's webhook and an EVM node's are secrets.
logging.getLogger("httpx").setLevel(logging.WARNING)
logger = Logger(service="presage", json_serializer=redacted_json)


def served(call: Call, stem: str, status: int, began: float) -> None:
    """Log one answered request; `began` is its perf_counter."""
    elapsed_ms = (time.perf_counter() - began) * 1000
    logger.info(
        "served",
        extra={
            "route": stem,
            "status": status,
            "ms": round(elapsed_ms, 2),
            "request_id": call.request_id,
            "user_id": str(call.actor.user_id) if call.actor else None,
        },
    )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        with suppress(UnavailableError):  # a secret that cannot be read is why it failed
            redis.flush(traffic.count_error(clock.to_ms(call.now)))
        metrics.count("ServerErrors", route=stem)


def unhandled(call: Call, stem: str, error: Exception) -> None:
    """Log an error nobody named, with its request id, and send it to Sentry when configured."""
    logger.error("unhandled", exc_info=error, extra={"route": stem, "request_id": call.request_id})
    try:
        dsn = config.get("SENTRY_DSN")
    except UnavailableError as unread:
        # The caller gets an answer all the same.
        logger.warning("sentry", exc_info=unread)
        return
    if dsn:
        import sentry_sdk

        if not sentry_sdk.is_initialized():
            sentry_sdk.init(
                dsn,
                environment=config.get("STAGE"),
                send_default_pii=False,
                include_local_variables=False,
                before_send=redact_event,
            )
        sentry_sdk.capture_exception(error, tags={"request_id": call.request_id, "route": stem})
        sentry_sdk.flush(timeout=2)
