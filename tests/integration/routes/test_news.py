"""execute_news against feeds that speak RSS and Atom, faults included, and GET /news."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from infra.local.feed import FeedServer
from infra.local.news_feed import Fault, NewsFeed, Story, atom, rss
from presage import clock
from presage.adapters import news_feeds
from tests.harness import Platform

DAY_S = 86_400


class Newsroom:
    """Two feeds, what they say, and the platform that is to read them."""

    def __init__(self, platform: Platform, feed: NewsFeed) -> None:
        self.platform, self.feed = platform, feed
        self.rss: list[Story] = []
        self.atom: list[Story] = []
        feed.documents["/rss"] = lambda: rss(self.rss)
        feed.documents["/atom"] = lambda: atom(self.atom)

    def story(self, name: str, *, hours_ago: int = 1) -> Story:
        """A story of its own."""
        at = clock.now() - timedelta(hours=hours_ago)
        return Story(name, f"https://news.example/{name}", f"About {name}", f"All of {name}.", at)

    def run(self) -> dict[str, int]:
        """Let a day pass and fetch."""
        self.platform.advance(DAY_S)
        counts: dict[str, int] = self.platform.deliver("execute_news").data["counts"]
        return counts

    def titles(self) -> list[str]:
        """What the public is shown."""
        self.platform.advance(300)
        return [one["title"] for one in self.platform.call("list_news").data]

    def letters(self) -> list[str]:
        """What could not be fetched."""
        with self.platform.database.connect() as owner:
            rows = owner.execute("select item from dead_letters order by item").fetchall()
        return [item for (item,) in rows]


@pytest.fixture
def news(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[Newsroom]:
    feed = NewsFeed()
    with FeedServer(feed) as server:
        monkeypatch.setenv("NEWS_FEEDS", f"{server.url}/rss?key=paid, {server.url}/atom")
        yield Newsroom(platform, feed)


def test_news_is_kept_once_whichever_feed_says_it(news: Newsroom) -> None:
    one, two, three = (news.story(name, hours_ago=n) for n, name in enumerate("abc", 1))
    news.rss = [one, two, replace(one, guid="again", url=f"{one.url}?utm_source=rss")]
    news.atom = [replace(two, guid="urn:b"), three]
    assert news.run() == {"feeds": 2, "kept": 3, "unchanged": 0}
    assert news.titles() == ["About a", "About b", "About c"]
    assert news.run() == {"feeds": 2, "kept": 0, "unchanged": 2}
    assert news.feed.answered[-2:] == [("/rss", 304), ("/atom", 304)]
    news.rss.append(news.story("d", hours_ago=0))
    news.rss[0] = replace(one, title="About a, corrected", summary="Changed.")
    assert news.run() == {"feeds": 2, "kept": 1, "unchanged": 1}
    assert news.titles()[0] == "About d"


def test_nothing_is_fetched_without_feeds(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEWS_FEEDS", "")
    counts = platform.deliver("execute_news").data["counts"]
    assert counts == {"feeds": 0, "kept": 0, "unchanged": 0}


@pytest.mark.parametrize(
    ("fault", "tries"),
    [
        *(("hang", 2), ("429", 2), ("500", 2), ("drip", 2)),
        *(("404", 1), ("redirect", 1), ("gzip", 1), ("huge", 1)),
    ],
)
def test_a_feed_that_fails_stops_no_other_and_is_asked_anew(
    news: Newsroom, monkeypatch: pytest.MonkeyPatch, fault: Fault, tries: int
) -> None:
    monkeypatch.setattr(news_feeds, "TIMEOUT_S", 0.5)
    monkeypatch.setattr(news_feeds, "WHOLE_S", 0.5)
    news.feed.hang_s = 0.8
    news.rss, news.atom = [news.story("a")], [news.story("b")]
    news.feed.faults["/rss"] = fault
    assert news.run() == {"feeds": 2, "kept": 1, "unchanged": 0}
    assert news.letters() == ["feed:127.0.0.1/rss"]
    assert news.feed.asked.count("/rss") == tries
    news.feed.faults.clear()
    news.rss = [news.story("a")]
    assert news.run()["kept"] == 1


def test_a_malformed_feed_is_fetched_again_the_next_day(news: Newsroom) -> None:
    """Its validators are not kept: what could not be read counts as never seen."""
    news.feed.documents["/rss"] = lambda: b"<rss><channel><item>"
    news.run()
    news.run()
    assert [one for one in news.feed.answered if one[0] == "/rss"] == [("/rss", 200)] * 2


def test_a_run_that_dies_before_its_commit_keeps_and_forgets_nothing(news: Newsroom) -> None:
    news.rss = [news.story("a")]
    with news.platform.database.connect() as owner:
        owner.execute("alter table news_feeds rename column etag to hidden")
        owner.execute("alter table news_feeds add column etag text check (etag is null)")
        assert news.run()["kept"] == 0
        assert owner.execute("select count(*) from news_items").fetchone() == (0,)
        owner.execute("alter table news_feeds drop column etag")
        owner.execute("alter table news_feeds rename column hidden to etag")
    assert news.run()["kept"] == 1


def test_pages_follow_each_other_and_old_news_goes(news: Newsroom) -> None:
    news.rss = [news.story(f"{n}", hours_ago=n % 3) for n in range(7)]
    news.run()
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = news.platform.call("list_news", query=query)
        assert page.headers["cache-control"].startswith("public, max-age=60")
        seen += [one["title"] for one in page.data]
        cursor = page.body["pagination"]["nextCursor"]
        if cursor is None:
            break
    assert sorted(seen) == [f"About {n}" for n in range(7)]
    news.platform.advance(91 * DAY_S)
    assert news.platform.deliver("cleanup").data["counts"]["clean_news"] == 7
    news.rss.append(news.story("new"))
    assert news.run()["kept"] == 1  # what was dropped does not come back
