"""Saying something of a market, answering, liking, taking it back; and reading it."""

from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.discussions.models import (
    Anchor,
    Comment,
    CommentDeleted,
    CommentPath,
    CreateComment,
    DeleteComment,
    Liked,
    ListAnchors,
    ListDiscussions,
    Thread,
)
from presage.paging import decode, encode
from presage.schema import Page, Pagination

REPLIES_SHOWN = 20
_queries = beside(__file__)


def list_discussions(call: Call, request: ListDiscussions) -> Page[Thread]:
    """A page of a market's threads, each with its first replies; or of one thread's replies.

    Raises:
        NotFoundError: there is no such market.
    """
    mark = decode(request.cursor, int)
    params = {
        "market_id": request.id,
        "thread": request.thread,
        "mark": mark[0] if mark else None,
        "limit": request.limit + 1,
        "replies": REPLIES_SHOWN,
    }
    rows = connection.fetch_all(call, _queries["list_discussions"], Comment, params)
    threads: list[Thread] = []
    for row in rows:
        if row.thread_id is None or request.thread is not None:
            threads.append(Thread(**dict(row), replies=[]))
        else:
            threads[-1].replies.append(row)
    shown = threads[: request.limit]
    cursor = encode([shown[-1].id]) if len(threads) > request.limit else None
    return Page(shown, Pagination(limit=request.limit, next_cursor=cursor))


def create_comment(call: Call, request: CreateComment) -> Comment:
    """Say something of a market, or answer what somebody said.

    Raises:
        NotFoundError: there is no such market, or no such comment on it.
        ConflictError: the caller has said five hundred things of this market.
        InvalidStateError: what is answered was deleted.
        UnprocessableError: it is three replies deep already.
    """
    params = request.model_dump() | _traced(call)
    return _one(call, "create_comment", Comment, params)


def delete_comment(call: Call, request: DeleteComment) -> CommentDeleted:
    """Take a comment's words away from readers; its replies stay.

    Raises:
        NotFoundError: there is no such comment.
        ForbiddenError: it is somebody else's, and the caller does not act as an admin.
    """
    params = {"comment_id": request.id, "as_admin": call.user.acts_as_admin}
    return _one(call, "delete_comment", CommentDeleted, params | _traced(call))


def like_comment(call: Call, request: CommentPath) -> Liked:
    """Like a comment, or like it no more.

    Raises:
        NotFoundError: there is no such comment.
        InvalidStateError: it was deleted.
    """
    return _one(call, "toggle_like", Liked, request.model_dump() | _traced(call))


def list_anchors(call: Call, request: ListAnchors) -> Page[Anchor]:
    """A market's snapshots in IPFS, newest first."""
    mark = decode(request.cursor, int)
    params = {
        "market_id": request.id,
        "before": mark[0] if mark else None,
        "limit": request.limit + 1,
    }
    rows = connection.fetch_all(call, _queries["list_anchors"], Anchor, params)
    shown = rows[: request.limit]
    cursor = encode([shown[-1].id]) if len(rows) > request.limit else None
    return Page(shown, Pagination(limit=request.limit, next_cursor=cursor))


def _one[RowT: (Comment, CommentDeleted, Liked)](
    call: Call, name: str, model: type[RowT], params: dict[str, object]
) -> RowT:
    row = connection.fetch_one(call, _queries[name], model, params)
    if row is None:
        raise LookupError(f"{name} answers a row or raises")
    return row


def _traced(call: Call) -> dict[str, object]:
    return {"request_id": call.request_id, "ip": call.ip, "now": call.now}
