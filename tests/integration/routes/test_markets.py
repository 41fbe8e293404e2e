"""Markets over HTTP: their life, the lists they are found in, their books and their history."""

import threading
import time
from typing import Any

import pytest

from presage import clock
from tests.harness import Platform, Wallet


@pytest.fixture
def alice(platform: Platform) -> Wallet:
    wallet = platform.sign_in()
    platform.fund(wallet, 1_000_000_000)
    return wallet


@pytest.fixture
def bob(platform: Platform) -> Wallet:
    wallet = platform.sign_in()
    platform.fund(wallet, 1_000_000_000)
    return wallet


def _state(platform: Platform, market: str) -> str:
    state = platform.call("get_market", market_id=market).data["state"]
    assert isinstance(state, str)
    return state


def test_a_market_lives_from_proposal_to_payout(
    platform: Platform, admin: Wallet, alice: Wallet, bob: Wallet
) -> None:
    market = platform.active_market(admin, alice, disputeWindowS=3600)
    platform.order(alice, market, side="BUY", price=0.4, size=10)
    platform.order(bob, market, side="BUY", outcome="NO", price=0.6, size=10)
    early = platform.call(
        "resolve_market", token=admin.token, market_id=market, body={"outcome": "YES"}
    )
    assert (early.status, early.body["details"]["field"]) == (409, "closesAt")
    platform.advance(86_400)
    resolved = platform.call(
        "resolve_market",
        token=admin.token,
        market_id=market,
        body={"outcome": "YES", "evidence": {"source": "scorecard"}, "reason": "Official."},
    ).data
    assert (resolved["previousState"], resolved["state"]) == ("ACTIVE", "RESOLVING")
    soon = platform.call("finalize_market", token=admin.token, market_id=market)
    assert (soon.status, soon.body["code"]) == (409, "INVALID_STATE")
    platform.advance(3600)
    assert platform.deliver("market_monitor").data["counts"] == {
        "finalized": 1,
        "concluded": 0,
        "sent": 0,
        "cancelled": 0,
    }
    settled = platform.deliver("settle_market").data["counts"]
    assert settled == {"settled": 1, "paidUsers": 2, "paidMicros": 10_000_000}
    shown = platform.call("get_market", market_id=market).data
    assert (shown["state"], shown["finalOutcome"], shown["claimsEnabled"]) == (
        "FINALIZED",
        "YES",
        True,
    )
    assert shown["resolutionEvidence"]["source"] == "scorecard"
    balances = [
        platform.call("get_wallet", token=wallet.token).data["available"] for wallet in (alice, bob)
    ]
    assert balances == [1006.0, 994.0]
    assert platform.audit() == []


def test_a_void_market_pays_both_sides_alike(
    platform: Platform, admin: Wallet, alice: Wallet, bob: Wallet
) -> None:
    market = platform.active_market(admin, alice, disputeWindowS=3600)
    platform.order(alice, market, side="BUY", price=0.4, size=10)
    platform.order(bob, market, side="BUY", outcome="NO", price=0.6, size=10)
    platform.advance(86_400)
    body = {"outcome": "VOID"}
    platform.call("resolve_market", token=admin.token, market_id=market, body=body)
    platform.advance(3600)
    platform.deliver("market_monitor")
    platform.deliver("settle_market")
    assert platform.call("get_market", market_id=market).data["finalOutcome"] == "VOID"
    assert [
        platform.call("get_wallet", token=wallet.token).data["available"] for wallet in (alice, bob)
    ] == [1001.0, 999.0]
    assert platform.audit() == []


