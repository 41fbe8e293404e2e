"""What the route of news takes and answers."""

from datetime import datetime

from presage.schema import CursorRequest, ResponseModel


class ListNews(CursorRequest):
    """A page of news, newest first."""


class NewsItem(ResponseModel):
    """One piece of news, as plain text; `source` is the host of the feed that had it first."""

    id: int
    source: str
    url: str | None
    title: str
    summary: str | None
    published_at: datetime
