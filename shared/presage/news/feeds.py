"""Reading RSS 2.0 and Atom from strangers. Pure: bytes in, entries out.

Protocols: RSS 2.0 (rssboard.org/rss-specification), Atom (RFC 4287). A document type is refused
with everything that one can do: entities that swell, files and addresses that are fetched. Depth,
length and the number of entries have limits, so that no feed costs more than its bytes.
"""

import html
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from presage.errors import UnprocessableError
from presage.schema import FIRST_MOMENT, LAST_MOMENT

MAX_ITEMS = 200
MAX_DEPTH = 50
MAX_TEXT = 20_000
MAX_TITLE = 500
MAX_SUMMARY = 2_000
MAX_URL = 2_000
_ATOM = "http://www.w3.org/2005/Atom"
_DUBLIN_CORE = "http://purl.org/dc/elements/1.1/"
_TAG = re.compile(r"<[^>]*>")
_BETWEEN = " "
# What campaigns add to an address without changing what it shows.
_TRACKING = re.compile(r"^(utm_\w+|fbclid|gclid|mc_[ce]id)$")
_ITEMS = {"item", f"{_ATOM}{_BETWEEN}entry"}
_FIELDS = {
    "guid": "guid",
    "link": "link",
    "title": "title",
    "description": "summary",
    "pubDate": "date",
    f"{_DUBLIN_CORE}{_BETWEEN}date": "date",
    f"{_ATOM}{_BETWEEN}id": "guid",
    f"{_ATOM}{_BETWEEN}title": "title",
    f"{_ATOM}{_BETWEEN}summary": "summary",
    f"{_ATOM}{_BETWEEN}content": "content",
    f"{_ATOM}{_BETWEEN}published": "date",
    f"{_ATOM}{_BETWEEN}updated": "updated",
}


@dataclass(frozen=True)
class Entry:
    """One piece of news. `guid` is the feed's own name for it, or else its address."""

    guid: str
    url: str | None
    title: str
    summary: str | None
    published_at: datetime


@dataclass
class _Reader:
    """What expat tells, collected into entries' fields."""

    items: list[dict[str, str]] = field(default_factory=list)
    depth: int = 0
    item_depth: int = 0
    name: str = ""
    text: list[str] = field(default_factory=list)
    length: int = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise UnprocessableError("The feed is nested too deeply.")
        if tag in _ITEMS and not self.item_depth:
            self.item_depth = self.depth
            self.items.append({})
        elif self.item_depth and self.depth == self.item_depth + 1:
            self.name = _FIELDS.get(tag, "")
            self.text, self.length = [], 0
            is_page = attributes.get("rel", "alternate") == "alternate"
            if tag == f"{_ATOM}{_BETWEEN}link" and is_page:
                self.items[-1].setdefault("link", attributes.get("href", ""))

    def data(self, text: str) -> None:
        """Text of the element that is open; what is over the limit is left out."""
        if self.name and self.length < MAX_TEXT:
            self.text.append(text[: MAX_TEXT - self.length])
            self.length += len(text)

    def end(self, _tag: str) -> None:
        """An element ends."""
        if self.item_depth and self.depth == self.item_depth + 1:
            if self.name:
                self.items[-1].setdefault(self.name, "".join(self.text).strip())
            self.name = ""
        elif self.depth == self.item_depth:
            self.item_depth = 0
            if len(self.items) == MAX_ITEMS:
                raise _EnoughError
        self.depth -= 1


class _EnoughError(Exception):
    """As many entries as are taken have been read."""


def parse(body: bytes, now: datetime) -> list[Entry]:
    """The first `MAX_ITEMS` entries of a feed that have a title; `now` stands for a missing date.

    Raises:
        UnprocessableError: it is no feed, or one that would do something when it is read.
    """
    from xml.parsers import expat

    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=_BETWEEN)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.ExternalEntityRefHandler = _refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    try:
        parser.Parse(body, True)  # noqa: FBT003 - expat takes no keywords
    except _EnoughError:
        pass
    except (expat.ExpatError, LookupError, ValueError) as error:  # the latter: its encoding
        raise UnprocessableError("The feed is not well-formed XML.") from error
    return [entry for item in reader.items if (entry := _entry(item, now))]


def canonical(url: str) -> str | None:
    """An address without fragment, tracking and default port; None when it is no web page's."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return None
    if parts.scheme.lower() not in {"http", "https"} or not parts.hostname:
        return None
    scheme, host = parts.scheme.lower(), parts.hostname.lower()
    if port is not None and port != {"http": 80, "https": 443}[scheme]:
        host += f":{port}"
    asked = parse_qsl(parts.query, keep_blank_values=True)
    query = urlencode([(name, value) for name, value in asked if not _TRACKING.match(name)])
    whole = urlunsplit((scheme, host, parts.path or "/", query, ""))
    return whole if len(whole) <= MAX_URL else None


def _refuse(*_: object) -> int:
    raise UnprocessableError("The feed has a document type.")


def _entry(item: dict[str, str], now: datetime) -> Entry | None:
    title = _plain(item.get("title", ""), MAX_TITLE)
    url = canonical(item.get("link", "")) or canonical(item.get("guid", ""))
    guid = item.get("guid", "")[:MAX_URL].replace("\0", "") or url
    if not title or not guid:
        return None
    summary = _plain(item.get("summary") or item.get("content") or "", MAX_SUMMARY)
    return Entry(guid, url, title, summary or None, _moment(item, now))


def _plain(markup: str, limit: int) -> str:
    """Text without tags, on one line: what is shown is never somebody's HTML."""
    text = html.unescape(_TAG.sub(" ", html.unescape(markup)))
    return " ".join(text.replace("<", " ").replace(">", " ").replace("\0", " ").split())[:limit]


def _moment(item: dict[str, str], now: datetime) -> datetime:
    """When it was published, by RFC 822 or RFC 3339; never later than it was read."""
    text = item.get("date") or item.get("updated") or ""
    moment: datetime | None = None
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
            break
        except (ValueError, TypeError, OverflowError):
            continue
    if moment is None:
        return now
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return min(moment.astimezone(UTC), now) if FIRST_MOMENT <= moment < LAST_MOMENT else now
    except OverflowError:
        return now