def test_only_who_may_moves_a_market(
    platform: Platform, admin: Wallet, alice: Wallet, bob: Wallet
) -> None:
    market = platform.proposed_market(alice)
    for stem in ("approve_market", "cancel_market", "resolve_market", "finalize_market"):
        body = {"outcome": "YES"} if stem == "resolve_market" else {}
        assert platform.call(stem, market_id=market, body=body).status == 401
        assert platform.call(stem, token=alice.token, market_id=market, body=body).status == 403
    assert platform.call("approve_market", token=admin.token, market_id=market).status == 200
    assert platform.call("activate_market", token=bob.token, market_id=market).status == 403
    assert platform.call("activate_market", token=alice.token, market_id=market).status == 200
    with platform.database.connect() as owner:
        changes = owner.execute(
            "select from_state, to_state, actor from market_state_changes order by id"
        ).fetchall()
    assert changes == [
        (None, "PROPOSED", alice.user_id),
        ("PROPOSED", "APPROVED", admin.user_id),
        ("APPROVED", "ACTIVE", alice.user_id),
    ]


@pytest.mark.parametrize(
    ("status", "resting", "taking"),
    [("open", 201, 201), ("post_only", 201, 409), ("cancel_only", 409, 409), ("halted", 409, 409)],
)
def test_a_market_takes_what_its_trading_status_says(
    status: str, resting: int, taking: int, platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    market = platform.active_market(admin, alice)
    order = platform.order(alice, market, side="BUY", price=0.3, size=1).data["id"]
    body = {"tradingStatus": status, "reason": "Rules under review."}
    denied = platform.call("set_trading_status", token=alice.token, market_id=market, body=body)
    assert denied.status == 403
    changed = platform.call("set_trading_status", token=admin.token, market_id=market, body=body)
    assert (changed.data["previousStatus"], changed.data["tradingStatus"]) == ("open", status)
    rest = platform.order(alice, market, side="BUY", price=0.2, size=1, postOnly=True)
    take = platform.order(alice, market, side="BUY", price=0.2, size=1)
    assert (rest.status, take.status) == (resting, taking)
    # Whatever it takes, nobody is locked in.
    assert platform.call("cancel_order", token=alice.token, order_id=order).status == 200


def test_clarifications_are_added_and_never_edited(
    platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    market = platform.active_market(admin, alice)
    for text in ("A tie counts as NO.", "Extra time counts."):
        said = platform.call(
            "clarify_market", token=admin.token, market_id=market, body={"body": text}
        )
        assert said.status == 201
        platform.advance(60)
    shown = platform.call("get_market", market_id=market).data["clarifications"]
    assert [one["body"] for one in shown] == ["A tie counts as NO.", "Extra time counts."]
    assert shown[0]["createdAt"] < shown[1]["createdAt"]
    denied = platform.call(
        "clarify_market", token=alice.token, market_id=market, body={"body": "x"}
    )
    assert denied.status == 403


@pytest.mark.parametrize(
    ("stem", "body"),
    [
        ("activate_market", {}),
        ("resolve_market", {"outcome": "YES"}),
        ("finalize_market", {}),
    ],
)
def test_any_other_move_is_refused(
    stem: str, body: dict[str, str], platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    market = platform.proposed_market(alice)
    refused = platform.call(stem, token=admin.token, market_id=market, body=body)
    assert (refused.status, refused.body["code"]) == (409, "INVALID_STATE")
    assert _state(platform, market) == "PROPOSED"


def test_a_cancelled_market_is_over(platform: Platform, admin: Wallet, alice: Wallet) -> None:
    market = platform.proposed_market(alice)
    assert platform.call("cancel_market", token=admin.token, market_id=market).status == 200
    assert platform.call("approve_market", token=admin.token, market_id=market).status == 409


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"question": "?"}, "question"),
        ({"closesAt": "2026-07-24T11:00:00Z"}, "closesAt"),
        ({"closesAt": "2026-07-25"}, "closesAt"),
        ({"closesAt": "2026-07-25T12:00:00"}, "closesAt"),
        ({"opensAt": "2026-07-30T12:00:00Z"}, "body"),
        ({"marketType": "scalar"}, "marketType"),
        ({"tickSize": 0.003}, "tickSize"),
        ({"slug": "Not A Slug"}, "slug"),
        ({"slug": f"solana-{'a1' * 32}"}, "slug"),
        ({"disputeWindowS": 1}, "disputeWindowS"),
        ({"tags": ["x"] * 21}, "tags"),
        ({"imageUrl": "javascript:alert(1)"}, "imageUrl"),
        ({"resolutionRule": {"kind": "vibes"}}, "resolutionRule.kind"),
        ({"feeBps": 5}, "feeBps"),
    ],
)
def test_proposals_that_cannot_be_are_refused_by_name(
    fields: dict[str, Any], field: str, platform: Platform, alice: Wallet
) -> None:
    body = {"question": "Will it rain in Sylhet?", "closesAt": "2026-07-25T12:00:00Z"} | fields
    refused = platform.call("propose_market", token=alice.token, body=body)
    assert (refused.status, refused.body["code"]) == (400, "VALIDATION_FAILED"), refused.body
    assert refused.body["details"]["field"] == field


