"""Coming in with a wallet, staying in, and every way of not getting in."""

import secrets
import threading
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from solders.keypair import Keypair

from presage import clock
from presage.adapters import redis
from presage.identity import sessions
from tests.harness import Answer, Platform, Wallet

ACCOUNT = Account.from_key("0x" + "c3" * 32)
OTHER = Account.from_key("0x" + "d4" * 32)
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
USES, CONNECTIONS = 1_000, 16


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
        ("Issued At: 2026", "Issued At: 2027"),
        ("Version: 1", "Version: 2"),
        ("Nonce: ", "Request ID: 7\nNonce: "),
        ("\nURI: ", "\n\nURI: "),
        ("wants you to sign in", "wants you to  sign in"),
    ],
)
def test_an_altered_message_is_refused(old: str, new: str, platform: Platform) -> None:
    message = _challenge(platform)
    altered = message.replace(old, new)
    assert altered != message
    assert _connect(platform, altered).status == 401
    # The challenge survives: nobody but its wallet can use it up.
    assert _connect(platform, message).status == 200


@pytest.mark.parametrize(
    "extra",
    ["\n", " ", "\r\n", "\nResources:\n- https://evil.example.com", "\nNot Before: 2026", "\u200b"],
)
def test_a_line_more_is_refused(extra: str, platform: Platform) -> None:
    message = _challenge(platform)
    for altered in (message + extra, extra + message):
        assert _connect(platform, altered).status == 401
    assert _connect(platform, message).status == 200


def test_a_second_nonce_is_refused(platform: Platform) -> None:
    message = _challenge(platform)
    nonce = next(line for line in message.split("\n") if line.startswith("Nonce: "))
    assert _connect(platform, f"{message}\n{nonce}").status == 401
    assert _connect(platform, message.replace(nonce, "Nonce: ")).status == 401
    assert _connect(platform, message).status == 200


def test_a_message_for_another_wallet_is_refused(platform: Platform) -> None:
    """Its signer may come in as itself, not by a challenge that is another's."""
    message = _challenge(platform)
    as_itself = message.replace(ACCOUNT.address, OTHER.address)
    for text in (message, as_itself):
        assert _connect(platform, text, signer=OTHER, address=OTHER.address).status == 401
    assert _connect(platform, message).status == 200


def test_a_malleable_signature_is_refused(platform: Platform) -> None:
    """(r, n - s) with the other parity recovers the same key: it must not be a second signature."""
    message = _challenge(platform)
    raw = ACCOUNT.sign_message(encode_defunct(text=message)).signature
    high_s = (CURVE_ORDER - int.from_bytes(raw[32:64])).to_bytes(32)
    twin = raw[:32] + high_s + bytes([27 + 28 - raw[64]])
    assert _connect(platform, message, signature=twin.hex()).status == 401
    assert _connect(platform, message, signature=raw.hex()).status == 200


def test_a_challenge_of_another_deployment_is_refused(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a wallet signed for another domain, URI or chain was never our challenge."""
    for name, value in (
        ("SIWE_DOMAIN", "evil.example.com"),
        ("PUBLIC_BASE_URL", "https://evil.example.com/api/v1"),
        ("EVM_CHAIN_ID", "1"),
    ):
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv(name, value)
            foreign = _challenge(platform)
        ours = _challenge(platform)
        nonce = next(line for line in ours.split("\n") if line.startswith("Nonce: "))
        theirs = next(line for line in foreign.split("\n") if line.startswith("Nonce: "))
        assert _connect(platform, foreign.replace(theirs, nonce)).status == 401
        assert _connect(platform, ours).status == 200
        platform.advance(60)


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


def test_one_of_a_thousand_concurrent_uses_wins(platform: Platform) -> None:
    """At the database, where it is decided: sixteen connections, a session token a use."""
    message = _challenge(platform)
    nonce = next(line for line in message.split("\n") if line.startswith("Nonce: "))
    together = threading.Barrier(CONNECTIONS)

    def use(share: range) -> int:
        with platform.database.connect("presage_api") as connection:
            together.wait()
            return sum(
                connection.execute(
                    "select count(*) from public.sign_in(%s, %s, %s, %s, %s, false, '127.0.0.1',"
                    " 'race', %s, %s)",
                    (
                        nonce.removeprefix("Nonce: "),
                        ACCOUNT.address,
                        message,
                        uuid.uuid4(),
                        secrets.token_bytes(32),
                        clock.now(),
                        clock.now() + sessions.LIFETIME,
                    ),
                ).fetchone()
                == (1,)
                for _ in share
            )

    shares = [range(start, USES, CONNECTIONS) for start in range(CONNECTIONS)]
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        assert sum(pool.map(use, shares)) == 1
    with platform.database.connect() as owner:
        left = owner.execute(
            "select (select count(*) from users), (select count(*) from sessions),"
            " (select count(*) from audit_log)"
        ).fetchone()
    assert left == (1, 1, 1)


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


def test_a_solana_wallet_comes_in_once_per_challenge(platform: Platform) -> None:
    key = Keypair()
    address = str(key.pubkey())
    challenge = platform.call("create_nonce", body={"address": address, "chain": "solana"}).data
    message = challenge["message"]
    assert message.startswith(
        f"app.example.com wants you to sign in with your Solana account:\n{address}\n"
    )
    assert "\nChain ID: devnet\n" in message
    body = {"address": address, "message": message}
    stranger = str(Keypair().sign_message(message.encode()))
    assert platform.call("connect_wallet", body=body | {"signature": stranger}).status == 401
    altered = message.replace("devnet", "mainnet")
    signed = {"message": altered, "signature": str(key.sign_message(altered.encode()))}
    assert platform.call("connect_wallet", body=body | signed).status == 401
    mine = body | {"signature": str(key.sign_message(message.encode()))}
    connected = platform.call("connect_wallet", body=mine)
    assert connected.data["session"]["user"]["address"] == address
    assert platform.call("get_session", token=connected.data["token"]).status == 200
    assert platform.call("connect_wallet", body=mine).status == 401
    again = platform.sign_in_with_solana(key)
    assert str(again.user_id) == connected.data["session"]["user"]["id"]


@pytest.mark.parametrize(
    "body",
    [
        {"address": ACCOUNT.address, "chain": "solana"},
        {"address": str(Keypair().pubkey()), "chain": "evm"},
        {"address": "not base58 0OIl"},
        {"address": str(Keypair().pubkey())[:-5]},
    ],
)
def test_an_address_of_another_chain_is_named(platform: Platform, body: dict[str, str]) -> None:
    refused = platform.call("create_nonce", body=body)
    assert (refused.status, refused.body["details"]["field"]) == (400, "address")
