"""Bookmarking and following markets."""

import uuid
from dataclasses import dataclass

from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.errors import ValidationFailedError
from presage.paging import decode, encode, moment_of
from presage.schema import Page, Pagination
from presage.social.models import (
    Bookmark,
    Bookmarked,
    Follow,
    Followed,
    FollowMarket,
    ListKept,
    MarketPath,
)

_queries = beside(__file__)


@dataclass(frozen=True)
class _Bookmarked:
    bookmarked: bool
    bookmark_count: int


@dataclass(frozen=True)
class _Followed:
    following: bool
    notify_on_trade: bool
    notify_on_resolve: bool
    notify_on_close: bool
    follower_count: int


def bookmark_market(call: Call, request: MarketPath) -> Bookmarked:
    """Bookmark a market, or drop the bookmark.

    Raises:
        NotFoundError: there is no such market.
    """
    row = connection.fetch_one(
        call, _queries["toggle_bookmark"], _Bookmarked, _params(call, request)
    )
    if row is None:
        raise LookupError("toggle_bookmark answers a row or raises")
    return Bookmarked(market_id=request.market_id, **vars(row))


def follow_market(call: Call, request: FollowMarket) -> Followed:
    """Follow a market, change what one is told of it, or stop following.

    Raises:
        NotFoundError: there is no such market.
    """
    params = _params(call, request) | {
        "on_trade": request.notify_on_trade,
        "on_resolve": request.notify_on_resolve,
        "on_close": request.notify_on_close,
    }
    row = connection.fetch_one(call, _queries["toggle_follow"], _Followed, params)
    if row is None:
        raise LookupError("toggle_follow answers a row or raises")
    return Followed(market_id=request.market_id, **vars(row))


def list_bookmarks(call: Call, request: ListKept) -> Page[Bookmark]:
    """The caller's bookmarks, newest first."""
    return _page(call, request, "list_bookmarks", Bookmark)


def list_follows(call: Call, request: ListKept) -> Page[Follow]:
    """The markets that the caller follows, newest first."""
    return _page(call, request, "list_follows", Follow)


def _params(call: Call, request: MarketPath) -> dict[str, object]:
    call.changed_tags.append(f"market:{request.market_id}")
    return {
        "market_id": request.market_id,
        "request_id": call.request_id,
        "ip": call.ip,
        "now": call.now,
    }


def _page[KeptT: Bookmark](
    call: Call, request: ListKept, name: str, model: type[KeptT]
) -> Page[KeptT]:
    mark = decode(request.cursor, str, str)
    params = {
        "before": moment_of(mark[0]) if mark else None,
        "before_id": _id_of(mark[1]) if mark else None,
        "limit": request.limit + 1,
    }
    rows = connection.fetch_all(call, _queries[name], model, params)
    shown = rows[: request.limit]
    last = shown[-1] if len(rows) > request.limit else None
    cursor = encode([last.created_at.isoformat(), str(last.market_id)]) if last else None
    return Page(shown, Pagination(limit=request.limit, next_cursor=cursor))


def _id_of(part: int | str) -> uuid.UUID:
    try:
        return uuid.UUID(str(part))
    except ValueError:
        raise ValidationFailedError("cursor is not one of ours.", field="cursor") from None