def test_a_slug_is_taken_once(platform: Platform, alice: Wallet) -> None:
    platform.proposed_market(alice, slug="rain-in-sylhet")
    body = {
        "question": "Will it rain in Sylhet?",
        "closesAt": "2026-07-25T12:00:00Z",
        "slug": "rain-in-sylhet",
    }
    taken = platform.call("propose_market", token=alice.token, body=body)
    assert (taken.status, taken.body["details"]["field"]) == (409, "slug")
    assert platform.call("get_market", market_id="rain-in-sylhet").status == 200


def test_markets_are_found_by_words_in_both_languages(platform: Platform, alice: Wallet) -> None:
    rain = platform.proposed_market(
        alice,
        question="Will it rain in Sylhet?",
        questionBn="সিলেটে কি বৃষ্টি হবে?",
        tags=["weather"],
    )
    cup = platform.proposed_market(alice, question="Who lifts the cup?", category="sports")

    def found(**query: str) -> list[str]:
        return [market["id"] for market in platform.call("list_markets", query=query).data]

    assert found(search="syl rain") == [rain]
    assert found(search="বৃষ্টি") == [rain]
    assert found(search="weath") == [rain]
    assert found(search="snow") == []
    assert found(category="sports") == [cup]
    assert found(state="ACTIVE") == []
    assert set(found(state="PROPOSED")) == {rain, cup}


@pytest.mark.parametrize("sort", ["volume", "liquidity", "endDate", "createdAt"])
def test_every_order_can_be_paged_through(sort: str, platform: Platform, alice: Wallet) -> None:
    markets = []
    for hours in range(5):
        closes = clock.from_ms(clock.now_ms() + (hours + 1) * 3_600_000).isoformat()
        markets.append(platform.proposed_market(alice, closesAt=closes))
        platform.advance(1)
    seen: list[str] = []
    cursor = None
    while True:
        query = {"sort": sort, "limit": 2} | ({"cursor": cursor} if cursor else {})
        page = platform.call("list_markets", query=query)
        seen += [market["id"] for market in page.data]
        assert page.body["pagination"]["total"] == 5
        cursor = page.body["pagination"]["nextCursor"]
        if not cursor:
            break
    expected = {"endDate": markets, "createdAt": markets[::-1]}.get(sort)
    assert seen == expected if expected else sorted(seen) == sorted(markets)
    second = platform.call("list_markets", query={"sort": sort, "limit": 2, "page": 2})
    assert [market["id"] for market in second.data] == seen[2:4]
    assert second.body["pagination"]["totalPages"] == 3


def test_no_is_the_mirror_of_yes(
    platform: Platform, admin: Wallet, alice: Wallet, bob: Wallet
) -> None:
    market = platform.active_market(admin, alice)
    platform.order(alice, market, side="BUY", price=0.4, size=10)
    platform.order(bob, market, side="BUY", outcome="NO", price=0.55, size=3)
    yes, no = (
        platform.call("get_book", market_id=market, query={"outcome": outcome}).data
        for outcome in ("YES", "NO")
    )
    assert (yes["bids"], yes["asks"], yes["midpoint"], yes["spread"]) == (
        [{"price": 0.4, "size": 10.0, "orders": 1}],
        [{"price": 0.45, "size": 3.0, "orders": 1}],
        0.425,
        0.05,
    )
    assert (no["bids"], no["asks"], no["midpoint"], no["spread"]) == (
        [{"price": 0.55, "size": 3.0, "orders": 1}],
        [{"price": 0.6, "size": 10.0, "orders": 1}],
        0.575,
        0.05,
    )
    outcomes = platform.call("get_market", market_id=market).data["outcomes"]
    assert [(side["position"], side["price"], side["bestBid"]) for side in outcomes] == [
        ("YES", 0.425, 0.4),
        ("NO", 0.575, 0.55),
    ]


