"""What admins may do to users, and how soon it holds."""

import threading
from typing import Any

import pytest

from presage.adapters import redis
from presage.identity import sessions
from tests.harness import Answer, Platform, Wallet

NOBODY = "00000000-0000-4000-8000-000000000003"


@pytest.fixture
def alice(platform: Platform) -> Wallet:
    return platform.sign_in()


@pytest.fixture
def bob(platform: Platform) -> Wallet:
    return platform.sign_in()


def _update(platform: Platform, by: Wallet, of: Wallet, **body: Any) -> Answer:
    return platform.call("update_user", token=by.token, user_id=of.user_id, body=body)


def _made(platform: Platform, admin: Wallet, role: str) -> Wallet:
    wallet = platform.sign_in()
    assert _update(platform, admin, wallet, role=role).status == 200
    return wallet


def test_users_are_listed_searched_and_filtered(
    platform: Platform, admin: Wallet, alice: Wallet, bob: Wallet
) -> None:
    with platform.database.connect() as owner:
        owner.execute("update users set display_name = 'Bob 100%%' where id = %s", (bob.user_id,))

    def found(**query: Any) -> set[str]:
        page = platform.call("list_users", token=admin.token, query=query)
        return {user["address"] for user in page.data}

    assert found() == {admin.address, alice.address, bob.address}
    assert found(search=alice.address[:12].lower()) == {alice.address}
    assert found(search="OB 1") == {bob.address}
    assert found(search="%") == {bob.address}
    assert found(search="_") == set()
    assert found(role="super_admin") == {admin.address}
    assert found(role="user", search="0x") == {alice.address, bob.address}


def test_users_are_paged_newest_first(platform: Platform, admin: Wallet) -> None:
    people = [admin.address]
    for _ in range(4):
        platform.advance(1)
        people.append(platform.sign_in().address)
    listed, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = platform.call("list_users", token=admin.token, query=query)
        listed += [user["address"] for user in page.data]
        cursor = page.body["pagination"]["nextCursor"]
        if cursor is None:
            break
    assert listed == people[::-1]


