"""What `/events` answers: pages in the chain's order, by market, type, time, wallet, signature."""

from datetime import UTC, datetime
from typing import Any

import pytest

from infra.local.deliveries import GENESIS_S, key, market, of_events, signature, wallet
from presage.chain.events import MarketCreated, SharesBought
from presage.chain.programme import platform_market_id
from presage.events import service
from tests.conftest import Database
from tests.harness import Answer, Platform

MARKETS = [market("one"), market("two")]
ALICE, BOB = wallet("alice"), wallet("bob")
TRADES = 25


@pytest.fixture(scope="module")
def served(module_platform: Platform) -> Platform:
    """Two markets; Alice buys in both in turn, Bob once, every other one in the same block."""
    made = [
        of_events(
            MarketCreated(one, BOB, 10**11, 0, GENESIS_S), name=f"market {number}", index=number
        )
        for number, one in enumerate(MARKETS)
    ]
    trades = [
        of_events(
            SharesBought(MARKETS[n % 2], ALICE, n % 3 == 0, 2**64 - 1, n, n, GENESIS_S),
            name=f"trade {n}",
            slot=2_000 + n // 2,
            index=n % 2,
        )
        for n in range(TRADES)
    ]
    late = of_events(SharesBought(MARKETS[0], BOB, True, 1, 1, 1, GENESIS_S), name="b", slot=9_000)  # noqa: FBT003
    assert module_platform.index(late, *trades[::-1], *made).data["indexed"] == TRADES + 3
    return module_platform


def _walk(served: Platform, stem: str, **asked: Any) -> tuple[list[dict[str, Any]], list[Answer]]:
    """Every page of a list, small ones."""
    path = {name: asked.pop(name) for name in ("market_id", "type") if name in asked}
    answers: list[Answer] = []
    cursor: str | None = None
    while cursor or not answers:
        query = asked | {"limit": 7} | ({"cursor": cursor} if cursor else {})
        answers.append(served.call(stem, query=query, ip=f"10.0.0.{len(answers)}", **path))
        cursor = answers[-1].body["pagination"]["nextCursor"]
        assert answers[-1].data["hasMore"] is bool(cursor)
    return [one for answer in answers for one in answer.data["events"]], answers


def _names(events: list[dict[str, Any]]) -> list[str]:
    names = {signature(f"trade {n}"): f"trade {n}" for n in range(TRADES)}
    names |= {signature(f"market {n}"): f"market {n}" for n in range(2)} | {signature("b"): "b"}
    return [names[one["signature"]] for one in events]


EVERYTHING = ["b", *(f"trade {n}" for n in reversed(range(TRADES))), "market 1", "market 0"]


def test_pages_follow_the_chain_newest_first(served: Platform) -> None:
    events, answers = _walk(served, "list_events")
    assert _names(events) == EVERYTHING
    assert {answer.data["totalCount"] for answer in answers} == {len(EVERYTHING)}
    assert answers[0].body["pagination"]["total"] == len(EVERYTHING)
    assert len(answers) == 4


def test_an_event_says_all_that_it_holds(served: Platform) -> None:
    [event] = served.call("search_events", query={"q": signature("trade 3")}).data["events"]
    assert event == {
        "signature": signature("trade 3"),
        "ordinal": 0,
        "slot": 2_001,
        "txIndex": 1,
        "blockTime": datetime.fromtimestamp(GENESIS_S + 400, UTC).isoformat(),
        "eventType": "SharesBought",
        "market": MARKETS[1].hex(),
        "marketId": str(platform_market_id(MARKETS[1])),
        "wallet": key(ALICE),
        "data": event["data"],
    }
    assert f'"shares": {2**64 - 1}' in event["data"]


@pytest.mark.parametrize("by", ["chain", "platform", "capitals"])
def test_a_markets_events_by_either_of_its_ids(by: str, served: Platform) -> None:
    this = MARKETS[0]
    name = {
        "chain": this.hex(),
        "platform": str(platform_market_id(this)),
        "capitals": this.hex().upper(),
    }[by]
    expected = [
        one
        for one in EVERYTHING
        if one in {"b", "market 0"} or one in {f"trade {n}" for n in range(0, 26, 2)}
    ]
    assert _names(_walk(served, "list_market_events", market_id=name)[0]) == expected
    assert _names(_walk(served, "list_events", market=name)[0]) == expected
    assert _names(_walk(served, "search_events", q=name)[0]) == expected


