"""Opaque cursors: where a page ended, so that the next one starts there whatever was added."""

import base64
import binascii
import uuid
from datetime import datetime

import orjson

from presage.errors import ValidationFailedError

MAX_INT8 = 2**63 - 1

type Mark = list[int | str]


def encode(mark: Mark) -> str:
    """A cursor for the last row of a page."""
    return base64.urlsafe_b64encode(orjson.dumps(mark)).rstrip(b"=").decode()


def moment_of(part: int | str) -> datetime:
    """A mark's part that is a moment.

    Raises:
        ValidationFailedError: it is none.
    """
    try:
        moment = datetime.fromisoformat(str(part))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValidationFailedError("cursor is not one of ours.", field="cursor")
    return moment


def uuid_of(part: int | str) -> uuid.UUID:
    """A mark's part that is an id.

    Raises:
        ValidationFailedError: it is none.
    """
    try:
        return uuid.UUID(str(part))
    except ValueError:
        raise ValidationFailedError("cursor is not one of ours.", field="cursor") from None


def _fits(part: object, kind: type[int] | type[str]) -> bool:
    """Whether a part is of its kind and one that Postgres can hold."""
    if type(part) is not kind:
        return False
    if isinstance(part, int):
        return -MAX_INT8 <= part <= MAX_INT8
    return isinstance(part, str) and "\0" not in part


def decode(cursor: str | None, *kinds: type[int] | type[str]) -> Mark | None:
    """The mark of a cursor of ours, its parts of the given kinds; None for the first page.

    Raises:
        ValidationFailedError: it is not one.
    """
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        mark = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        mark = None
    fits = (
        isinstance(mark, list)
        and len(mark) == len(kinds)
        and all(_fits(part, kind) for part, kind in zip(mark, kinds, strict=True))
    )
    if not fits or not isinstance(mark, list):
        raise ValidationFailedError("cursor is not one of ours.", field="cursor")
    return mark
