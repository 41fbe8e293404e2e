"""What social routes take and answer."""

import uuid
from datetime import datetime

from presage.schema import CursorRequest, RequestModel, ResponseModel


class MarketPath(RequestModel):
    """Which market."""

    market_id: uuid.UUID


class FollowMarket(MarketPath):
    """Which market, and what to be told of it; a choice not given stays, or begins as true."""

    notify_on_trade: bool | None = None
    notify_on_resolve: bool | None = None
    notify_on_close: bool | None = None


class Bookmarked(ResponseModel):
    """Whether the caller has the market bookmarked now, and how many people have."""

    market_id: uuid.UUID
    bookmarked: bool
    bookmark_count: int


class Followed(ResponseModel):
    """Whether the caller follows the market now, what it is told, and how many people follow."""

    market_id: uuid.UUID
    following: bool
    notify_on_trade: bool
    notify_on_resolve: bool
    notify_on_close: bool
    follower_count: int


class ListKept(CursorRequest):
    """One page of what the caller keeps."""


class Bookmark(ResponseModel):
    """A market that the caller has bookmarked."""

    market_id: uuid.UUID
    slug: str
    question: str
    state: str
    closes_at: datetime
    created_at: datetime


class Follow(Bookmark):
    """A market that the caller follows, and what it is told."""

    notify_on_trade: bool
    notify_on_resolve: bool
    notify_on_close: bool
