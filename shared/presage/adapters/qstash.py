"""QStash: publishing messages with the vendor's SDK, verifying deliveries with our own HMAC.

The SDK's `Receiver` ignores its clock tolerance and takes 115 ms to import, so deliveries are
checked here (protocol: Upstash "Verify signatures"); publishing, which only workflows do, uses it.
"""

import base64
import hashlib
import hmac
import json
import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from presage import clock, config
from presage.errors import UnauthorizedError, UpstreamError

if TYPE_CHECKING:
    from qstash import QStash  # 115 ms to import: only who publishes pays for it

LEEWAY_S = 30
TIMEOUT_S = 5.0
RETRIES = 2
MAX_TOKEN_CHARS = 4096
# Where QStash reports a message that it gave up.
FAILURE_PATH = "/workflows/delivery-failed"

_local = threading.local()


@dataclass(frozen=True, kw_only=True)
class Message:
    """One delivery to ask for. `path` is a row's path in routes.py, such as /workflows/cleanup."""

    path: str
    body: Mapping[str, Any]
    deduplication_id: str
    delay_s: int = 0
    retries: int = 3


def publish(messages: Sequence[Message]) -> None:
    """Publish all messages in one call; a message already seen by its id is not sent again.

    Raises:
        UpstreamError: QStash refused or did not answer; nothing may be assumed sent.
    """
    import httpx
    from qstash.errors import QStashError

    base = config.get("PUBLIC_BASE_URL")
    batch: list[Any] = [
        {
            "url": base + message.path,
            "body": json.dumps(message.body, separators=(",", ":"), sort_keys=True),
            "headers": {"Content-Type": "application/json"},
            "deduplication_id": message.deduplication_id,
            "delay": f"{message.delay_s}s",
            "retries": message.retries,
            "failure_callback": base + FAILURE_PATH,
        }
        for message in messages
    ]
    try:
        _client(config.get("QSTASH_URL"), config.get("QSTASH_TOKEN")).message.batch(batch)
    except (QStashError, httpx.HTTPError) as error:
        raise UpstreamError("QStash did not take the messages.") from error


@dataclass(frozen=True)
class ScheduleState:
    """A schedule as QStash has it."""

    schedule_id: str
    is_paused: bool
    created_at: datetime


def schedule_id(stage: str, stem: str) -> str:
    """What QStash calls the schedule of a workflow."""
    return f"presage-{stage}-{stem.replace('_', '-')}"


def list_schedules() -> list[ScheduleState]:
    """Every schedule that QStash has, whoever made it.

    Raises:
        UpstreamError: QStash refused or did not answer.
    """
    import httpx
    from qstash.errors import QStashError

    try:
        client = _client(config.get("QSTASH_URL"), config.get("QSTASH_TOKEN"))
        return [
            ScheduleState(one.schedule_id, one.paused, clock.from_ms(one.created_at))
            for one in client.schedule.list()
        ]
    except (QStashError, httpx.HTTPError) as error:
        raise UpstreamError("QStash did not list its schedules.") from error


@contextmanager
def connected(url: str, token: str) -> "Iterator[QStash]":
    """The vendor's client, bounded: by itself it waits ten minutes and retries for half a one."""
    client = _bounded(url, token)
    try:
        yield client
    finally:
        client.http._client.close()  # noqa: SLF001 - as in _bounded


def _client(url: str, token: str) -> "QStash":
    """A thread's one client, for good: to make its TLS context takes longer than to publish."""
    kept: tuple[tuple[str, str], QStash] | None = getattr(_local, "kept", None)
    if kept is None or kept[0] != (url, token):
        close()
        kept = _local.kept = (url, token), _bounded(url, token)
    return kept[1]


def close() -> None:
    """Close this thread's client."""
    kept: tuple[tuple[str, str], QStash] | None = getattr(_local, "kept", None)
    if kept is not None:
        kept[1].http._client.close()  # noqa: SLF001 - as in _bounded
    _local.kept = None


def _bounded(url: str, token: str) -> "QStash":
    from qstash import QStash

    client = QStash(token, base_url=url, retry={"retries": RETRIES, "backoff": _backoff_ms})
    # The SDK offers no other place to set or close it.
    client.http._client.timeout = TIMEOUT_S  # noqa: SLF001
    return client


def _backoff_ms(attempt: int) -> float:
    return 200.0 * (1 << attempt) * (1 + random.random())  # noqa: S311 - jitter


def verify(signature: str, body: bytes, url: str) -> None:
    """Check that QStash signed this body for this public URL; the current key, then the next.

    Raises:
        UnauthorizedError: for every reason alike, so that a forger learns nothing.
    """
    keys = (config.get("QSTASH_CURRENT_SIGNING_KEY"), config.get("QSTASH_NEXT_SIGNING_KEY"))
    if not any(_is_signed(signature, body, url, key) for key in keys if key):
        raise UnauthorizedError("The signature is not valid.")


def _is_signed(token: str, body: bytes, url: str, key: str) -> bool:
    parts = token.split(".")
    if len(parts) != 3 or len(token) > MAX_TOKEN_CHARS or not token.isascii():  # noqa: PLR2004 - a JWT
        return False
    signed = f"{parts[0]}.{parts[1]}".encode()
    expected = hmac.new(key.encode(), signed, hashlib.sha256).digest()
    try:
        if not hmac.compare_digest(expected, _unpad(parts[2])):
            return False
        header, claims = json.loads(_unpad(parts[0])), json.loads(_unpad(parts[1]))
        now_s = clock.now_ms() / 1000
        return bool(
            header["alg"] == "HS256"
            and claims["iss"] == "Upstash"
            and claims["sub"] == url
            and claims["nbf"] - LEEWAY_S <= now_s <= claims["exp"] + LEEWAY_S
            and hmac.compare_digest(_unpad(claims["body"]), hashlib.sha256(body).digest())
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def _unpad(text: str) -> bytes:
    """Base64url with or without its padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
