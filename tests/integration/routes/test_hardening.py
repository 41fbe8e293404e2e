"""Input that once broke something: each is refused by name, or does no harm."""

import json
from typing import Any

import httpx
import pytest

from presage import paging
from presage.schema import FIRST_MOMENT, LAST_MOMENT
from tests.harness import Platform, Wallet


@pytest.fixture
def alice(platform: Platform) -> Wallet:
    return platform.sign_in()


@pytest.mark.parametrize("number", ["1e12000000", "-1e-9999999", "1e99999999999999999999"])
@pytest.mark.parametrize("stem", ["create_nonce", "list_market_trades"])
def test_a_number_that_would_take_seconds_to_expand_is_refused(
    stem: str, number: str, platform: Platform
) -> None:
    path: dict[str, Any] = {"market_id": "x"} if stem == "list_market_trades" else {}
    refused = platform.call(stem, raw=f'{{"limit": {number}}}'.encode(), **path)
    assert (refused.status, refused.body["details"]["field"]) == (400, "body")


@pytest.mark.parametrize(
    ("stem", "mark"),
    [
        ("list_orders", [2**63]),
        ("list_market_trades", [2**63]),
        ("list_markets", [2**63, "00000000-0000-4000-8000-000000000000"]),
        ("list_markets", [1, "nope"]),
        ("list_positions", ["nope", 0, "YES"]),
        ("list_positions", ["00000000-0000-4000-8000-000000000000", 40_000, "YES"]),
        ("list_positions", ["00000000-0000-4000-8000-000000000000", 0, "\0"]),
        ("list_market_snapshots", ["0000-00-00", 0]),
    ],
)
def test_a_forged_cursor_is_refused(
    stem: str, mark: list[Any], platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    path: dict[str, Any] = {}
    if stem in {"list_market_trades", "list_market_snapshots"}:
        path["market_id"] = platform.active_market(admin, alice)
    query = {"cursor": paging.encode(mark)}
    refused = platform.call(stem, token=alice.token, query=query, **path)
    assert (refused.status, refused.body["code"]) == (400, "VALIDATION_FAILED")


@pytest.mark.parametrize(
    "fields",
    [
        {"closesAt": "9999-12-31T23:59:59-14:00"},
        {"opensAt": "0001-01-01T00:00:00+14:00"},
        {"closesAt": LAST_MOMENT.isoformat()},
        {"opensAt": FIRST_MOMENT.replace(year=1999).isoformat()},
    ],
)
def test_a_moment_no_clock_can_say_is_refused(
    fields: dict[str, str], platform: Platform, alice: Wallet
) -> None:
    body = {"question": "Will it be?", "closesAt": "2027-01-01T00:00:00Z"} | fields
    refused = platform.call("propose_market", token=alice.token, body=body)
    assert (refused.status, refused.body["details"]["field"]) == (400, next(iter(fields)))
    assert platform.call("list_markets").status == 200


def test_a_rule_belongs_to_its_market(platform: Platform, alice: Wallet) -> None:
    rule: dict[str, Any] = {
        "kind": "price_at",
        "symbol": "BTC/USD",
        "reference": "price_at_open",
        "openAt": "2026-07-25T11:00:00Z",
        "closeAt": "2026-07-25T12:00:01Z",
    }
    body = {
        "question": "Will it be?",
        "closesAt": "2026-07-25T12:00:00Z",
        "resolutionRule": rule,
    }
    refused = platform.call("propose_market", token=alice.token, body=body)
    assert refused.status == 400
    assert "closeAt" in refused.body["error"]
    rule |= {"closeAt": "2026-07-25T12:00:00Z", "toleranceS": 901}
    refused = platform.call("propose_market", token=alice.token, body=body)
    assert refused.body["details"]["field"] == "resolutionRule.toleranceS"


def test_a_long_word_can_be_asked_about(platform: Platform, alice: Wallet) -> None:
    body = {"question": "ক" * 1000, "closesAt": "2026-07-25T12:00:00Z"}
    answer = platform.call("propose_market", token=alice.token, body=body)
    assert answer.status in {201, 400}


def test_a_slug_is_no_id(platform: Platform, alice: Wallet) -> None:
    body = {
        "question": "Will it be?",
        "closesAt": "2026-07-25T12:00:00Z",
        "slug": "00000000-0000-4000-8000-000000000000",
    }
    refused = platform.call("propose_market", token=alice.token, body=body)
    assert (refused.status, refused.body["details"]["field"]) == (400, "slug")


def test_a_stale_cookie_keeps_nobody_out(platform: Platform, alice: Wallet) -> None:
    platform.call("logout", token=alice.token)
    cookies = [f"session-token={alice.token}"]
    headers = {"origin": "https://app.example.com"}
    for stem, body in (
        ("create_nonce", {"address": alice.address}),
        ("list_markets", None),
        ("get_health", None),
    ):
        answer = platform.call(stem, body=body, cookies=cookies, headers=headers)
        assert answer.status == 200, answer.body
    private = platform.call("get_wallet", cookies=cookies, headers=headers)
    assert private.status == 401
    assert private.cookies == ["session-token=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"]
    assert platform.call("get_health", headers={"authorization": "Basic eA=="}).status == 200
    assert (
        platform.call("create_nonce", body={"address": alice.address}, cookies=cookies).status
        == 200
    )


@pytest.mark.parametrize(
    ("slot", "status"),
    [("2026-07-24T12:00:00", 400), ("0001-01-01T00:00:00+14:00", 400), ("x", 400)],
)
def test_an_odd_slot_is_refused(
    slot: str, status: int, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRON_SECRET", "let-me-in-please")
    bearer = {"authorization": "Bearer let-me-in-please"}
    refused = platform.call("cleanup", body={"slot": slot}, headers=bearer)
    assert (refused.status, refused.body["details"]["field"]) == (status, "slot")


@pytest.mark.parametrize("retried", ["x", "", "99999999999", "-1", "\uff11"])
def test_an_odd_count_of_retries_is_read_as_none(retried: str, platform: Platform) -> None:
    assert platform.deliver("cleanup", **{"upstash-retried": retried}).status == 200


def test_problems_are_told_up_to_a_point(platform: Platform) -> None:
    body = {f"{'x' * 200}{n}": 1 for n in range(3_000)}
    refused = platform.call("create_nonce", body=body)
    assert refused.status == 400
    assert len(refused.body["details"]["errors"]) == 20
    assert len(json.dumps(refused.body)) < 10_000


def test_guessed_tokens_leave_nothing_behind(platform: Platform, redis_url: str) -> None:
    for n in range(30):
        platform.call("get_wallet", headers={"authorization": f"Bearer guess-{n}"})
    authorized = {"Authorization": "Bearer test-token"}
    keys = httpx.post(redis_url, json=["KEYS", "limit:caller:*"], headers=authorized).json()
    assert keys == {"result": []}


def test_a_move_by_a_workflow_is_seen_at_once(
    platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    market = platform.active_market(admin, alice, disputeWindowS=3600)
    platform.advance(86_400)
    body = {"outcome": "NO"}
    platform.call("resolve_market", token=admin.token, market_id=market, body=body)
    platform.advance(3600)
    assert platform.call("get_market", market_id=market).data["state"] == "RESOLVING"
    platform.deliver("market_monitor")
    assert platform.call("get_market", market_id=market).data["state"] == "FINALIZED"


def test_orders_are_released_although_the_outcome_is_proposed_first(
    platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    platform.fund(alice, 100_000_000)
    market = platform.active_market(admin, alice)
    platform.order(alice, market, side="BUY", price=0.5, size=10)
    platform.advance(86_400)
    body = {"outcome": "NO"}
    platform.call("resolve_market", token=admin.token, market_id=market, body=body)
    assert platform.deliver("market_close_check").data["counts"]["releasedOrders"] == 1
    assert platform.call("get_wallet", token=alice.token).data["locked"] == 0.0


@pytest.mark.parametrize("tail", ["\n\n", "  ", "\t\t"])
def test_an_address_holds_no_white_space(tail: str, platform: Platform) -> None:
    refused = platform.call("create_nonce", body={"address": "0x" + "a" * 38 + tail})
    assert (refused.status, refused.body["details"]["field"]) == (400, "address")
