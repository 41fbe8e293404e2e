"""The ledger over HTTP: every movement with its balance, as JSON and as a CSV file."""

import csv
import io
import re
from typing import Any
from urllib.parse import parse_qsl

import pytest

from presage import clock
from tests.harness import Answer, Platform, Wallet

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", 'a,"b"', "plain"]


@pytest.fixture
def alice(platform: Platform) -> Wallet:
    wallet = platform.sign_in()
    platform.fund(wallet, 1_000_000_000)
    return wallet


def _list(platform: Platform, wallet: Wallet, **query: Any) -> list[dict[str, Any]]:
    return list(platform.call("list_ledger", token=wallet.token, query=query).data)


def _pages(platform: Platform, wallet: Wallet, **query: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor: dict[str, Any] = {}
    while True:
        answer = platform.call("list_ledger", token=wallet.token, query=query | cursor)
        rows += answer.data
        cursor = {"cursor": answer.body["pagination"]["nextCursor"]}
        if not cursor["cursor"]:
            return rows


@pytest.fixture
def history(platform: Platform, admin: Wallet, alice: Wallet) -> str:
    """Alice with money in, an order, a split, a withdrawal and its return; her market's id."""
    market = platform.active_market(admin, alice)
    platform.order(alice, market, side="BUY", price=0.4, size=10)
    split = {"marketId": market, "size": 20}
    key = {"idempotency-key": "split"}
    platform.call("split_position", token=alice.token, body=split, headers=key)
    platform.advance(3600)
    withdrawal = platform.withdraw(alice).data["id"]
    why = {"reason": "The number does not exist."}
    platform.call("reject_withdrawal", token=admin.token, body=why, withdrawal_id=withdrawal)
    return market


def test_the_ledger_tells_every_movement_with_its_balance(
    platform: Platform, alice: Wallet, history: str
) -> None:
    told = [
        (row["kind"], row["amount"], row["balance"], row["marketId"])
        for row in _list(platform, alice)
    ]
    assert told == [
        ("withdrawal_return", 100.0, 976.0, None),
        ("withdrawal", -100.0, 876.0, None),
        ("split", -20.0, 976.0, history),
        ("order", -4.0, 996.0, history),
        ("deposit", 1000.0, 1000.0, None),
    ]
    assert _pages(platform, alice, limit=2) == _list(platform, alice)


@pytest.mark.usefixtures("history")
def test_the_ledger_is_filtered_by_kind_and_time(platform: Platform, alice: Wallet) -> None:
    now_ms = clock.now_ms()
    noon, later = (clock.from_ms(now_ms - back).isoformat() for back in (3_600_000, 1_000))
    for query, expected in (
        ({"kind": "split"}, ["split"]),
        ({"kind": "nothing"}, []),
        ({"from": later}, ["withdrawal_return", "withdrawal"]),
        ({"to": later, "from": noon}, ["split", "order", "deposit"]),
    ):
        rows = _list(platform, alice, **query)
        assert [row["kind"] for row in rows] == expected
        assert {row["balance"] for row in rows} <= {None}
    backwards = platform.call("list_ledger", token=alice.token, query={"from": later, "to": noon})
    assert backwards.status == 400
    forged = platform.call("list_ledger", token=alice.token, query={"cursor": "WzFd"})
    assert (forged.status, forged.body["details"]["field"]) == (400, "cursor")


def _csv(platform: Platform, wallet: Wallet, accept: str = "text/csv", **query: Any) -> Answer:
    return platform.call("list_ledger", token=wallet.token, headers={"accept": accept}, query=query)


@pytest.mark.usefixtures("history")
def test_the_ledger_as_csv_says_what_its_json_says(platform: Platform, alice: Wallet) -> None:
    answer = _csv(platform, alice)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert answer.headers["vary"] == "Accept"
    assert answer.text.count("\r\n") == answer.text.count("\n") == 6
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [
        {
            "id": int(row["id"]),
            "kind": row["kind"],
            "amount": float(row["amount"]),
            "balance": float(row["balance"]),
            "reference": row["reference"],
            "marketId": row["marketId"] or None,
            "createdAt": row["createdAt"],
        }
        for row in rows
    ] == _list(platform, alice)
    assert {row["currency"] for row in rows} == {"BDT"}
    assert "link" not in answer.headers


@pytest.mark.usefixtures("history")
def test_a_csvs_next_page_is_named_in_its_headers(platform: Platform, alice: Wallet) -> None:
    since = clock.from_ms(clock.now_ms() - 7_200_000).isoformat()
    query: dict[str, Any] = {"limit": 2, "from": since}
    ids: list[str] = []
    while True:
        page = _csv(platform, alice, **query)
        ids += [row["id"] for row in csv.DictReader(io.StringIO(page.text, newline=""))]
        if "link" not in page.headers:
            break
        link = re.fullmatch(r'<\?([^>]*)>; rel="next"', page.headers["link"])
        assert link
        query = dict(parse_qsl(link[1]))
        assert query["cursor"] == page.headers["x-next-cursor"]
    rows = _list(platform, alice)
    assert ids == [str(row["id"]) for row in rows]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/csv", "text/csv; charset=utf-8"),
        ("TEXT/CSV; charset=utf-8", "text/csv; charset=utf-8"),
        ("application/json;q=0.5, text/csv", "text/csv; charset=utf-8"),
        ("text/csv;q=0.4, application/json;q=0.5", "application/json"),
        ("text/csv;q=0", "application/json"),
        ("text/csv;q=nonsense", "application/json"),
        ("*/*", "application/json"),
        ("", "application/json"),
    ],
)
def test_the_kind_of_answer_is_what_the_caller_prefers(
    accept: str, kind: str, platform: Platform, alice: Wallet
) -> None:
    assert _csv(platform, alice, accept).headers["content-type"] == kind


def test_no_cell_of_a_csv_is_a_formula(platform: Platform, alice: Wallet) -> None:
    with platform.database.connect() as owner:
        for reference in FORMULAS:
            owner.execute(
                "select post_transfer('external', null, 'user:cash', %s, null, 1, 'gift', %s,"
                " now())",
                (alice.user_id, reference),
            )
    text = _csv(platform, alice, kind="gift").text
    cells = [row["reference"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert cells[::-1] == ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\tx", 'a,"b"', "plain"]
