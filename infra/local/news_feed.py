"""News feeds on loopback: RSS 2.0 and Atom with validators and 304, and a server's faults.

Protocols: RSS 2.0; Atom (RFC 4287); HTTP conditional requests (RFC 9110, 13).
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Literal
from xml.sax.saxutils import escape

from infra.local.asgi import Receive, Scope, Send, answer_lifespan, respond

type Fault = Literal["hang", "429", "500", "404", "redirect", "gzip", "huge", "drip"]

_CHUNK = b" " * 65_536
_HUGE_CHUNKS = 200
_DRIPS = 60


@dataclass(frozen=True)
class Story:
    """One piece of news of a made-up feed."""

    guid: str
    url: str
    title: str
    summary: str
    at: datetime


def rss(stories: list[Story]) -> bytes:
    """The stories as an RSS 2.0 document."""
    items = "".join(
        f"<item><title>{escape(one.title)}</title><link>{escape(one.url)}</link>"
        f"<description><![CDATA[{one.summary}]]></description>"
        f'<guid isPermaLink="false">{escape(one.guid)}</guid>'
        f"<pubDate>{format_datetime(one.at.astimezone(UTC), usegmt=True)}</pubDate></item>"
        for one in stories
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel><title>News</title>'
        f"<link>https://news.example</link><description>All</description>{items}</channel></rss>"
    ).encode()


def atom(stories: list[Story]) -> bytes:
    """The stories as an Atom document."""
    entries = "".join(
        f"<entry><id>{escape(one.guid)}</id><title type='html'>{escape(one.title)}</title>"
        f"<link rel='self' href='https://news.example/self'/><link href='{escape(one.url)}'/>"
        f"<summary type='html'>{escape(one.summary)}</summary>"
        f"<updated>{one.at.isoformat()}</updated></entry>"
        for one in stories
    )
    return (
        "<?xml version='1.0' encoding='utf-8'?><feed xmlns='http://www.w3.org/2005/Atom'>"
        f"<title>News</title><id>urn:feed</id>{entries}</feed>"
    ).encode()


@dataclass
class NewsFeed:
    """The ASGI application: documents by path; what was asked and answered is kept."""

    documents: dict[str, Callable[[], bytes]] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    answered: list[tuple[str, int]] = field(default_factory=list)
    hang_s: float = 5.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request, or the server's start and stop."""
        if scope["type"] == "lifespan":
            await answer_lifespan(receive, send)
            return
        path = scope["path"]
        self.asked.append(path)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        fault = self.faults.get(path)
        if path not in self.documents or fault == "404":
            await self._say(send, path, 404, b"")
            return
        match fault:
            case "hang":
                await asyncio.sleep(self.hang_s)
            case "429" | "500":
                await self._say(send, path, int(fault), b"")
                return
            case "redirect":
                await self._say(send, path, 302, b"", {"location": "/elsewhere"})
                return
            case "huge" | "drip":
                await self._stream(send, path, drip=fault == "drip")
                return
        body = self.documents[path]()
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if headers.get("if-none-match") == etag:
            await self._say(send, path, 304, b"", {"etag": etag})
            return
        shown = {"content-type": "application/rss+xml", "etag": etag}
        if fault == "gzip":
            shown["content-encoding"] = "gzip"
        await self._say(send, path, 200, body, shown)

    async def _say(
        self, send: Send, path: str, status: int, body: bytes, headers: dict[str, str] | None = None
    ) -> None:
        self.answered.append((path, status))
        shown = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        await respond(send, status, body, shown)

    async def _stream(self, send: Send, path: str, *, drip: bool) -> None:
        """More than anybody should read: too much at once, or too slowly."""
        self.answered.append((path, 200))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(_DRIPS if drip else _HUGE_CHUNKS):
            body = b" " if drip else _CHUNK
            await send({"type": "http.response.body", "body": body, "more_body": True})
            await asyncio.sleep(0.1 if drip else 0)
        await send({"type": "http.response.body", "body": b""})
