"""API keys: shown once, good for their scopes, from their networks, until they end."""

import hashlib
import threading
from collections import Counter
from typing import Any

import pytest

from presage.adapters import redis
from presage.identity import sessions
from tests.harness import Answer, Platform, Wallet

DAY_S = 86_400


@pytest.fixture
def alice(platform: Platform) -> Wallet:
    return platform.sign_in()


def _make(platform: Platform, wallet: Wallet, **body: Any) -> Answer:
    fields = {"name": "bot", "scopes": ["read"]} | body
    return platform.call("create_api_key", token=wallet.token, body=fields)


def _forget(key: str) -> None:
    """Let the minute's copy run out."""
    redis.flush([("DEL", sessions.redis_key(sessions.hash_token(key)))])


def test_a_key_is_shown_once_and_kept_as_its_hash(platform: Platform, alice: Wallet) -> None:
    made = _make(platform, alice, scopes=["trade"], ipAllowList=["127.0.0.1", "2001:db8::/32"])
    assert made.status == 201
    key = made.data["key"]
    assert key.startswith("psg_")
    assert len(key) == 47
    assert made.data["prefix"] == key[:10]
    listed = platform.call("list_api_keys", token=alice.token)
    assert key not in listed.text
    assert listed.data == [
        {
            "id": made.data["id"],
            "name": "bot",
            "prefix": key[:10],
            "scopes": ["trade"],
            "ipAllowList": ["127.0.0.1/32", "2001:db8::/32"],
            "createdAt": "2026-07-24T12:00:00+00:00",
            "expiresAt": None,
            "lastUsedAt": None,
        }
    ]
    with platform.database.connect() as owner:
        row = owner.execute("select key_hash, api_keys::text from api_keys").fetchone()
        logged = owner.execute("select string_agg(changes::text, '') from audit_log").fetchone()
    assert row is not None
    assert row[0] == hashlib.sha256(key.encode()).digest()
    assert logged is not None
    assert key[10:] not in row[1] + logged[0]


def test_a_key_acts_within_its_scope(platform: Platform, admin: Wallet, alice: Wallet) -> None:
    platform.fund(alice, 1_000_000_000)
    market = platform.active_market(admin, alice)
    reads, trades = platform.api_key(alice, "read"), platform.api_key(alice, "trade")
    body = {"marketId": market, "side": "BUY", "price": 0.4, "size": 5, "clientOrderId": "k-1"}
    refused = platform.call("place_order", token=reads, body=body)
    assert (refused.status, refused.body["code"]) == (403, "FORBIDDEN")
    assert refused.body["error"] == "This route needs a key with the scope trade."
    assert platform.call("place_order", token=trades, body=body).status == 201
    for key in (reads, trades):
        assert platform.call("list_orders", token=key).data[0]["clientOrderId"] == "k-1"


