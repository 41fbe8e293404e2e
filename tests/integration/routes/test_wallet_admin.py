"""What admins do with deposits, withdrawals and rates: decide each once, and never their own."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import Answer, Platform, Wallet

WHY = {"reason": "No such payment arrived."}
PAID = {"externalReference": "BKASH-7781"}


@pytest.fixture
def alice(platform: Platform) -> Wallet:
    wallet = platform.sign_in()
    platform.fund(wallet, 1_000_000_000)
    return wallet


def _decide(platform: Platform, admin: Wallet, stem: str, case: str, **body: Any) -> Answer:
    path: dict[str, Any] = {f"{stem.partition('_')[2]}_id": case}
    return platform.call(stem, token=admin.token, body=body, **path)


def _available(platform: Platform, wallet: Wallet) -> float:
    return float(platform.call("get_wallet", token=wallet.token).data["available"])


def _audited(platform: Platform, case: str) -> list[tuple[Any, ...]]:
    with platform.database.connect() as owner:
        return owner.execute(
            "select actor_id, action, request_id, ip, changes from audit_log"
            " where resource_id = %s order by id",
            (case,),
        ).fetchall()


def _state(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.body["code"]


def test_a_verified_deposit_is_credited_once(
    platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    case = platform.deposit(alice).data["id"]
    verified = _decide(platform, admin, "verify_deposit", case)
    assert verified.status == 200
    assert verified.data["status"] == "verified"
    assert verified.data["userId"] == str(alice.user_id)
    assert verified.data["decidedBy"] == str(admin.user_id)
    platform.advance(86_400)
    assert _decide(platform, admin, "verify_deposit", case).data == verified.data
    assert _available(platform, alice) == 1500
    entry = platform.call("list_ledger", token=alice.token).data[0]
    assert (entry["kind"], entry["amount"], entry["reference"]) == ("deposit", 500.0, case)
    created, decided = _audited(platform, case)
    assert created[:2] == (alice.user_id, "create_deposit")
    assert decided[:2] == (admin.user_id, "verify_deposit")
    assert (decided[2], decided[3]) == (verified.headers["x-request-id"], "127.0.0.1")
    assert decided[4] == {"status": "verified", "credited_micros": 500_000_000}
    assert platform.audit() == []


def test_a_rejected_deposit_credits_nothing(
    platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    case = platform.deposit(alice).data["id"]
    rejected = _decide(platform, admin, "reject_deposit", case, **WHY)
    assert (rejected.data["status"], rejected.data["reason"]) == ("rejected", WHY["reason"])
    assert _decide(platform, admin, "reject_deposit", case, reason="Again").data == rejected.data
    refused = _decide(platform, admin, "verify_deposit", case)
    assert _state(refused) == (409, "INVALID_STATE")
    assert _available(platform, alice) == 1000
    assert [row[1] for row in _audited(platform, case)] == ["create_deposit", "reject_deposit"]


def test_a_verified_deposit_is_not_rejected(
    platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    case = platform.deposit(alice).data["id"]
    _decide(platform, admin, "verify_deposit", case)
    assert _state(_decide(platform, admin, "reject_deposit", case, **WHY)) == (409, "INVALID_STATE")
    assert _available(platform, alice) == 1500


@pytest.mark.parametrize("is_marked", [False, True])
def test_an_expired_deposit_is_refused_marked_or_not(
    is_marked: bool, platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    cases = [platform.deposit(alice).data["id"] for _ in range(3)]
    _decide(platform, admin, "verify_deposit", cases[0])
    platform.advance(86_399)
    late = platform.deposit(alice).data["id"]
    _decide(platform, admin, "verify_deposit", cases[1])
    platform.advance(1)
    if is_marked:
        assert platform.deliver("cleanup_expired_deposits").data["counts"] == {"expired": 1}
        assert _audited(platform, cases[2])[-1][:2] == (None, "expire_deposit")
    for stem, body in (("verify_deposit", {}), ("reject_deposit", WHY)):
        assert _state(_decide(platform, admin, stem, cases[2], **body)) == (409, "INVALID_STATE")
    shown = platform.call("list_deposits", token=alice.token).data
    statuses = {row["id"]: row["status"] for row in shown}
    assert statuses == {
        cases[0]: "verified",
        cases[1]: "verified",
        cases[2]: "expired",
        late: "pending",
    }
    for stem, wallet in (("list_deposits", alice), ("list_all_deposits", admin)):
        for status, expected in (("expired", [cases[2]]), ("pending", [late])):
            rows = platform.call(stem, token=wallet.token, query={"status": status}).data
            assert [row["id"] for row in rows] == expected
    assert _available(platform, alice) == 2000
    assert platform.audit() == []


def test_the_sweep_marks_all_in_chunks_and_once(
    platform: Platform, alice: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("presage.ledger.deposits.EXPIRE_CHUNK", 2)
    for _ in range(5):
        platform.deposit(alice)
    platform.advance(86_400)
    assert platform.deliver("cleanup_expired_deposits").data["counts"] == {"expired": 5}
    platform.advance(86_400)
    assert platform.deliver("cleanup_expired_deposits").data["counts"] == {"expired": 0}


def test_a_completed_withdrawal_stays_paid(
    platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    case = platform.withdraw(alice).data["id"]
    done = _decide(platform, admin, "complete_withdrawal", case, **PAID)
    assert (done.data["status"], done.data["externalReference"]) == ("completed", "BKASH-7781")
    assert _decide(platform, admin, "complete_withdrawal", case, **PAID).data == done.data
    other = _decide(platform, admin, "complete_withdrawal", case, externalReference="BKASH-9")
    assert (*_state(other), other.body["details"]["field"]) == (
        *(409, "CONFLICT"),
        "externalReference",
    )
    refused = _decide(platform, admin, "reject_withdrawal", case, **WHY)
    assert _state(refused) == (409, "INVALID_STATE")
    assert _available(platform, alice) == 900
    assert [row[:2] for row in _audited(platform, case)] == [
        (alice.user_id, "create_withdrawal"),
        (admin.user_id, "complete_withdrawal"),
    ]
    assert platform.audit() == []


def test_a_rejected_withdrawal_comes_back_once(
    platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    case = platform.withdraw(alice).data["id"]
    rejected = _decide(platform, admin, "reject_withdrawal", case, **WHY)
    assert (rejected.data["status"], rejected.data["reason"]) == ("rejected", WHY["reason"])
    assert _decide(platform, admin, "reject_withdrawal", case, **WHY).data == rejected.data
    refused = _decide(platform, admin, "complete_withdrawal", case, **PAID)
    assert _state(refused) == (409, "INVALID_STATE")
    assert _available(platform, alice) == 1000
    assert platform.audit() == []


def test_nobody_decides_money_for_themselves(platform: Platform, admin: Wallet) -> None:
    platform.fund(admin, 1_000_000_000)
    deposit = platform.deposit(admin).data["id"]
    withdrawal = platform.withdraw(admin).data["id"]
    assert _state(_decide(platform, admin, "verify_deposit", deposit)) == (403, "FORBIDDEN")
    refused = _decide(platform, admin, "complete_withdrawal", withdrawal, **PAID)
    assert _state(refused) == (403, "FORBIDDEN")
    assert _available(platform, admin) == 900
    assert _decide(platform, admin, "reject_deposit", deposit, **WHY).status == 200
    assert _decide(platform, admin, "reject_withdrawal", withdrawal, **WHY).status == 200
    assert _available(platform, admin) == 1000


@pytest.mark.parametrize(
    ("stem", "body"),
    [
        ("verify_deposit", {}),
        ("reject_deposit", WHY),
        ("complete_withdrawal", PAID),
        ("reject_withdrawal", WHY),
    ],
)
def test_a_decision_is_an_admins_on_something_that_is_there(
    stem: str, body: dict[str, Any], platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    nowhere = "00000000-0000-4000-8000-00000000dead"
    assert _decide(platform, admin, stem, nowhere, **body).status == 404
    assert _decide(platform, alice, stem, nowhere, **body).status == 403
    if body:
        for empty in ({}, dict.fromkeys(body, "  "), dict.fromkeys(body, "x" * 1001)):
            refused = _decide(platform, admin, stem, nowhere, **empty)
            assert (refused.status, refused.body["details"]["field"]) == (400, next(iter(body)))


@pytest.mark.parametrize(
    ("stem", "make"),
    [("list_all_deposits", Platform.deposit), ("list_all_withdrawals", Platform.withdraw)],
)
def test_the_queue_is_oldest_first_and_the_rest_newest_first(
    stem: str,
    make: Callable[[Platform, Wallet], Answer],
    platform: Platform,
    admin: Wallet,
    alice: Wallet,
) -> None:
    bob = platform.sign_in()
    platform.fund(bob, 1_000_000_000)
    cases = [make(platform, wallet).data["id"] for wallet in (alice, bob, alice, bob, alice)]
    kind = "deposit" if stem == "list_all_deposits" else "withdrawal"
    _decide(platform, admin, f"reject_{kind}", cases[1], **WHY)
    waiting = [cases[0], *cases[2:]]
    for query, expected in (
        ({"status": "pending"}, waiting),
        ({}, cases[::-1]),
        ({"status": "rejected"}, [cases[1]]),
    ):
        told: list[str] = []
        cursor: dict[str, Any] = {}
        while cursor != {"cursor": None}:
            page = platform.call(stem, token=admin.token, query=query | {"limit": 2} | cursor)
            told += [row["id"] for row in page.data]
            cursor = {"cursor": page.body["pagination"]["nextCursor"]}
        assert told == expected
    assert platform.call(stem, token=alice.token).status == 403
    unknown = platform.call(stem, token=admin.token, query={"status": "lost"})
    assert unknown.status == 400


@pytest.mark.parametrize("rate", [0, -1, "0.0000001", "1000000.000001", "NaN", "abc", None])
def test_a_rate_that_makes_no_sense_is_refused(
    rate: object, platform: Platform, admin: Wallet
) -> None:
    body = {"currency": "USDT", "rate": rate}
    refused = platform.call("set_exchange_rate", token=admin.token, body=body)
    assert (refused.status, refused.body["details"]["field"]) == (400, "rate")


def test_a_rate_is_a_row_with_who_set_it(platform: Platform, admin: Wallet, alice: Wallet) -> None:
    for rate in (120, "121.5"):
        body = {"currency": "USDT", "rate": rate}
        answer = platform.call("set_exchange_rate", token=admin.token, body=body)
        platform.advance(1)
        assert platform.call("set_exchange_rate", token=alice.token, body=body).status == 403
    assert answer.data["rate"] == 121.5
    with platform.database.connect() as owner:
        rows = owner.execute(
            "select rate_micros, source, set_by from exchange_rates order by id"
        ).fetchall()
        audited = owner.execute(
            "select actor_id, changes from audit_log where action = 'store_rate' order by id"
        ).fetchall()
    assert rows == [
        (120_000_000, "admin", admin.user_id),
        (121_500_000, "admin", admin.user_id),
    ]
    assert [actor for actor, _changes in audited] == [admin.user_id] * 2
    assert audited[1][1]["rate_micros"] == 121_500_000
    euros = platform.call("set_exchange_rate", token=admin.token, body={"currency": "EUR"})
    assert euros.status == 400