def test_trades_make_history(platform: Platform, admin: Wallet, alice: Wallet, bob: Wallet) -> None:
    market = platform.active_market(admin, alice)
    for price in ("0.40", "0.60", "0.50"):
        platform.order(alice, market, side="BUY", price=price, size=1)
        taken = platform.order(
            bob, market, side="BUY", outcome="NO", price=f"{1 - float(price):.2f}", size=1
        )
        assert taken.data["status"] == "filled"
    platform.advance(2 * 3600)
    history = platform.call("get_price_history", market_id=market, query={"hours": 3}).data
    assert [(bar["open"], bar["high"], bar["low"], bar["close"]) for bar in history["bars"]] == [
        (0.4, 0.6, 0.4, 0.5),
        (0.5, 0.5, 0.5, 0.5),
        (0.5, 0.5, 0.5, 0.5),
    ]
    assert (history["priceChange"], history["priceChangePercent"]) == (0.1, 25.0)
    no = platform.call(
        "get_price_history", market_id=market, query={"hours": 3, "outcome": "NO"}
    ).data
    assert (no["bars"][0]["high"], no["bars"][0]["low"]) == (0.6, 0.4)
    trades = platform.call("list_market_trades", market_id=market, query={"limit": 2})
    assert [trade["price"] for trade in trades.data] == [0.5, 0.6]
    cursor = trades.body["pagination"]["nextCursor"]
    rest = platform.call("list_market_trades", market_id=market, query={"cursor": cursor})
    assert [trade["price"] for trade in rest.data] == [0.4]
    stats = platform.call("get_market_stats", market_id=market).data
    assert (stats["volume"], stats["tradeCount"], stats["uniqueTraders"]) == (1.5, 3, 2)
    assert stats["openInterest"] == 3.0


