"""What the QStash emulator keeps beside messages: queues, dead letters, counts, callback bodies."""

import base64
import hashlib
import itertools
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import orjson

from infra.local.qstash_delivery import Answer
from infra.local.qstash_messages import Headers, Message


@dataclass
class Queue:
    """A FIFO queue. Times are unix milliseconds."""

    name: str
    created_ms: int
    updated_ms: int
    parallelism: int = 1
    paused: bool = False
    order: deque[str] = field(default_factory=deque)

    def view(self) -> dict[str, Any]:
        """The queue as QStash's API shows it."""
        return {
            "name": self.name,
            "createdAt": self.created_ms,
            "updatedAt": self.updated_ms,
            "parallelism": self.parallelism,
            "paused": self.paused,
            "lag": len(self.order),
        }

    def admits(self, message_id: str) -> bool:
        """Whether this message is near enough to the queue's head to be delivered."""
        return not self.paused and message_id in itertools.islice(self.order, self.parallelism)


@dataclass(frozen=True)
class DeadLetter:
    """A message that will not be tried again by itself."""

    id: str
    message: Message
    answer: Answer

    def view(self) -> dict[str, Any]:
        """The entry as QStash's API shows it."""
        return self.message.view() | {
            "dlqId": self.id,
            "responseStatus": self.answer.status,
            "responseHeader": self.answer.headers,
            "responseBody": self.answer.body.decode(errors="replace") or self.answer.error or "",
        }


@dataclass
class Counts:
    """What happened since the start."""

    delivered: int = 0
    failed: int = 0
    retried: int = 0
    dead_lettered: int = 0

    def since(self, before: "Counts", pending: int) -> dict[str, int]:
        """The difference as the control route's JSON."""
        return {
            "delivered": self.delivered - before.delivered,
            "failed": self.failed - before.failed,
            "retried": self.retried - before.retried,
            "deadLettered": self.dead_lettered - before.dead_lettered,
            "pending": pending,
        }


def deduplication_key(
    headers: Headers, url: str, body: bytes, *, in_group: bool = False
) -> str | None:
    """What makes two messages the same for ten minutes; None when nothing was asked for.

    A named id holds across destinations, but each URL of a group counts for itself.
    """
    if named := headers.get("upstash-deduplication-id"):
        return f"id {named} {url}" if in_group else f"id {named}"
    if headers.get("upstash-content-based-deduplication", "").lower() == "true":
        forwarded = sorted(
            f"{name}:{value}"
            for name, value in headers.items()
            if name == "content-type" or name.startswith("upstash-forward-")
        )
        content = orjson.dumps([url, forwarded]) + body
        return f"content {hashlib.sha256(content).hexdigest()}"
    return None


def callback_body(message: Message, answer: Answer) -> dict[str, Any]:
    """The body of a callback about an attempt.

    Protocol source: https://upstash.com/docs/qstash/features/callbacks.
    """
    body = {
        "status": answer.status,
        "header": answer.headers,
        "body": base64.b64encode(answer.body or (answer.error or "").encode()).decode(),
        "retried": message.retried,
        "maxRetries": message.settings.retries,
        "sourceMessageId": message.id,
        "topicName": message.group,
        "url": message.url,
        "method": message.settings.method,
        "sourceHeader": message.settings.headers,
        "sourceBody": base64.b64encode(message.body).decode(),
        "notBefore": message.due_ms,
        "createdAt": message.created_ms,
        "scheduleId": message.schedule_id,
        "callerIP": message.caller_ip,
    }
    return {name: value for name, value in body.items() if value is not None}


def new_id(kind: str) -> str:
    """A new id such as `msg_...`."""
    return f"{kind}_{uuid.uuid4().hex}"