def test_one_user_is_shown_with_what_is_open(
    platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    platform.api_key(alice, "read")
    platform.api_key(alice, "read", expiresAt="2026-07-24T12:00:01Z")
    platform.advance(1)
    shown = platform.call("get_user", token=admin.token, user_id=alice.user_id).data
    assert shown == {
        "id": str(alice.user_id),
        "address": alice.address,
        "displayName": None,
        "role": "user",
        "closedOnly": False,
        "createdAt": "2026-07-24T12:00:00+00:00",
        "openSessions": 1,
        "liveApiKeys": 1,
    }
    nobody = platform.call("get_user", token=admin.token, user_id=NOBODY)
    assert (nobody.status, nobody.body["details"]) == (404, {"field": "userId"})


def test_a_role_holds_at_once(platform: Platform, admin: Wallet, alice: Wallet) -> None:
    key = platform.api_key(alice, "read")
    for token in (alice.token, key):
        assert platform.call("get_wallet", token=token).status == 200
    assert platform.call("list_users", token=alice.token).status == 403
    granted = _update(platform, admin, alice, role="admin", reason="She knows how.")
    assert (granted.data["role"], granted.data["closedOnly"]) == ("admin", False)
    assert platform.call("list_users", token=alice.token).status == 200
    assert _update(platform, admin, alice, role="user").status == 200
    assert platform.call("list_users", token=alice.token).status == 403
    with platform.database.connect() as owner:
        logged = owner.execute(
            "select actor_id, resource_id, changes from audit_log"
            " where action = 'update_user' order by id limit 1"
        ).fetchone()
    assert logged == (
        admin.user_id,
        str(alice.user_id),
        {
            "from": {"role": "user", "closed_only": False},
            "to": {"role": "admin", "closed_only": False},
            "reason": "She knows how.",
            "cancelled_orders": 0,
        },
    )


def test_a_lost_role_is_lost_within_a_minute_when_redis_cannot_be_told(
    platform: Platform,
    admin: Wallet,
    alice: Wallet,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _update(platform, admin, alice, role="admin")
    assert platform.call("list_users", token=alice.token).status == 200
    monkeypatch.setenv("UPSTASH_REDIS_REST_URL", "http://127.0.0.1:9")
    redis.close()
    assert _update(platform, admin, alice, role="user").status == 200
    # Without Redis Postgres is asked, which knows.
    assert platform.call("list_users", token=alice.token).status == 403
    monkeypatch.setenv("UPSTASH_REDIS_REST_URL", redis_url)
    redis.close()
    key = sessions.redis_key(sessions.hash_token(alice.token))
    held = redis.flush([("TTL", key)])
    assert held is not None
    assert 0 < held[0] <= 60
    # While the copy lives it opens nothing that changes rights: those ask Postgres.
    assert _update(platform, alice, platform.sign_in(), role="admin").status == 403
    redis.flush([("DEL", key)])
    assert platform.call("list_users", token=alice.token).status == 403


@pytest.mark.parametrize(
    ("actor", "target", "body", "status"),
    [
        ("admin", "user", {"role": "admin"}, 200),
        ("admin", "admin", {"role": "user"}, 200),
        ("admin", "user", {"closedOnly": True}, 200),
        ("admin", "user", {"role": "super_admin"}, 403),
        ("admin", "super_admin", {"role": "user"}, 403),
        ("admin", "super_admin", {"closedOnly": True}, 403),
        ("super_admin", "super_admin", {"role": "user"}, 200),
        ("super_admin", "super_admin", {"closedOnly": True}, 200),
        ("super_admin", "admin", {"role": "super_admin"}, 200),
        ("super_admin", "super_admin", {"role": "super_admin"}, 200),
    ],
)
def test_who_may_change_whom(
    actor: str, target: str, body: dict[str, Any], status: int, platform: Platform, admin: Wallet
) -> None:
    by, of = _made(platform, admin, actor), _made(platform, admin, target)
    assert _update(platform, by, of, **body).status == status


@pytest.mark.parametrize("role", ["admin", "super_admin"])
@pytest.mark.parametrize("body", [{"role": "user"}, {"role": "super_admin"}, {"closedOnly": False}])
def test_nobody_changes_their_own_account(
    role: str, body: dict[str, Any], platform: Platform, admin: Wallet
) -> None:
    wallet = _made(platform, admin, role)
    refused = _update(platform, wallet, wallet, **body)
    assert (refused.status, refused.body["code"]) == (403, "FORBIDDEN")


def test_the_last_super_admin_stays(platform: Platform, admin: Wallet) -> None:
    refused = _update(platform, admin, admin, role="user")
    assert (refused.status, refused.body["code"]) == (409, "CONFLICT")


def test_two_who_demote_each_other_leave_one(platform: Platform, admin: Wallet) -> None:
    for _ in range(5):
        other = _made(platform, admin, "super_admin")
        statuses: list[int] = []

        def demote(by: Wallet, of: Wallet, statuses: list[int] = statuses) -> None:
            statuses.append(_update(platform, by, of, role="admin").status)
            platform.close()

        threads = [
            threading.Thread(target=demote, args=pair) for pair in ((admin, other), (other, admin))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(statuses) == [200, 403]
        with platform.database.connect() as owner:
            owner.execute("update users set role = 'super_admin' where id = %s", (admin.user_id,))
            owner.execute("update users set role = 'user' where id = %s", (other.user_id,))
        redis.flush([("DEL", sessions.redis_key(sessions.hash_token(admin.token)))])


def test_odd_changes_are_refused_by_their_field(
    platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    assert _update(platform, admin, alice).status == 400
    unknown = _update(platform, admin, alice, role="king")
    assert (unknown.status, unknown.body["details"]["field"]) == (400, "role")
    body = {"role": "admin"}
    nobody = platform.call("update_user", token=admin.token, user_id=NOBODY, body=body)
    assert (nobody.status, nobody.body["details"]) == (404, {"field": "userId"})


def test_a_closed_account_loses_its_resting_buys(
    platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    platform.fund(alice, 1_000_000_000)
    market = platform.active_market(admin, alice)
    body = {"marketId": market, "size": 10}
    key = {"idempotency-key": "s-1"}
    platform.call("split_position", token=alice.token, body=body, headers=key)
    platform.order(alice, market, side="BUY", price=0.3, size=5)
    platform.order(alice, market, side="BUY", outcome="NO", price=0.3, size=5)
    sell = platform.order(alice, market, side="SELL", price=0.9, size=5).data["id"]
    closed = _update(platform, admin, alice, closedOnly=True).data
    assert (closed["closedOnly"], closed["cancelledOrders"], closed["moreOrders"]) == (
        True,
        2,
        False,
    )
    resting = platform.call("list_orders", token=alice.token, query={"status": "open"}).data
    assert [order["id"] for order in resting] == [sell]
    assert platform.call("get_wallet", token=alice.token).data["locked"] == 0.0
    assert platform.audit() == []


def test_a_closed_account_closes_and_never_opens(
    platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    platform.fund(alice, 1_000_000_000)
    market = platform.cities(admin, alice)

    def change(stem: str, key: str, **body: Any) -> Answer:
        fields = {"marketId": market, "size": 5} | body
        headers = {"idempotency-key": key}
        return platform.call(stem, token=alice.token, body=fields, headers=headers)

    assert change("split_position", "a", outcome="Dhaka", size=20).status == 201
    assert change("split_position", "b", size=20).status == 201
    _update(platform, admin, alice, closedOnly=True)
    for refused in (
        platform.order(alice, market, side="BUY", outcome="Dhaka", price=0.3, size=5),
        platform.order(
            alice, market, side="BUY", outcome="Sylhet", position="NO", price=0.3, size=5
        ),
        change("split_position", "c", outcome="Dhaka"),
        change("split_position", "d"),
        change("convert_position", "e", outcome="Dhaka"),
    ):
        assert (refused.status, refused.body["code"]) == (403, "FORBIDDEN"), refused.body
    for mode in ("independent", "atomic"):
        orders = [
            {"marketId": market, "side": side, "outcome": "Dhaka", "price": 0.9, "size": 5}
            for side in ("BUY", "SELL")
        ]
        slip = platform.call(
            "place_orders",
            token=alice.token,
            body={"mode": mode, "orders": orders},
            headers={"idempotency-key": mode},
        ).data
        codes = [order["code"] for order in slip["orders"]]
        assert codes[0] == "FORBIDDEN"
        assert slip["status"] == ("partial" if mode == "independent" else "failed")
    sold = platform.order(alice, market, side="SELL", outcome="Dhaka", price=0.8, size=5)
    assert sold.status == 201
    cancelled = platform.call("cancel_order", token=alice.token, order_id=sold.data["id"])
    assert cancelled.status == 200
    assert change("merge_position", "f", outcome="Dhaka").status == 201
    assert change("merge_position", "g").status == 201
    assert platform.call("cancel_orders", token=alice.token, query={"all": "true"}).status == 200
    assert platform.audit() == []
