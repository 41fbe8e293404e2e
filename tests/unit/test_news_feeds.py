"""Feeds of strangers: what is read of them, and that reading them does nothing else."""

import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.news_feed import Story, atom, rss
from presage.errors import UnprocessableError
from presage.news.feeds import MAX_ITEMS, MAX_SUMMARY, MAX_TITLE, Entry, canonical, parse

NOW = datetime(2026, 7, 24, 12, tzinfo=UTC)
AT = NOW - timedelta(hours=3)
STORY = Story("a-1", "https://news.example/a?id=1", "Rain", "<p>It &amp; <b>rains</b></p>", AT)
READ = Entry("a-1", "https://news.example/a?id=1", "Rain", "It & rains", AT)


@pytest.mark.parametrize("write", [rss, atom])
def test_both_formats_say_the_same(write: type) -> None:
    assert parse(write([STORY]), NOW) == [READ]


def test_the_moment_is_read_as_each_format_writes_it_and_never_lies_ahead() -> None:
    moments = {
        "Fri, 24 Jul 2026 09:00:00 GMT": AT,
        "Fri, 24 Jul 2026 15:00:00 +0600": AT,
        "2026-07-24T15:00:00+06:00": AT,
        "2026-07-24T09:00:00Z": AT,
        "2027-01-01T00:00:00Z": NOW,
        "1066-10-14T00:00:00Z": NOW,
        "9999-12-31T23:59:59-14:00": NOW,
        "yesterday": NOW,
        "": NOW,
    }
    for text, moment in moments.items():
        body = f"<rss><item><title>t</title><guid>g</guid><pubDate>{text}</pubDate></item></rss>"
        assert parse(body.encode(), NOW)[0].published_at == moment, text


BILLION_LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">'
    + "".join(
        f'<!ENTITY lol{level} "{f"&lol{level - 1 or str()};" * 10}">' for level in range(1, 10)
    )
    + "]><rss><channel><item><title>&lol9;</title><guid>g</guid></item></channel></rss>"
)


def test_a_billion_laughs_cost_nothing() -> None:
    tracemalloc.start()
    began = time.perf_counter()
    with pytest.raises(UnprocessableError):
        parse(BILLION_LAUGHS.encode(), NOW)
    assert time.perf_counter() - began < 0.5
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_no_file_and_no_address_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hidden")
    for declared in (
        f'<!DOCTYPE rss [<!ENTITY x SYSTEM "file://{secret}">]>',
        f'<!DOCTYPE rss SYSTEM "file://{secret}">',
        '<!DOCTYPE rss [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x.dtd"> %x;]>',
        "<!DOCTYPE rss>",
    ):
        body = f"<?xml version='1.0'?>{declared}<rss><item><title>&x;</title></item></rss>"
        with pytest.raises(UnprocessableError, match="document type"):
            parse(body.encode(), NOW)
    with pytest.raises(UnprocessableError):
        parse(b"<rss><item><title>&x;</title></item></rss>", NOW)


def test_limits_hold() -> None:
    many = [Story(f"{n}", f"https://e.example/{n}", "t" * 900, "s" * 9_000, AT) for n in range(500)]
    entries = parse(rss(many), NOW)
    assert [one.guid for one in entries] == [f"{n}" for n in range(MAX_ITEMS)]
    assert {(len(one.title), len(one.summary or "")) for one in entries} == {
        (MAX_TITLE, MAX_SUMMARY)
    }
    with pytest.raises(UnprocessableError):
        parse(b"<a>" * 100 + b"</a>" * 100, NOW)


@pytest.mark.parametrize(
    "body",
    [b"", b"<rss>", b"{}", b"\xff\xfe\x00", b"<?xml version='1.0' encoding='klingon'?><rss/>"],
)
def test_what_is_no_xml_is_refused(body: bytes) -> None:
    with pytest.raises(UnprocessableError):
        parse(body, NOW)


def test_an_address_is_compared_without_what_campaigns_add() -> None:
    same = "https://news.example/a?id=1"
    for url in (
        same,
        "HTTPS://News.Example:443/a?id=1#top",
        "https://news.example/a?utm_source=x&id=1&fbclid=y",
    ):
        assert canonical(url) == same
    for nothing in ("javascript:alert(1)", "/a", "ftp://e.example/", "https://[", "", "http://x:y"):
        assert canonical(nothing) is None


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for text in (body, b"<rss><item><title>" + body + b"</title><guid>g</guid></item></rss>"):
        try:
            entries = parse(text, NOW)
        except UnprocessableError:
            continue
        assert all(one.title and "<" not in one.title and "\0" not in one.title for one in entries)
