"""What workflows could not handle: shown to admins, tried again, taken over from QStash."""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from presage import clock, config, metrics
from presage.adapters import qstash
from presage.adapters.qstash import Message
from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.errors import ValidationFailedError
from presage.ops.dead_letter_models import (
    DeadLetter,
    DeliveryKept,
    DiscardDeadLetter,
    FailedDelivery,
    LetterPath,
    ListDeadLetters,
)
from presage.paging import decode, encode
from presage.routes import ROUTES, Route
from presage.schema import Page, Pagination
from presage.workflows.run import Outcome, Run

LETTERS_PER_RUN = 100
# A workflow that comes this often meets its own dead letters soon enough.
OFTEN_S = 300
QSTASH = "qstash"
_queries = beside(__file__)


@dataclass(frozen=True)
class _DueRow:
    id: int
    workflow: str
    item: str
    failures: int
    next_attempt_at: datetime
    payload: dict[str, Any]


def list_dead_letters(call: Call, request: ListDeadLetters) -> Page[DeadLetter]:
    """What workflows could not handle, newest first."""
    mark = decode(request.cursor, int)
    params = request.model_dump(exclude={"cursor"}) | {"before": mark[0] if mark else None}
    rows = connection.fetch_all(call, _queries["list_dead_letters"], DeadLetter, params)
    next_cursor = encode([rows[-1].id]) if len(rows) == request.limit else None
    return Page(rows, Pagination(limit=request.limit, next_cursor=next_cursor))


def retry_dead_letter(call: Call, request: LetterPath) -> DeadLetter:
    """Make a dead letter due now, with three retries ahead; its workflow's next run takes it.

    Raises:
        NotFoundError: there is none.
        InvalidStateError: it is resolved.
    """
    return _decide(call, request.letter_id, None)


def discard_dead_letter(call: Call, request: DiscardDeadLetter) -> DeadLetter:
    """Give a dead letter up. Should its item fail again, it is a new one.

    Raises:
        NotFoundError: there is none.
        InvalidStateError: it is resolved.
    """
    return _decide(call, request.letter_id, request.reason)


def dead_letter_retry(run: Run) -> Outcome:
    """Publish again what is due and would not come by itself.

    Messages that QStash gave up are published as they were. A workflow that runs rarely is called
    between its slots, once for all of its due items.
    """
    rare = [one.stem for one in ROUTES.values() if one.slot_s > OFTEN_S]
    params = {"now": run.call.now, "workflows": rare, "limit": LETTERS_PER_RUN}
    letters = connection.fetch_all(run.call, _queries["list_due_letters"], _DueRow, params)
    if not letters:
        return Outcome(counts={"messages": 0, "workflows": 0})
    lost = [one for one in letters if one.workflow == QSTASH]
    # Of one workflow the longest overdue speaks for all.
    first = {one.workflow: one for one in reversed(letters) if one.workflow != QSTASH}
    qstash.publish([*map(_lost_message, lost), *map(_extra_run, first.values())])
    if lost:
        handed = {"letter_ids": [one.id for one in lost], "now": clock.now()}
        connection.run(run.call, [(_queries["hand_over_letters"], None, handed)])
    return Outcome(counts={"messages": len(lost), "workflows": len(first)})


def delivery_failed(call: Call, request: FailedDelivery) -> DeliveryKept:
    """Keep a message that QStash gave up, once a message, however often it is told.

    One that was published for a dead letter counts as that letter's failed retry. Of a workflow
    that comes again in a minute no message is worth keeping: it has one letter, under its name.

    Raises:
        ValidationFailedError: the source's body is not base64 of a JSON object.
    """
    route = _route_of(request.url)
    body = _source_body(request)
    comes_again = route is not None and route.retries == 0
    item = str(body.get("deadLetter") or request.source_message_id)
    payload: dict[str, Any] = {"messageId": request.source_message_id, "url": request.url}
    if route is not None:
        if comes_again:
            item = route.stem
        else:
            sent = {"slot": clock.from_ms(request.created_at).isoformat()} | body
            payload |= {"stem": route.stem, "body": sent}
    error = f"HTTP {request.status} after {request.retried + 1} deliveries to {request.url}"
    letter = {"item": item, "error": error[:500], "payload": payload}
    params = {
        "letters": orjson.dumps([letter]).decode(),
        "item": item,
        "message_id": request.source_message_id,
        "keeps_retries": not comes_again,
        "now": call.now,
    }
    connection.run(call, [(_queries["keep_failed_delivery"], None, params)])
    metrics.count("DeliveriesGivenUp")
    return DeliveryKept(item=item)


def _decide(call: Call, letter_id: int, reason: str | None) -> DeadLetter:
    params = {
        "letter_id": letter_id,
        "reason": reason,
        "request_id": call.request_id,
        "ip": call.ip,
        "now": call.now,
    }
    row = connection.fetch_one(call, _queries["decide_dead_letter"], DeadLetter, params)
    if row is None:
        raise LookupError("decide_dead_letter answers a row or raises")
    return row


def _lost_message(letter: _DueRow) -> Message:
    route = ROUTES[letter.payload["stem"]]
    return Message(
        path=route.path,
        body=letter.payload["body"] | {"deadLetter": letter.item},
        deduplication_id=_deduplication_id(letter),
        retries=route.retries,
    )


def _extra_run(letter: _DueRow) -> Message:
    route = ROUTES[letter.workflow]
    # Microseconds of its own keep it apart from the workflow's slots and from other letters'.
    slot = letter.next_attempt_at + timedelta(microseconds=1 + letter.id % 999_999)
    return Message(
        path=route.path,
        body={"slot": slot.isoformat(), "again": True},
        deduplication_id=_deduplication_id(letter),
        retries=route.retries,
    )


def _deduplication_id(letter: _DueRow) -> str:
    return f"dead:{letter.id}:{letter.failures}"


def _route_of(url: str) -> Route | None:
    path = url.removeprefix(config.get("PUBLIC_BASE_URL"))
    found = (one for one in ROUTES.values() if one.auth == "qstash" and one.path == path)
    return next(found, None)


def _source_body(request: FailedDelivery) -> dict[str, Any]:
    try:
        raw = base64.b64decode(request.source_body, validate=True)
        body = orjson.loads(raw) if raw else {}
    except (binascii.Error, orjson.JSONDecodeError) as error:
        raise ValidationFailedError("This is no base64 of JSON.", field="sourceBody") from error
    if not isinstance(body, dict):
        raise ValidationFailedError("This is no JSON object.", field="sourceBody")
    return body