def test_a_cached_answer_is_kept_told_apart_and_dropped(
    platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    market = platform.proposed_market(alice)
    platform.advance(2)
    first = platform.call("get_market", market_id=market)
    assert first.headers["cache-control"] == "public, max-age=30, stale-while-revalidate=30"
    unchanged = platform.call(
        "get_market", market_id=market, headers={"if-none-match": first.headers["etag"]}
    )
    assert (unchanged.status, unchanged.body) == (304, {})
    # A change nobody announced is not seen; a move of the market is, at once.
    with platform.database.connect() as owner:
        owner.execute("update markets set category = 'sports'")
    assert platform.call("get_market", market_id=market).data["category"] is None
    platform.call("approve_market", token=admin.token, market_id=market)
    moved = platform.call("get_market", market_id=market)
    assert (moved.data["state"], moved.data["category"]) == ("APPROVED", "sports")
    assert moved.headers["etag"] != first.headers["etag"]
    platform.advance(2)
    assert platform.call("get_market", market_id=market).status == 200


def test_an_aged_answer_is_made_anew_by_one_while_others_get_the_copy(
    platform: Platform, alice: Wallet
) -> None:
    market = platform.proposed_market(alice)
    platform.advance(2)
    platform.call("get_market", market_id=market)
    with platform.database.connect() as owner:
        owner.execute("update markets set category = 'new'")
        platform.advance(30)
        owner.autocommit = False
        # The one that makes it anew is held up in the database; the others are not.
        owner.execute("lock table markets in access exclusive mode")
        slow: list[Any] = []
        filler = threading.Thread(target=lambda: slow.append(_category(platform, market)))
        filler.start()
        try:
            _wait_for_lock(platform)
            assert _category(platform, market) is None
        finally:
            owner.rollback()
            filler.join()
    assert slow == ["new"]
    assert _category(platform, market) == "new"


def test_an_answer_too_old_is_not_served(platform: Platform, alice: Wallet) -> None:
    market = platform.proposed_market(alice)
    platform.advance(2)
    platform.call("get_market", market_id=market)
    with platform.database.connect() as owner:
        owner.execute("update markets set category = 'new'")
    platform.advance(30)
    assert _category(platform, market) == "new"


def _category(platform: Platform, market: str) -> object:
    try:
        return platform.call("get_market", market_id=market).data["category"]
    finally:
        platform.close()


def _wait_for_lock(platform: Platform) -> None:
    with platform.database.connect() as watcher:
        for _ in range(400):
            row = watcher.execute("select count(*) from pg_locks where not granted").fetchone()
            if row and row[0]:
                return
            time.sleep(0.02)
    raise AssertionError("nobody waits for the locked table")


@pytest.mark.parametrize(
    "stem", ["get_market", "get_book", "get_market_stats", "get_price_history"]
)
def test_there_is_no_such_market(stem: str, platform: Platform) -> None:
    for name in ("no-such-market", "00000000-0000-4000-8000-000000000000"):
        missing = platform.call(stem, market_id=name)
        assert (missing.status, missing.body["details"]["field"]) == (404, "marketId")


def test_probabilities_are_the_prices_normalised(
    platform: Platform, admin: Wallet, alice: Wallet, bob: Wallet
) -> None:
    market = platform.active_market(admin, alice)
    platform.order(alice, market, side="BUY", price=0.3, size=1)
    platform.order(bob, market, side="BUY", outcome="NO", price=0.6, size=1)
    odds = platform.call("list_outcomes", market_id=market).data
    assert odds["priceSum"] == 1.0
    assert [(one["label"], one["price"], one["probability"]) for one in odds["outcomes"]] == [
        ("YES", 0.35, 0.35),
        ("NO", 0.65, 0.65),
    ]


def test_related_markets_are_of_the_same_kind_first(
    platform: Platform, admin: Wallet, alice: Wallet, bob: Wallet
) -> None:
    this, traded, quiet, other = (
        platform.active_market(admin, alice, category=category)
        for category in ("sports", "sports", "sports", "weather")
    )
    platform.proposed_market(alice, category="sports")
    for market in (traded, other):
        platform.order(alice, market, side="BUY", price=0.5, size=10)
        platform.order(bob, market, side="BUY", outcome="NO", price=0.5, size=10)
    related = platform.call("list_related_markets", market_id=this).data
    assert [market["id"] for market in related] == [traded, quiet, other]


def test_snapshots_can_be_paged_through(platform: Platform, admin: Wallet, alice: Wallet) -> None:
    market = platform.active_market(admin, alice)
    platform.order(alice, market, side="BUY", price=0.5, size=10)
    for _ in range(3):
        assert platform.deliver("price_snapshot").status == 200
        platform.advance(300)
    first = platform.call("list_market_snapshots", market_id=market, query={"limit": 2})
    assert [point["slot"] for point in first.data] == [
        "2026-07-24T12:10:00+00:00",
        "2026-07-24T12:05:00+00:00",
    ]
    assert first.data[0]["bestBid"] == 0.5
    cursor = first.body["pagination"]["nextCursor"]
    rest = platform.call("list_market_snapshots", market_id=market, query={"cursor": cursor})
    assert [point["slot"] for point in rest.data] == ["2026-07-24T12:00:00+00:00"]


def test_markets_are_found_by_tag(platform: Platform, alice: Wallet) -> None:
    tagged = platform.proposed_market(alice, tags=["cricket", "asia-cup"])
    platform.proposed_market(alice, tags=["football"])
    found = platform.call("list_markets", query={"tag": "cricket"}).data
    assert [market["id"] for market in found] == [tagged]