def test_a_market_without_events_has_none(served: Platform) -> None:
    for name in ("0" * 64, "0" * 32, "0" * 40):
        answer = served.call("list_market_events", market_id=name)
        assert (answer.status, answer.data["events"], answer.data["totalCount"]) == (200, [], 0)


def test_events_of_one_type(served: Platform) -> None:
    events, answers = _walk(served, "list_events_by_type", type="MarketCreated")
    assert _names(events) == ["market 1", "market 0"]
    assert answers[0].data["totalCount"] == 2
    assert served.call("list_events_by_type", type="Nonsense").status == 400
    assert _names(_walk(served, "list_events", event_type="MarketCreated")[0]) == _names(events)


def test_events_between_two_moments(served: Platform) -> None:
    span = {"from": "2026-07-23T09:53:21Z", "to": "2026-07-23T09:53:22Z"}
    first = datetime.fromisoformat(span["from"]).timestamp()
    inside = [
        f"trade {n}"
        for n in reversed(range(TRADES))
        if first <= GENESIS_S + (1_000 + n // 2) * 2 // 5 < first + 1
    ]
    assert 0 < len(inside) < TRADES
    assert _names(_walk(served, "list_events_by_date", **span)[0]) == inside
    assert _names(_walk(served, "list_events", **span)[0]) == inside


def test_search_takes_the_start_of_a_wallet_or_signature(served: Platform) -> None:
    assert _names(_walk(served, "search_events", q=key(BOB)[:9])[0]) == [
        "b",
        "market 1",
        "market 0",
    ]
    alices, answers = _walk(served, "search_events", q=key(ALICE)[:6])
    assert _names(alices) == EVERYTHING[1:-2]
    assert answers[0].data["totalCount"] == TRADES
    [one] = _walk(served, "search_events", q=signature("trade 8")[:12])[0]
    assert _names([one]) == ["trade 8"]
    assert served.call("search_events", query={"q": "zzzzzzzz"}).data["events"] == []
    for bad in ("abc", "a b c d", "%%%%", "x" * 91):
        assert served.call("search_events", query={"q": bad}).status == 400


def test_the_count_stops_where_it_would_cost(
    served: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_COUNTED", 5)
    for stem, query in (("list_events", {}), ("search_events", {"q": key(ALICE)[:6]})):
        answer = served.call(stem, query=query).data
        assert (answer["totalCount"], answer["hasMore"]) == (5, True)


def test_a_forged_cursor_is_refused(served: Platform) -> None:
    good = served.call("list_events", query={"limit": 1}).body["pagination"]["nextCursor"]
    assert len(good) < 200
    for bad in (good[:-4], "W10", "WzEsMiwzLDQsNV0", "x" * 300):
        assert served.call("list_events", query={"cursor": bad}).status == 400


BUSY = """
insert into chain_events
select 's' || n, 0, n, 0, to_timestamp(1784800000 + n),
       case when n in (3, 5) or n > 27000 then 'LiquidityWithdrawn' else 'SharesBought' end,
       case when n > 27000 then 'other' else 'busy' end, 'w',
       '{"outcome": true, "shares": 1, "cost": 1}', now()
from generate_series(1, 30000) as n
"""
UNASKED = (
    *("chain_market", "market_id", "event_type", "from", "to", "before_time", "before_slot"),
    *("before_index", "before_ordinal", "before_signature"),
)


def test_what_is_rare_in_a_busy_market_is_found_by_an_index(database: Database) -> None:
    told = dict.fromkeys(UNASKED) | {"chain_market": "busy", "event_type": "LiquidityWithdrawn"}
    listed = service._queries["list_events"].sql.encode()  # noqa: SLF001 - the statement itself
    with database.connect() as owner:
        owner.execute(BUSY)
        owner.execute("vacuum analyze chain_events")
        owner.prepare_threshold = None
        explained = b"explain (analyze, buffers, format json) " + listed.rstrip(b";\n")
        row = owner.execute(explained, told | {"limit": 21}).fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 40
