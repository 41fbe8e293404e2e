"""The wallet over HTTP, as its owner sees it: deposits, withdrawals, and what USDT is worth."""

import logging
from typing import Any

import pytest
from psycopg import sql

from presage import clock
from presage.ledger.rates import store_rate
from presage.routes import ROUTES
from tests.harness import Answer, Platform, Wallet

EVM = "0x52908400098527886E0F7030069857D2E4169EE7"
NUMBER = "01712345678"
MASKED = "017****5678"
HASH = "0x" + "ab" * 32


@pytest.fixture
def alice(platform: Platform) -> Wallet:
    wallet = platform.sign_in()
    platform.fund(wallet, 1_000_000_000)
    return wallet


@pytest.fixture
def bob(platform: Platform) -> Wallet:
    return platform.sign_in()


def _rate(platform: Platform, admin: Wallet, rate: object) -> Answer:
    body = {"currency": "USDT", "rate": rate}
    return platform.call("set_exchange_rate", token=admin.token, body=body)


def _field(answer: Answer) -> tuple[int, str, str | None]:
    return answer.status, answer.body["code"], answer.body.get("details", {}).get("field")


def _list(platform: Platform, wallet: Wallet, stem: str, **query: Any) -> list[dict[str, Any]]:
    return list(platform.call(stem, token=wallet.token, query=query).data)


def _available(platform: Platform, wallet: Wallet) -> float:
    return float(platform.call("get_wallet", token=wallet.token).data["available"])


def test_a_deposit_waits_a_day_and_moves_nothing(platform: Platform, bob: Wallet) -> None:
    answer = platform.deposit(bob, amount="500.50", senderReference=" 9HG4K2 ", currency="BDT")
    assert answer.status == 201
    assert answer.data.pop("id")
    at = answer.data.pop("createdAt")
    assert answer.data.pop("expiresAt") == at.replace("-24T", "-25T")
    assert answer.data == {
        "method": "bkash",
        "currency": "BDT",
        "amount": 500.5,
        "rate": None,
        "creditedAmount": 500.5,
        "creditedCurrency": "BDT",
        "senderReference": "9HG4K2",
        "senderNumber": MASKED,
        "status": "pending",
        "reason": None,
        "decidedAt": None,
    }
    assert _available(platform, bob) == 0
    assert [one["senderReference"] for one in _list(platform, bob, "list_deposits")] == ["9HG4K2"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"amount": -5}, "amount"),
        ({"amount": 0}, "amount"),
        ({"amount": 0.99}, "amount"),
        ({"amount": 10.005}, "amount"),
        ({"amount": "1e-3"}, "amount"),
        ({"amount": 10_000_000.01}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": True}, "amount"),
        ({"currency": "USDT"}, "currency"),
        ({"currency": "EUR"}, "currency"),
        ({"method": "usdt", "currency": "BDT"}, "currency"),
        ({"method": "usdt", "amount": "1.0000001"}, "amount"),
        ({"method": "cash"}, "method"),
        ({"method": "bank", "senderNumber": NUMBER}, "senderNumber"),
        ({"senderNumber": None}, "senderNumber"),
        ({"senderNumber": "01212345678"}, "senderNumber"),
        ({"senderNumber": "0171234567"}, "senderNumber"),
        ({"senderReference": "abc"}, "senderReference"),
        ({"senderReference": "=HYPERLINK()"}, "senderReference"),
        ({"senderReference": "x" * 101}, "senderReference"),
        ({"status": "verified"}, "status"),
    ],
)
def test_a_deposit_that_does_not_fit_is_refused_by_its_field(
    fields: dict[str, Any], field: str, platform: Platform, bob: Wallet
) -> None:
    refused = platform.deposit(bob, **fields)
    assert _field(refused) == (400, "VALIDATION_FAILED", field)
    assert NUMBER not in str(refused.body)
    assert _list(platform, bob, "list_deposits") == []


def test_a_number_left_out_is_missed(platform: Platform, bob: Wallet) -> None:
    body = {"method": "nagad", "amount": 5, "senderReference": "TXN-1"}
    refused = platform.call(
        "create_deposit", token=bob.token, body=body, headers={"idempotency-key": "k"}
    )
    assert _field(refused) == (400, "VALIDATION_FAILED", "senderNumber")


def test_a_money_route_needs_its_key(platform: Platform, alice: Wallet) -> None:
    for stem in ("create_deposit", "create_withdrawal"):
        refused = platform.call(stem, token=alice.token, body={"method": "bank", "amount": 5})
        assert _field(refused) == (400, "VALIDATION_FAILED", "Idempotency-Key")


