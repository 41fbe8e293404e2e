"""execute-news: what the configured feeds say, each piece kept once."""

from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson
import psycopg

from presage import config, metrics
from presage.adapters import news_feeds
from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.errors import PresageError
from presage.news.feeds import parse
from presage.news.models import ListNews, NewsItem
from presage.paging import decode, encode, moment_of
from presage.schema import Page, Pagination
from presage.workflows.run import Outcome, Run

_queries = beside(__file__)


@dataclass(frozen=True)
class _Feed:
    etag: str | None
    last_modified: str | None


@dataclass(frozen=True)
class _Count:
    count: int


def execute_news(run: Run) -> Outcome:
    """Fetch every configured feed that has changed; one that fails stops no other.

    A feed's validators are kept in the transaction that keeps its news, so that a killed run
    fetches again what it had not kept.
    """
    feeds = [url.strip() for url in config.get("NEWS_FEEDS").split(",") if url.strip()]
    done = int(run.cursor.get("done", 0))
    kept = unchanged = 0
    while done < len(feeds) and not run.out_of_time:
        url = feeds[done]
        try:
            added = _take(run.call, url)
        except (PresageError, psycopg.Error) as error:
            metrics.count("NewsFeedFailures", feed=urlsplit(url).hostname or "unknown")
            run.fail(f"feed:{_shown(url)}", error)
        else:
            unchanged += added is None
            kept += added or 0
        done += 1
    return Outcome(
        counts={"feeds": done, "kept": kept, "unchanged": unchanged},
        next_cursor={"done": done} if done < len(feeds) else None,
    )


def list_news(call: Call, request: ListNews) -> Page[NewsItem]:
    """A page of news, newest first."""
    mark = decode(request.cursor, str, int)
    params = {
        "limit": request.limit,
        "before": moment_of(mark[0]) if mark else None,
        "before_id": mark[1] if mark else None,
    }
    rows = connection.fetch_all(call, _queries["list_news"], NewsItem, params)
    full = len(rows) == request.limit
    next_cursor = encode([rows[-1].published_at.isoformat(), rows[-1].id]) if full else None
    return Page(rows, Pagination(limit=request.limit, next_cursor=next_cursor))


def _shown(url: str) -> str:
    """An address without its query, which may hold the key to a paid feed."""
    parts = urlsplit(url)
    return f"{parts.hostname}{parts.path}"[:500]


def _take(call: Call, url: str) -> int | None:
    """How many pieces of a feed were new; None when it has not changed."""
    known = connection.fetch_one(call, _queries["get_feed"], _Feed, {"url": url})
    etag, last_modified = (known.etag, known.last_modified) if known else (None, None)
    fetched = news_feeds.fetch(url, etag, last_modified)
    if fetched.body is None:
        return None
    rows = [vars(entry) for entry in parse(fetched.body, call.now)]
    source = (urlsplit(url).hostname or url)[:200]
    keep = {"source": source, "items": orjson.dumps(rows).decode(), "now": call.now}
    mark = {
        "url": url,
        "etag": fetched.etag,
        "last_modified": fetched.last_modified,
        "now": call.now,
    }
    added = connection.run(
        call,
        [(_queries["keep_news"], _Count, keep), (_queries["keep_feed"], None, mark)],
    )[0]
    return int(added[0].count)
