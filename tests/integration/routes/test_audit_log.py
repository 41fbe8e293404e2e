"""The audit log: who reads it, what it never holds, and that nothing leaves it.

That every route that changes something writes one row is seen where every event is served.
"""

import json
from typing import Any

import psycopg
import pytest

from tests.harness import Platform, Wallet


@pytest.fixture
def alice(platform: Platform) -> Wallet:
    return platform.sign_in()


def test_the_log_is_read_by_who_what_and_when(
    platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    key = platform.call(
        "create_api_key",
        token=alice.token,
        body={"name": "bot", "scopes": ["read"]},
        headers={"x-request-id": "the-request"},
        ip="203.0.113.7",
    ).data
    platform.advance(60)
    platform.call("revoke_api_key", token=alice.token, key_id=key["id"])

    def logged(**query: Any) -> list[tuple[str, str]]:
        page = platform.call("list_audit_log", token=admin.token, query=query)
        return [(row["action"], row["actorId"]) for row in page.data]

    hers = str(alice.user_id)
    made, gone = ("create_api_key", hers), ("revoke_api_key", hers)
    came = ("connect_wallet", hers)
    assert logged(actor=hers) == [gone, made, came]
    assert logged(action="create_api_key") == [made]
    assert logged(resource="api_key", resourceId=key["id"]) == [gone, made]
    assert logged(actor=hers, **{"from": "2026-07-24T12:00:30Z"}) == [gone]
    assert logged(actor=hers, to="2026-07-24T12:00:30Z") == [made, came]
    entry = platform.call(
        "list_audit_log", token=admin.token, query={"action": "create_api_key"}
    ).data[0]
    changes = json.loads(entry["changes"])
    assert entry | {"id": 0, "changes": changes} == {
        "id": 0,
        "actorId": hers,
        "action": "create_api_key",
        "resource": "api_key",
        "resourceId": key["id"],
        "requestId": "the-request",
        "ip": "203.0.113.7",
        "changes": {
            "name": "bot",
            "prefix": key["prefix"],
            "scopes": ["read"],
            "ip_allow_list": [],
            "expires_at": None,
        },
        "createdAt": "2026-07-24T12:00:00+00:00",
    }


def test_the_log_is_paged(platform: Platform, admin: Wallet, alice: Wallet) -> None:
    for _ in range(3):
        platform.api_key(alice, "read")
    ids, cursor = [], None
    while True:
        query = {"limit": 2, "actor": alice.user_id} | ({"cursor": cursor} if cursor else {})
        page = platform.call("list_audit_log", token=admin.token, query=query)
        ids += [row["id"] for row in page.data]
        cursor = page.body["pagination"]["nextCursor"]
        if cursor is None:
            break
    assert len(ids) == 4
    assert ids == sorted(ids, reverse=True)


@pytest.mark.parametrize(
    "role", ["postgres", "presage_owner", "presage_api", "presage_admin", "presage_worker"]
)
@pytest.mark.parametrize(
    "statement",
    ["update audit_log set action = 'x'", "delete from audit_log", "truncate audit_log"],
)
@pytest.mark.usefixtures("alice")
def test_nobody_changes_what_is_logged(role: str, statement: str, platform: Platform) -> None:
    login = role if role != "presage_owner" else "postgres"
    with platform.database.connect(login) as connection:
        if role == "presage_owner":
            connection.execute("set role presage_owner")
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(statement.encode())
    ours = role in {"postgres", "presage_owner"}
    assert caught.value.sqlstate == ("PR403" if ours else "42501")
    with platform.database.connect() as owner:
        assert owner.execute("select count(*) from audit_log").fetchone() == (1,)


def test_a_change_of_shares_is_logged(platform: Platform, admin: Wallet, alice: Wallet) -> None:
    platform.fund(alice, 100_000_000)
    market = platform.active_market(admin, alice)
    for _ in range(2):  # a repeat is no second effect
        platform.call(
            "split_position",
            token=alice.token,
            body={"marketId": market, "size": 5},
            headers={"idempotency-key": "s-1", "x-request-id": "the-split"},
        )
    query = {"action": "change_shares"}
    page = platform.call("list_audit_log", token=admin.token, query=query)
    rows = [
        (row["actorId"], row["resourceId"], row["requestId"], json.loads(row["changes"])["kind"])
        for row in page.data
    ]
    assert rows == [(str(alice.user_id), market, "the-split", "split")]


def test_no_secret_is_in_the_log(platform: Platform, admin: Wallet, alice: Wallet) -> None:
    key = platform.api_key(alice, "trade")
    ticket = platform.call("create_ws_ticket", token=alice.token).data["ticket"]
    platform.call("logout", token=alice.token)
    shown = json.dumps(platform.call("list_audit_log", token=admin.token).body)
    for secret in (key, ticket, alice.token, admin.token):
        assert secret not in shown
