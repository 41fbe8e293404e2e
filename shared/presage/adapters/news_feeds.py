"""Fetching a feed: conditional, with a timeout, bounded retries with jitter, and a limit of size.

Protocol: HTTP conditional requests (RFC 9110, 13): If-None-Match, If-Modified-Since, 304.
"""

import hashlib
import random
import time
from dataclasses import dataclass
from http import HTTPStatus

from presage.adapters import breaker
from presage.errors import UnprocessableError, UpstreamError

TIMEOUT_S = 2.5
# A server that sends a byte now and then would keep within the timeout for ever.
WHOLE_S = 3.0
ATTEMPTS = 2
BACKOFF_S = 0.2
MAX_BYTES = 5_000_000
MAX_HEADER = 500
_ACCEPT = "application/atom+xml, application/rss+xml, application/xml;q=0.9, text/xml;q=0.8"


@dataclass(frozen=True)
class Fetched:
    """A feed as it was answered; `body` is None when it has not changed."""

    body: bytes | None
    etag: str | None
    last_modified: str | None


def fetch(url: str, etag: str | None, last_modified: str | None) -> Fetched:
    """Fetch a feed unless it is as it was.

    Raises:
        UpstreamError: it did not answer, or is overloaded.
        UnprocessableError: it is not there, or too large.
    """
    # Not compressed: a few bytes may swell to gigabytes before any limit sees them.
    headers = {"Accept": _ACCEPT, "Accept-Encoding": "identity", "User-Agent": "Presage/1 (news)"}
    if etag:
        headers["If-None-Match"] = etag
    if last_modified:
        headers["If-Modified-Since"] = last_modified
    # By hash: a breaker's name is shown, and an address may hold the key to a paid feed.
    name = f"news-{hashlib.sha256(url.encode()).hexdigest()[:16]}"
    return breaker.guarded(name, lambda: _with_retries(url, headers))


def _with_retries(url: str, headers: dict[str, str]) -> Fetched:
    import httpx

    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _once(url, headers)
        except (httpx.HTTPError, UpstreamError) as error:
            if attempt == ATTEMPTS:
                raise UpstreamError("The feed did not answer.") from error
        except httpx.InvalidURL as error:
            raise UnprocessableError("The feed has no such address.") from error
        time.sleep(BACKOFF_S * attempt * (1 + random.random()))  # noqa: S311 - jitter
    raise UpstreamError("The feed did not answer.")


def _once(url: str, headers: dict[str, str]) -> Fetched:
    import httpx

    began = time.monotonic()
    # Redirects are not followed: the configured address is the one that is asked.
    with httpx.stream("GET", url, headers=headers, timeout=TIMEOUT_S) as response:
        etag = _short(response.headers.get("etag"))
        last_modified = _short(response.headers.get("last-modified"))
        if response.status_code == HTTPStatus.NOT_MODIFIED:
            return Fetched(None, etag, last_modified)
        status = response.status_code
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise UpstreamError("The feed is overloaded.")
        if status != HTTPStatus.OK:
            raise UnprocessableError(f"The feed answers {status}.")
        if response.headers.get("content-encoding", "identity") != "identity":
            raise UnprocessableError("The feed is compressed, which was not asked for.")
        body = bytearray()
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > MAX_BYTES:
                raise UnprocessableError("The feed is too large.")
            if time.monotonic() - began > WHOLE_S:
                raise UpstreamError("The feed takes too long.")
    return Fetched(bytes(body), etag, last_modified)


def _short(header: str | None) -> str | None:
    """A validator to be sent back, if it is one of reasonable length."""
    return header if header and len(header) <= MAX_HEADER else None