def test_a_reference_is_used_once_a_method(platform: Platform, alice: Wallet, bob: Wallet) -> None:
    assert platform.deposit(alice, senderReference="TXN-0042").status == 201
    for same in ("TXN-0042", "txn-0042", "TXN0042", "TXN 00.42"):
        refused = platform.deposit(bob, senderReference=same)
        assert _field(refused) == (409, "CONFLICT", "senderReference")
    assert platform.deposit(bob, method="nagad", senderReference="TXN-0042").status == 201


def test_a_transaction_is_the_same_with_and_without_its_prefix(
    platform: Platform, admin: Wallet, alice: Wallet, bob: Wallet
) -> None:
    _rate(platform, admin, 120)
    assert platform.deposit(alice, method="usdt", senderReference=HASH).status == 201
    refused = platform.deposit(bob, method="usdt", senderReference=HASH[2:].upper())
    assert _field(refused) == (409, "CONFLICT", "senderReference")


def test_a_reference_is_free_once_its_deposit_is_rejected_or_over(
    platform: Platform, admin: Wallet, alice: Wallet, bob: Wallet
) -> None:
    first = platform.deposit(alice, senderReference="TXN-1").data["id"]
    why = {"reason": "No such payment arrived."}
    platform.call("reject_deposit", token=admin.token, body=why, deposit_id=first)
    assert platform.deposit(bob, senderReference="TXN-1").status == 201
    platform.advance(86_400)
    assert platform.deposit(alice, senderReference="TXN-1").status == 201
    assert [one["status"] for one in _list(platform, bob, "list_deposits")] == ["expired"]
    statuses = [one["status"] for one in _list(platform, alice, "list_deposits")]
    assert statuses == ["pending", "rejected"]
    reasons = [one["reason"] for one in _list(platform, alice, "list_deposits", status="rejected")]
    assert reasons == ["No such payment arrived."]


def test_ten_deposits_may_wait(platform: Platform, bob: Wallet) -> None:
    assert {platform.deposit(bob).status for _ in range(5)} == {201}
    platform.advance(60)
    assert {platform.deposit(bob).status for _ in range(5)} == {201}
    platform.advance(60)
    assert _field(platform.deposit(bob)) == (422, "UNPROCESSABLE", None)
    platform.advance(86_400)
    assert platform.deposit(bob).status == 201


@pytest.mark.parametrize("stem", ["create_deposit", "create_withdrawal"])
def test_ten_calls_a_minute(stem: str, platform: Platform, bob: Wallet) -> None:
    assert ROUTES[stem].limit_per_min == 10
    send = platform.deposit if stem == "create_deposit" else platform.withdraw
    platform.call("get_wallet", token=bob.token)  # from here on the session is known to Redis
    assert {send(bob, amount=-1).status for _ in range(10)} == {400}
    assert send(bob).status == 429


