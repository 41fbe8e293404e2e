"""Markets of several outcomes over HTTP: their books, their sets, and every way they end."""

from typing import Any

import pytest

from tests.harness import Answer, Platform, Wallet


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


@pytest.fixture
def market(platform: Platform, admin: Wallet, alice: Wallet) -> str:
    return platform.cities(admin, alice, disputeWindowS=3600)


def _change(platform: Platform, wallet: Wallet, stem: str, key: str, **body: Any) -> Answer:
    headers = {"idempotency-key": key}
    return platform.call(f"{stem}_position", token=wallet.token, body=body, headers=headers)


def _shares(platform: Platform, wallet: Wallet) -> dict[tuple[int, str], float]:
    held = platform.call("list_positions", token=wallet.token).data["positions"]
    return {(row["outcome"], row["position"]): row["size"] for row in held if row["size"]}


def _available(platform: Platform, wallet: Wallet) -> float:
    available = platform.call("get_wallet", token=wallet.token).data["available"]
    assert isinstance(available, float)
    return available


def test_each_outcome_has_a_book_of_its_own(
    platform: Platform, alice: Wallet, bob: Wallet, market: str
) -> None:
    odds = platform.call("list_outcomes", market_id=market).data
    assert [(one["label"], one["price"]) for one in odds["outcomes"]] == [
        ("Dhaka", 0.5),
        ("Sylhet", 0.3),
        ("OTHER", 0.2),
    ]
    platform.order(alice, market, outcome="Dhaka", side="BUY", price=0.4, size=10)
    platform.order(alice, market, outcome="1", side="BUY", price=0.25, size=10)
    unnamed = platform.order(bob, market, side="BUY", price=0.4, size=10)
    assert (unnamed.status, unnamed.body["details"]["field"]) == (400, "outcome")
    taken = platform.order(
        bob, market, outcome="Dhaka", position="NO", side="BUY", price=0.6, size=4
    )
    assert taken.data["fills"][0]["kind"] == "MINT"
    dhaka, sylhet = (
        platform.call("get_book", market_id=market, query={"outcome": label}).data["bids"]
        for label in ("Dhaka", "Sylhet")
    )
    assert (dhaka[0]["size"], sylhet[0]["size"]) == (6.0, 10.0)
    assert platform.audit() == []


def test_sets_are_made_converted_and_given_back(
    platform: Platform, alice: Wallet, market: str
) -> None:
    paid = _change(platform, alice, "split", "a", marketId=market, outcome="Dhaka", size=10)
    assert (paid.status, paid.data["kind"], paid.data["amount"]) == (201, "split", -10.0)
    whole = _change(platform, alice, "split", "b", marketId=market, size=5)
    assert (whole.data["kind"], whole.data["outcome"]) == ("complete", None)
    assert _shares(platform, alice) == {
        (0, "NO"): 10.0,
        (0, "YES"): 15.0,
        (1, "YES"): 5.0,
        (2, "YES"): 5.0,
    }
    _change(platform, alice, "convert", "c", marketId=market, outcome="Dhaka", size=4)
    assert _shares(platform, alice) == {
        (0, "NO"): 6.0,
        (0, "YES"): 15.0,
        (1, "YES"): 9.0,
        (2, "YES"): 9.0,
    }
    _change(platform, alice, "merge", "d", marketId=market, outcome="Dhaka", size=6)
    back = _change(platform, alice, "merge", "e", marketId=market, size=9)
    assert (back.data["kind"], back.data["amount"]) == ("redeem", 9.0)
    assert _available(platform, alice) == 1000.0
    assert platform.audit() == []