def test_an_admins_key_without_the_scope_is_no_admins(
    platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    market = platform.proposed_market(alice)
    fee = {"feeBps": 100, "makerRebateBps": 0}
    approved = platform.call("approve_market", token=admin.token, body=fee, market_id=market)
    assert approved.status == 200
    said = platform.comment(alice, market, "mine").data["id"]
    own = platform.comment(admin, market, "ours").data["id"]
    trades = platform.api_key(admin, "read", "trade")
    acts: dict[str, dict[str, Any]] = {
        "delete_comment": {"id": said},
        "activate_market": {"market_id": market},
    }
    for stem, path in acts.items():
        refused = platform.call(stem, token=trades, **path)
        assert (refused.status, refused.body["code"]) == (403, "FORBIDDEN"), stem
    assert platform.call("delete_comment", token=trades, id=own).status == 200
    full = platform.api_key(admin, "trade", "admin")
    for stem, path in acts.items():
        assert platform.call(stem, token=full, **path).status == 200, stem


@pytest.mark.parametrize(
    "stem", ["list_api_keys", "create_api_key", "revoke_api_key", "logout", "get_session"]
)
def test_a_key_cannot_manage_keys_or_sign_out(stem: str, platform: Platform, admin: Wallet) -> None:
    key = platform.api_key(admin, "read", "trade", "admin")
    path: dict[str, Any] = {"key_id": admin.user_id} if stem == "revoke_api_key" else {}
    refused = platform.call(stem, token=key, **path)
    assert refused.status == 403
    assert refused.body["error"] == "This route needs a session: an API key may not call it."
    assert platform.call("get_wallet", token=key).status == 200


def test_an_admins_key_needs_the_scope_and_the_role(
    platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    assert _make(platform, alice, scopes=["admin"]).status == 403
    trades, rules = platform.api_key(admin, "trade"), platform.api_key(admin, "admin")
    assert platform.call("list_users", token=trades).status == 403
    assert platform.call("list_users", token=rules).status == 200
    # One who was an admin keeps the key, which is good for nothing above a user's rights.
    _role(platform, admin, alice, "admin")
    hers = platform.api_key(alice, "read", "admin")
    assert platform.call("list_users", token=hers).status == 200
    _role(platform, admin, alice, "user")
    assert platform.call("list_users", token=hers).status == 403
    assert platform.call("get_wallet", token=hers).status == 200


def _role(platform: Platform, admin: Wallet, wallet: Wallet, role: str) -> None:
    body = {"role": role}
    done = platform.call("update_user", token=admin.token, user_id=wallet.user_id, body=body)
    assert done.status == 200, done.body


def test_a_service_key_has_a_header_and_a_limit_of_its_own(
    platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    assert _make(platform, alice, scopes=["service"]).status == 403
    _role(platform, admin, alice, "admin")
    assert _make(platform, alice, scopes=["service"]).status == 403
    service, normal = platform.api_key(admin, "service"), platform.api_key(admin, "read")
    shown = {"x-service-key": service}
    assert platform.call("get_wallet", headers=shown).status == 200
    again = platform.call("get_wallet", headers=shown)
    assert (again.status, again.headers["ratelimit-limit"]) == (200, "10000")
    assert platform.call("list_markets", headers=shown).status == 200
    assert platform.call("place_order", headers=shown, body={}).status == 403
    assert platform.call("list_users", headers=shown).status == 403
    assert platform.call("logout", headers=shown).status == 403
    for refused in (
        platform.call("get_wallet", token=service),
        platform.call("get_wallet", headers={"x-service-key": normal}),
        platform.call("get_wallet", headers={"x-service-key": admin.token}),
        platform.call("get_wallet", headers=shown, token=admin.token),
        platform.call("cleanup", headers=shown),
        platform.call("cleanup", token=service),
    ):
        assert (refused.status, refused.body["code"]) == (401, "UNAUTHORIZED")


def test_a_copy_in_redis_does_not_turn_one_kind_into_the_other(
    platform: Platform, admin: Wallet
) -> None:
    service, normal = platform.api_key(admin, "service"), platform.api_key(admin, "read")
    assert platform.call("get_wallet", headers={"x-service-key": service}).status == 200
    assert platform.call("get_wallet", token=normal).status == 200
    assert platform.call("get_wallet", token=service).status == 401
    assert platform.call("get_wallet", headers={"x-service-key": normal}).status == 401


def test_a_service_key_dies_with_its_owners_role(
    platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    _role(platform, admin, alice, "super_admin")
    shown = {"x-service-key": platform.api_key(alice, "service")}
    assert platform.call("get_wallet", headers=shown).status == 200
    _role(platform, admin, alice, "admin")
    assert platform.call("get_wallet", headers=shown).status == 403


@pytest.mark.parametrize(
    ("networks", "ip", "status"),
    [
        (["203.0.113.0/24"], "203.0.113.7", 200),
        (["203.0.113.0/24"], "203.0.114.7", 403),
        (["203.0.113.0/24"], "::ffff:203.0.113.7", 200),
        (["198.51.100.1", "203.0.113.7"], "203.0.113.7", 200),
        (["2001:db8::/32"], "2001:db8:1::9", 200),
        (["2001:db8::/32"], "2001:db9::9", 403),
        (["0.0.0.0/0"], "2001:db8::9", 403),
        ([], "2001:db8::9", 200),
    ],
)
def test_a_key_works_from_its_networks_only(
    networks: list[str], ip: str, status: int, platform: Platform, alice: Wallet
) -> None:
    key = platform.api_key(alice, "read", ipAllowList=networks)
    # Twice: as Postgres says, then as Redis' copy does.
    for _ in range(2):
        assert platform.call("get_wallet", token=key, ip=ip).status == status
    if status == 403:
        # Where anybody may come in, so may a stranger.
        assert platform.call("get_liveness", token=key, ip=ip).status == 200


def test_a_copy_from_an_allowed_address_lets_no_other_in(platform: Platform, alice: Wallet) -> None:
    key = platform.api_key(alice, "read", ipAllowList=["203.0.113.7"])
    assert platform.call("get_wallet", token=key, ip="203.0.113.7").status == 200
    refused = platform.call("get_wallet", token=key, ip="203.0.113.8")
    assert (refused.status, refused.body["code"]) == (403, "FORBIDDEN")


def test_a_key_ends_when_it_expires(platform: Platform, alice: Wallet) -> None:
    key = platform.api_key(alice, "read", expiresAt="2026-07-25T12:00:00Z")
    platform.advance(DAY_S - 1)
    assert platform.call("get_wallet", token=key).status == 200
    platform.advance(1)
    assert platform.call("get_wallet", token=key).status == 401
    _forget(key)
    assert platform.call("get_wallet", token=key).status == 401


def test_a_revoked_key_stops_at_once(platform: Platform, alice: Wallet) -> None:
    made = _make(platform, alice).data
    assert platform.call("get_wallet", token=made["key"]).status == 200
    revoked = platform.call("revoke_api_key", token=alice.token, key_id=made["id"])
    assert revoked.data == {"id": made["id"], "revokedAt": "2026-07-24T12:00:00+00:00"}
    assert platform.call("get_wallet", token=made["key"]).status == 401
    platform.advance(30)
    again = platform.call("revoke_api_key", token=alice.token, key_id=made["id"])
    assert again.data == revoked.data
    assert platform.call("list_api_keys", token=alice.token).data == []
    with platform.database.connect() as owner:
        rows = owner.execute("select action from audit_log where resource = 'api_key'").fetchall()
    assert rows == [("create_api_key",), ("revoke_api_key",)]


def test_a_revoked_key_stops_within_a_minute_when_redis_cannot_be_told(
    platform: Platform, alice: Wallet, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = _make(platform, alice).data
    assert platform.call("get_wallet", token=made["key"]).status == 200
    monkeypatch.setenv("UPSTASH_REDIS_REST_URL", "http://127.0.0.1:9")
    redis.close()
    gone = platform.call("revoke_api_key", token=alice.token, key_id=made["id"])
    assert gone.status == 200
    monkeypatch.setenv("UPSTASH_REDIS_REST_URL", redis_url)
    redis.close()
    held = redis.flush([("TTL", sessions.redis_key(sessions.hash_token(made["key"])))])
    assert held is not None
    assert 0 < held[0] <= 60
    _forget(made["key"])
    assert platform.call("get_wallet", token=made["key"]).status == 401


def test_a_use_is_noted_once_a_minute(platform: Platform, alice: Wallet) -> None:
    key = platform.api_key(alice, "read")

    def noted() -> str:
        _forget(key)
        assert platform.call("get_wallet", token=key).status == 200
        used: str = platform.call("list_api_keys", token=alice.token).data[0]["lastUsedAt"]
        return used

    assert noted() == "2026-07-24T12:00:00+00:00"
    platform.advance(59)
    assert noted() == "2026-07-24T12:00:00+00:00"
    platform.advance(1)
    assert noted() == "2026-07-24T12:01:00+00:00"


def test_keys_are_nobody_elses(platform: Platform, alice: Wallet) -> None:
    made = _make(platform, alice).data
    bob = platform.sign_in()
    assert platform.call("list_api_keys", token=bob.token).data == []
    refused = platform.call("revoke_api_key", token=bob.token, key_id=made["id"])
    assert (refused.status, refused.body["details"]) == (404, {"field": "keyId"})
    assert platform.call("get_wallet", token=made["key"]).status == 200


def test_ten_keys_are_ten_however_many_are_asked_for_at_once(
    platform: Platform, alice: Wallet
) -> None:
    statuses: Counter[int] = Counter()

    def make(number: int) -> None:
        statuses[_make(platform, alice, name=f"bot {number}").status] += 1
        platform.close()

    for _ in range(8):
        assert _make(platform, alice).status == 201
    platform.advance(120)
    threads = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == {201: 2, 409: 6}
    platform.advance(120)
    refused = _make(platform, alice)
    assert (refused.body["code"], "at most 10" in refused.body["error"]) == ("CONFLICT", True)
    listed = platform.call("list_api_keys", token=alice.token).data
    assert len(listed) == 10
    platform.call("revoke_api_key", token=alice.token, key_id=listed[0]["id"])
    assert _make(platform, alice).status == 201


def test_an_expired_key_makes_room(platform: Platform, alice: Wallet) -> None:
    for _ in range(10):
        platform.api_key(alice, "read", expiresAt="2026-07-24T13:00:00Z")
    platform.advance(3_600)
    assert _make(platform, alice).status == 201


def test_keys_are_paged(platform: Platform, alice: Wallet) -> None:
    for number in range(5):
        platform.advance(number % 2)
        _make(platform, alice, name=f"bot {number}")
    names, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = platform.call("list_api_keys", token=alice.token, query=query)
        names += [key["name"] for key in page.data]
        cursor = page.body["pagination"]["nextCursor"]
        if cursor is None:
            break
    assert sorted(names) == [f"bot {number}" for number in range(5)]
    assert names[-1] == "bot 0"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["session"]}, "scopes.0"),
        ({"scopes": ["read", "read"]}, "scopes"),
        ({"scopes": ["read", "service"]}, "scopes"),
        ({"expiresAt": "2026-07-24T12:00:00Z"}, "expiresAt"),
        ({"ipAllowList": ["10.0.0.1/8"]}, "ipAllowList.0"),
        ({"ipAllowList": ["nowhere"]}, "ipAllowList.0"),
        ({"ipAllowList": ["fe80::1%eth0"]}, "ipAllowList.0"),
        ({"ipAllowList": ["::ffff:10.0.0.1"]}, "ipAllowList.0"),
        ({"ipAllowList": [f"10.0.0.{n}" for n in range(21)]}, "ipAllowList"),
    ],
)
def test_what_cannot_be_a_key_is_refused_by_its_field(
    body: dict[str, Any], field: str, platform: Platform, alice: Wallet
) -> None:
    refused = _make(platform, alice, **body)
    assert (refused.status, refused.body["details"]["field"]) == (400, field)


@pytest.mark.parametrize("key", ["psg_" + "x" * 43, "psg_", "psg_" + "é" * 43])
def test_an_unknown_key_is_nobody(key: str, platform: Platform) -> None:
    for shown in ({"authorization": f"Bearer {key}"}, {"x-service-key": key}):
        answer = platform.call("get_wallet", headers=shown)
        assert (answer.status, answer.body["code"]) == (401, "UNAUTHORIZED")
        assert platform.call("get_liveness", headers=shown).status == 200


def test_old_keys_and_tickets_are_cleaned_up(platform: Platform, alice: Wallet) -> None:
    expiring = _make(platform, alice, expiresAt="2026-07-25T12:00:00Z").data
    kept = _make(platform, alice).data
    platform.call("create_ws_ticket", token=alice.token)
    platform.advance(32 * DAY_S)
    counts = platform.deliver("cleanup").data["counts"]
    assert (counts["clean_api_keys"], counts["clean_ws_tickets"]) == (1, 1)
    with platform.database.connect() as owner:
        left = owner.execute("select id::text from api_keys").fetchall()
    assert left == [(kept["id"],)]
    assert expiring["id"] != kept["id"]