def test_a_repeat_answers_the_first_result_whatever_happened_since(
    platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    first = platform.deposit(alice, key="k", senderReference="TXN-1")
    withdrawn = platform.withdraw(alice, key="k")
    platform.call("verify_deposit", token=admin.token, deposit_id=first.data["id"])
    body = {"externalReference": "BKASH-1"}
    path = {"withdrawal_id": withdrawn.data["id"]}
    platform.call("complete_withdrawal", token=admin.token, body=body, **path)
    again = platform.deposit(alice, key="k", senderReference="TXN-1", amount="500.00")
    assert (again.data, again.headers["idempotent-replayed"]) == (first.data, "true")
    paid = platform.withdraw(alice, key="k", destination="+8801712345678")
    assert (paid.data, paid.headers["idempotent-replayed"]) == (withdrawn.data, "true")
    assert "idempotent-replayed" not in first.headers
    other = platform.deposit(alice, key="k", senderReference="TXN-1", amount=501)
    assert (other.status, other.body["code"]) == (409, "IDEMPOTENCY_CONFLICT")
    other = platform.withdraw(alice, key="k", amount=101)
    assert (other.status, other.body["code"]) == (409, "IDEMPOTENCY_CONFLICT")
    assert _available(platform, alice) == 1000 + 500 - 100


def test_a_refusal_consumes_no_key(platform: Platform, admin: Wallet, bob: Wallet) -> None:
    assert platform.withdraw(bob, key="k").status == 402
    body = {"method": "usdt", "senderReference": HASH}
    assert platform.deposit(bob, key="k", **body).status == 409
    platform.fund(bob, 100_000_000)
    _rate(platform, admin, 120)
    assert platform.withdraw(bob, key="k").status == 201
    assert platform.deposit(bob, key="k", **body).status == 201


def test_usdt_converts_at_the_stored_rate_frozen_and_rounded_down(
    platform: Platform, admin: Wallet, bob: Wallet
) -> None:
    usdt = {"method": "usdt", "amount": "1.234567"}
    refused = platform.deposit(bob, **usdt)
    assert _field(refused) == (409, "INVALID_STATE", "currency")
    nothing = platform.call("get_exchange_rate", token=bob.token).data
    assert (nothing["rate"], nothing["isStale"]) == (None, True)
    assert _rate(platform, admin, "121.35").status == 200
    shown = platform.call("get_exchange_rate", token=bob.token).data
    assert (shown["base"], shown["quote"], shown["rate"]) == ("USDT", "BDT", 121.35)
    assert (shown["source"], shown["isStale"]) == ("admin", False)
    deposit = platform.deposit(bob, currency="USDT", **usdt).data
    # 1.234567 x 121.35 = 149.81470545: what is below a millionth is not credited.
    assert (deposit["rate"], deposit["creditedAmount"]) == (121.35, 149.814705)
    assert (deposit["amount"], deposit["currency"]) == (1.234567, "USDT")
    _rate(platform, admin, 200)
    verified = platform.call("verify_deposit", token=admin.token, deposit_id=deposit["id"])
    assert verified.data["creditedAmount"] == 149.814705
    assert _available(platform, bob) == 149.814705
    assert platform.audit() == []


def test_the_latest_observation_rules_whenever_it_was_stored(
    platform: Platform, admin: Wallet, bob: Wallet
) -> None:
    """A workflow may bring a rate late; of two of one moment the one stored last rules."""
    _rate(platform, admin, 110)
    _rate(platform, admin, 120)
    worker = platform.as_zone("worker")
    before = clock.from_ms(clock.now_ms() - 60_000)
    late = store_rate(worker, "USDT", 130_000_000, source="feed", observed_at=before)
    assert (late.source, late.rate_micros) == ("feed", 130_000_000)
    assert platform.call("get_exchange_rate", token=bob.token).data["rate"] == 120
    assert platform.deposit(bob, method="usdt", amount=1).data["creditedAmount"] == 120


def test_nothing_converts_at_a_rate_over_a_day_old(
    platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    _rate(platform, admin, 120)
    platform.advance(86_400)
    assert platform.deposit(alice, method="usdt").status == 201
    platform.advance(1)
    refused = platform.deposit(alice, method="usdt")
    assert _field(refused) == (409, "INVALID_STATE", "currency")
    refused = platform.withdraw(alice, method="usdt", destination=EVM)
    assert _field(refused) == (409, "INVALID_STATE", "currency")
    assert platform.call("get_exchange_rate", token=alice.token).data["isStale"] is True
    assert _available(platform, alice) == 1000


def test_what_a_deposit_is_worth_has_the_same_limit(
    platform: Platform, admin: Wallet, bob: Wallet
) -> None:
    _rate(platform, admin, 120)
    refused = platform.deposit(bob, method="usdt", amount=83_333.34)
    assert _field(refused) == (400, "VALIDATION_FAILED", "amount")
    assert platform.deposit(bob, method="usdt", amount=83_333.33).status == 201


def test_a_withdrawal_leaves_the_available_balance_at_once(
    platform: Platform, alice: Wallet
) -> None:
    answer = platform.withdraw(alice, amount="250.50", destination="+880 1712-345678")
    assert answer.status == 201
    assert answer.data.pop("id")
    assert answer.data.pop("createdAt")
    assert answer.data == {
        "method": "bkash",
        "currency": "BDT",
        "amount": 250.5,
        "rate": None,
        "payoutAmount": 250.5,
        "payoutCurrency": "BDT",
        "destination": MASKED,
        "status": "pending",
        "externalReference": None,
        "reason": None,
        "decidedAt": None,
    }
    assert _available(platform, alice) == 749.5
    assert _field(platform.withdraw(alice, amount=749.51)) == (402, "INSUFFICIENT_FUNDS", None)
    assert platform.audit() == []


def test_usdt_is_paid_out_at_a_frozen_rate(
    platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    _rate(platform, admin, 121)
    paid = platform.withdraw(alice, method="usdt", destination=EVM.lower()).data
    # 100 / 121 = 0.826446 and a rest that stays here.
    assert (paid["payoutAmount"], paid["payoutCurrency"]) == (0.826446, "USDT")
    assert (paid["amount"], paid["currency"], paid["rate"]) == (100.0, "BDT", 121.0)
    assert paid["destination"] == EVM
    assert _available(platform, alice) == 900


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"amount": -100}, "amount"),
        ({"amount": 0.5}, "amount"),
        ({"amount": 1.001}, "amount"),
        ({"destination": "01212345678"}, "destination"),
        ({"destination": EVM}, "destination"),
        ({"method": "usdt", "destination": NUMBER}, "destination"),
        ({"method": "usdt", "destination": EVM.replace("E0F", "e0f")}, "destination"),
        ({"method": "bank", "destination": "=1+1"}, "destination"),
        ({"method": "bank", "destination": "1234"}, "destination"),
        ({"currency": "USDT"}, "currency"),
    ],
)
def test_a_withdrawal_that_does_not_fit_is_refused_by_its_field(
    fields: dict[str, Any], field: str, platform: Platform, alice: Wallet
) -> None:
    refused = platform.withdraw(alice, **fields)
    assert _field(refused) == (400, "VALIDATION_FAILED", field)
    assert _available(platform, alice) == 1000