def test_a_repeat_changes_nothing_and_another_body_is_a_conflict(
    platform: Platform, alice: Wallet, market: str
) -> None:
    body: dict[str, Any] = {"marketId": market, "outcome": "Dhaka", "size": 10}
    first = _change(platform, alice, "split", "key-1", **body)
    again = _change(platform, alice, "split", "key-1", **body)
    assert again.data == first.data
    assert again.headers["idempotent-replayed"] == "true"
    for stem, fields in (("split", {"size": 11}), ("merge", {})):
        clash = _change(platform, alice, stem, "key-1", **(body | fields))
        if stem == "split":
            assert (clash.status, clash.body["code"]) == (409, "IDEMPOTENCY_CONFLICT")
    missing = platform.call("split_position", token=alice.token, body=body)
    assert (missing.status, missing.body["details"]["field"]) == (400, "Idempotency-Key")
    assert platform.audit() == []


def test_what_is_not_there_cannot_be_given(platform: Platform, alice: Wallet, market: str) -> None:
    for stem, fields in (
        ("split", {"outcome": "Dhaka", "size": 2000}),
        ("merge", {"outcome": "Dhaka", "size": 1}),
        ("merge", {"size": 1}),
        ("convert", {"outcome": "Dhaka", "size": 1}),
    ):
        refused = _change(platform, alice, stem, f"{stem}-{len(fields)}", marketId=market, **fields)
        assert (refused.status, refused.body["code"]) == (402, "INSUFFICIENT_FUNDS")


@pytest.mark.parametrize(
    ("outcome", "yes"), [("Dhaka", 1.0), ("Sylhet", 0.0), ("2", 0.0), ("VOID", 0.3334)]
)
def test_every_ending_pays_out(
    outcome: str,
    yes: float,
    platform: Platform,
    admin: Wallet,
    alice: Wallet,
    bob: Wallet,
    market: str,
) -> None:
    """Alice holds 8 YES of Dhaka at 0.5 and bob its NO; the vector of VOID is 3334, 3333, 3333."""
    platform.order(alice, market, outcome="Dhaka", side="BUY", price=0.5, size=8)
    platform.order(bob, market, outcome="Dhaka", position="NO", side="BUY", price=0.5, size=8)
    platform.advance(86_400)
    body = {"outcome": outcome}
    resolved = platform.call("resolve_market", token=admin.token, market_id=market, body=body)
    assert resolved.status == 200
    platform.advance(3600)
    platform.deliver("market_monitor")
    platform.deliver("settle_market")
    final = platform.call("get_market", market_id=market).data["finalOutcome"]
    assert final == ("OTHER" if outcome == "2" else outcome)
    assert [_available(platform, wallet) for wallet in (alice, bob)] == pytest.approx(
        [996.0 + 8 * yes, 996.0 + 8 * (1 - yes)]
    )
    assert platform.audit() == []


@pytest.mark.parametrize(
    ("outcomes", "exhaustive", "status"),
    [
        ([{"label": "A"}], False, 400),
        ([{"label": "A"}, {"label": "A"}], False, 400),
        ([{"label": "A", "probability": 0.6}, {"label": "B", "probability": 0.5}], False, 400),
        ([{"label": "A"}, {"label": "B"}], True, 400),
        ([{"label": "A"}, {"label": "B"}], False, 201),
        ([{"label": "A"}, {"label": "OTHER"}], True, 201),
    ],
)
def test_outcomes_follow_their_rules(
    outcomes: list[dict[str, Any]],
    exhaustive: object,
    status: int,
    platform: Platform,
    admin: Wallet,
    alice: Wallet,
) -> None:
    market = platform.proposed_market(alice)
    body = {"outcomes": outcomes, "exhaustive": exhaustive}
    made = platform.call("create_outcomes", token=admin.token, market_id=market, body=body)
    assert made.status == status, made.body
    denied = platform.call("create_outcomes", token=alice.token, market_id=market, body=body)
    assert denied.status in {400, 403}


def test_a_traded_market_keeps_its_outcomes(
    platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    market = platform.active_market(admin, alice)
    platform.order(alice, market, side="BUY", price=0.5, size=1)
    body = {"outcomes": [{"label": "A"}, {"label": "B"}]}
    refused = platform.call("create_outcomes", token=admin.token, market_id=market, body=body)
    assert (refused.status, refused.body["code"]) == (409, "INVALID_STATE")
