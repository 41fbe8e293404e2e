"""Coming in with a wallet, staying in, and every way of not getting in."""

import threading
from collections import Counter

import httpx
import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from presage.adapters import redis
from presage.identity import sessions
from tests.harness import Answer, Platform, Wallet

ACCOUNT = Account.from_key("0x" + "c3" * 32)
OTHER = Account.from_key("0x" + "d4" * 32)


def _challenge(platform: Platform) -> str:
    message = platform.call("create_nonce", body={"address": ACCOUNT.address}).data["message"]
    assert isinstance(message, str)
    return message


def _connect(platform: Platform, message: str, *, signer: object = ACCOUNT, **body: str) -> Answer:
    signature = signer.sign_message(encode_defunct(text=message)).signature.hex()  # type: ignore[attr-defined]
    fields = {"address": ACCOUNT.address, "message": message, "signature": signature} | body
    return platform.call("connect_wallet", body=fields)


def test_a_wallet_comes_in_once_per_challenge(platform: Platform) -> None:
    message = _challenge(platform)
    first = _connect(platform, message)
    assert first.data["session"]["user"]["address"] == ACCOUNT.address
    assert first.cookies[0].startswith(
        f"session-token={first.data['token']}; Path=/; Max-Age=604800"
    )
    assert "HttpOnly; Secure; SameSite=Lax" in first.cookies[0]
    assert _connect(platform, message).status == 401


def test_the_same_wallet_is_the_same_user(platform: Platform) -> None:
    users = {
        _connect(platform, _challenge(platform)).data["session"]["user"]["id"] for _ in range(2)
    }
    assert len(users) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("app.example.com wants", "evil.example.com wants"),
        ("Chain ID: 137", "Chain ID: 1"),
        ("Sign in to Presage.", "Sign over everything."),
        ("URI: http://", "URI: https://"),
        ("Expiration Time: 2026", "Expiration Time: 2036"),
        ("Issued At: 2026", "Issued At: 2025"),
    ],
)
def test_an_altered_message_is_refused(old: str, new: str, platform: Platform) -> None:
    message = _challenge(platform)
    altered = message.replace(old, new)
    assert altered != message
    assert _connect(platform, altered).status == 401
    # The challenge survives: nobody but its wallet can use it up.
    assert _connect(platform, message).status == 200


def test_another_wallets_signature_is_refused(platform: Platform) -> None:
    message = _challenge(platform)
    assert _connect(platform, message, signer=OTHER).status == 401
    assert _connect(platform, message, signer=OTHER, address=OTHER.address).status == 401


def test_an_expired_challenge_is_refused(platform: Platform) -> None:
    message = _challenge(platform)
    platform.advance(600)
    assert _connect(platform, message).status == 401


def test_an_oversized_message_is_refused_by_name(platform: Platform) -> None:
    refused = _connect(platform, _challenge(platform) + "x" * 2000)
    assert (refused.status, refused.body["details"]["field"]) == (400, "message")


def test_one_of_many_concurrent_uses_wins(platform: Platform) -> None:
    message = _challenge(platform)
    statuses: Counter[int] = Counter()

    def use() -> None:
        statuses[_connect(platform, message).status] += 1
        platform.close()

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == {200: 1, 401: 7}


def test_only_the_bootstrap_wallet_is_admin(platform: Platform, admin: Wallet) -> None:
    user = platform.sign_in()
    shown = {
        wallet.address: platform.call("get_session", token=wallet.token).data["user"]["role"]
        for wallet in (admin, user)
    }
    assert shown == {admin.address: "super_admin", user.address: "user"}


def test_logout_ends_every_session(platform: Platform) -> None:
    first, second = (_connect(platform, _challenge(platform)).data["token"] for _ in range(2))
    for token in (first, second):
        assert platform.call("get_session", token=token).status == 200
    assert platform.call("logout", token=first).data == {"revokedSessions": 2}
    assert platform.call("get_wallet", token=first).status == 401
    # The other's copy in Redis may live on, but no longer than a minute.
    _forget(second)
    assert platform.call("get_wallet", token=second).status == 401


def test_a_session_ends_after_seven_days(platform: Platform) -> None:
    wallet = platform.sign_in()
    assert platform.call("get_wallet", token=wallet.token).status == 200
    platform.advance(7 * 86_400 - 1)
    assert platform.call("get_wallet", token=wallet.token).status == 200
    platform.advance(1)
    assert platform.call("get_wallet", token=wallet.token).status == 401


@pytest.mark.parametrize("header", ["Bearer ", "Bearer x", "Basic dXNlcg==", "Bearer " + "x" * 300])
def test_what_is_no_session_is_nobody(header: str, platform: Platform) -> None:
    answer = platform.call("get_wallet", headers={"authorization": header})
    assert (answer.status, answer.body["code"]) == (401, "UNAUTHORIZED")


def test_a_cookie_reads_anywhere_but_acts_from_our_pages_only(platform: Platform) -> None:
    wallet = platform.sign_in()
    cookies = [f"session-token={wallet.token}"]
    assert platform.call("get_wallet", cookies=cookies).status == 200
    assert platform.call("logout", cookies=cookies).status == 403
    evil = {"origin": "https://evil.example.com"}
    assert platform.call("logout", cookies=cookies, headers=evil).status == 403
    ours = {"origin": "https://app.example.com"}
    assert platform.call("logout", cookies=cookies, headers=ours).status == 200


def test_everything_goes_on_without_redis(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPSTASH_REDIS_REST_URL", "http://127.0.0.1:9")
    redis.close()
    try:
        wallet = platform.sign_in()
        assert platform.call("get_wallet", token=wallet.token).status == 200
        health = platform.call("get_health")
        assert (health.status, health.data["status"]) == (200, "degraded")
        statuses = [
            platform.call("create_nonce", body={"address": ACCOUNT.address}).status
            for _ in range(30)
        ]
        # sign_in made the first of the minute's thirty; the login limit is kept in Postgres.
        assert statuses == [200] * 29 + [429]
    finally:
        redis.close()


def test_a_wiped_redis_serves_nothing_wrong(platform: Platform, redis_url: str) -> None:
    wallet = platform.sign_in()
    assert platform.call("get_wallet", token=wallet.token).status == 200
    authorized = {"Authorization": "Bearer test-token"}
    httpx.post(redis_url, json=["FLUSHALL"], headers=authorized).raise_for_status()
    assert platform.call("get_wallet", token=wallet.token).status == 200


def _forget(token: str) -> None:
    """Let the minute's copy of a session run out."""
    redis.flush([("DEL", sessions.redis_key(sessions.hash_token(token)))])


def test_a_restarted_postgres_fails_no_request(platform: Platform) -> None:
    wallet = platform.sign_in()
    assert platform.call("get_session", token=wallet.token).status == 200
    with platform.database.connect() as owner:
        owner.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
    assert platform.call("get_session", token=wallet.token).status == 200