def test_a_closed_only_account_may_withdraw(platform: Platform, alice: Wallet) -> None:
    with platform.database.connect() as owner:
        owner.execute("update users set closed_only = true where id = %s", (alice.user_id,))
    bank = {"method": "bank", "destination": "1234-5678-90123"}
    assert platform.withdraw(alice, **bank).data["destination"] == "1234-5678-90123"


def test_money_is_seen_by_its_owner_only(platform: Platform, alice: Wallet, bob: Wallet) -> None:
    platform.deposit(alice)
    platform.withdraw(alice)
    for stem in ("list_deposits", "list_withdrawals", "list_ledger"):
        assert len(_list(platform, alice, stem)) > 0
        assert _list(platform, bob, stem) == []
        assert platform.call(stem).status == 401


def test_lists_are_complete_page_by_page(platform: Platform, alice: Wallet) -> None:
    for number in range(7):
        platform.deposit(alice, senderReference=f"TXN-{number}")
        platform.withdraw(alice, amount=10 + number)
    for stem, expected in (
        ("list_deposits", [f"TXN-{number}" for number in range(6, -1, -1)]),
        ("list_withdrawals", [16.0, 15.0, 14.0, 13.0, 12.0, 11.0, 10.0]),
    ):
        name = "senderReference" if stem == "list_deposits" else "amount"
        assert [row[name] for row in _pages(platform, alice, stem, limit=3)] == expected


def _pages(platform: Platform, wallet: Wallet, stem: str, **query: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor: dict[str, Any] = {}
    while True:
        answer = platform.call(stem, token=wallet.token, query=query | cursor)
        rows += answer.data
        cursor = {"cursor": answer.body["pagination"]["nextCursor"]}
        if not cursor["cursor"]:
            return rows


def test_no_answer_and_no_row_beside_tells_a_number(
    platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    told = [
        platform.deposit(alice, senderReference=NUMBER, senderNumber="+88" + NUMBER),
        platform.deposit(alice, senderReference=NUMBER),
        platform.withdraw(alice, destination=NUMBER),
        platform.withdraw(alice, method="usdt", destination=NUMBER),
        *(
            platform.call(stem, token=wallet.token)
            for stem, wallet in (
                ("list_deposits", alice),
                ("list_all_deposits", admin),
                ("list_withdrawals", alice),
                ("list_all_withdrawals", admin),
                ("list_ledger", alice),
            )
        ),
    ]
    assert [answer.status for answer in told] == [201, 409, 201, 400, 200, 200, 200, 200, 200]
    assert MASKED in told[0].text
    assert [answer.text for answer in told if NUMBER[4:] in answer.text] == []
    with platform.database.connect() as owner:
        for table in ("audit_log", "outbox", "idempotency_keys", "transfers"):
            query = sql.SQL("select x::text from {} x").format(sql.Identifier(table))
            kept = owner.execute(query).fetchall()
            assert kept, table
            assert [row for (row,) in kept if NUMBER[4:] in row] == []


def test_no_log_tells_a_number_not_even_of_a_fault(
    platform: Platform, alice: Wallet, caplog: pytest.LogCaptureFixture
) -> None:
    """Postgres tells the whole row that broke a rule; what is logged of it is the rule."""
    with platform.database.connect() as owner:
        for table in ("deposits", "withdrawals"):
            broken = sql.SQL(
                "alter table {} add constraint broken check (amount_micros <> 7000000)"
            )
            owner.execute(broken.format(sql.Identifier(table)))
    assert platform.deposit(alice).status == 201
    assert [send(alice, amount=7).status for send in (platform.deposit, platform.withdraw)] == [
        *(500, 500)
    ]
    formatter = logging.Formatter()
    logged = [f"{vars(one)} {formatter.format(one)}" for one in caplog.records]
    assert sum('violates check constraint "broken"' in line for line in logged) == 2
    assert sum("create_deposit" in line for line in logged) > 2
    assert [line for line in logged if NUMBER[4:] in line] == []
