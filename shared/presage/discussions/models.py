"""What the routes of discussions and snapshots take and answer."""

import datetime as dt
import unicodedata
import uuid
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from presage.ipfs import cid as cids
from presage.schema import CursorRequest, RequestModel, ResponseModel

MAX_CHARS = 5_000
# A client that escapes every character sends no more than this before it is sanitised.
MAX_SENT_CHARS = 20_000
_MAX_INT8 = 2**63 - 1
_CommentId = Annotated[int, Field(ge=1, le=_MAX_INT8)]
# They turn the text that follows around, whoever wrote it (Unicode TR 9).
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def sanitised(text: object) -> object:
    """Text as text: without control characters but line ends and tabs, and without blank ends."""
    if not isinstance(text, str) or len(text) > MAX_SENT_CHARS:
        return text
    kept = (
        char
        for char in text
        if char in "\n\t" or (unicodedata.category(char) != "Cc" and char not in _BIDI_CONTROLS)
    )
    return "".join(kept).strip()


def _canonical(text: str) -> str:
    cids.decode(text)
    return text


class ListDiscussions(CursorRequest):
    """A page of a market's threads, newest first, or of one thread's replies, oldest first."""

    id: uuid.UUID
    thread: _CommentId | None = None


class CreateComment(RequestModel):
    """What to say of a market; an answer names the comment that it answers."""

    market_id: uuid.UUID
    parent_id: _CommentId | None = None
    content: Annotated[str, BeforeValidator(sanitised), Field(min_length=1, max_length=MAX_CHARS)]


class DeleteComment(RequestModel):
    """Which comment."""

    id: _CommentId


class CommentPath(RequestModel):
    """Which comment."""

    comment_id: _CommentId


class Comment(ResponseModel):
    """One comment. Of a deleted one there is no content and no author.

    `depth` is 0 for the first of a thread and 3 at most; `replyCount` is of the whole thread.
    """

    id: int
    thread_id: int | None
    parent_id: int | None
    depth: int
    content: str | None
    user_address: str | None
    display_name: str | None
    like_count: int
    reply_count: int
    created_at: dt.datetime
    deleted_at: dt.datetime | None


class Thread(Comment):
    """A comment and its thread's first replies, oldest first; `thread` pages through all."""

    replies: list[Comment]


class CommentDeleted(ResponseModel):
    """Which comment has no words any more, and since when."""

    id: int
    market_id: uuid.UUID
    deleted_at: dt.datetime


class Liked(ResponseModel):
    """Whether the caller likes the comment now, and how many people do."""

    comment_id: int
    liked: bool
    like_count: int


class ListAnchors(CursorRequest):
    """A page of a market's snapshots, newest first."""

    id: uuid.UUID


class Anchor(ResponseModel):
    """A day's snapshot: the CID of its first document. `parts` is how many documents it has."""

    id: int
    market_id: uuid.UUID
    snapshot_date: dt.date
    cid: str
    parts: int
    discussions_count: int
    size_bytes: int
    created_at: dt.datetime


class ContentPath(RequestModel):
    """A document by its CID, of the kinds that we publish."""

    cid: Annotated[str, Field(min_length=46, max_length=59), AfterValidator(_canonical)]
