"""Polymarket credentials: stored sealed, bound to their user, rotated, and never answered."""

import base64
import os
import threading
import uuid
from collections import Counter
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from presage.errors import InvalidStateError, UnavailableError
from presage.identity import credentials, rotation
from presage.identity.credentials import PolymarketCredentials
from tests.harness import Answer, Platform, Wallet

SECOND_KEY = "second:" + base64.b64encode(bytes(range(32, 64))).decode()
GIVEN = PolymarketCredentials("00000000-0000-4000-8000-00000000000a", "c2VjcmV0LXRleHQ=", "pass-1")
FIELDS = {"apiKey": GIVEN.api_key, "apiSecret": GIVEN.api_secret, "passphrase": GIVEN.passphrase}
WITH_SIGN_IN = {
    "polymarketApiKey": GIVEN.api_key,
    "polymarketApiSecret": GIVEN.api_secret,
    "polymarketPassphrase": GIVEN.passphrase,
}
ACCOUNT = Account.from_key("0x" + "c3" * 32)


@pytest.fixture
def user(platform: Platform) -> Wallet:
    return platform.sign_in()


def _connect(platform: Platform, fields: dict[str, Any], message: str | None = None) -> Answer:
    if message is None:
        message = _challenge(platform)
    signature = ACCOUNT.sign_message(encode_defunct(text=message)).signature.hex()
    body = {"address": ACCOUNT.address, "message": message, "signature": signature} | fields
    return platform.call("connect_wallet", body=body)


def _challenge(platform: Platform) -> str:
    answered = platform.call("create_nonce", body={"address": ACCOUNT.address}).data["message"]
    assert isinstance(answered, str)
    return answered


def _link(platform: Platform, wallet: Wallet, **fields: str) -> Answer:
    return platform.call("link_polymarket", token=wallet.token, body=FIELDS | fields)


def _load(platform: Platform, wallet: Wallet) -> PolymarketCredentials | None:
    call = platform.as_zone("api", platform.actor(wallet))
    return credentials.load(call, wallet.user_id)


def _rows(platform: Platform) -> list[Any]:
    with platform.database.connect() as owner:
        return owner.execute(
            "select user_id, key_id, nonce, ciphertext from venue_credentials order by user_id"
        ).fetchall()


def _is_linked(platform: Platform, token: str) -> bool:
    user = platform.call("get_session", token=token).data["user"]
    assert user["walletConnected"] is True
    return bool(user["polymarketLinked"])


def test_a_sign_in_may_bring_credentials(platform: Platform) -> None:
    bare = _connect(platform, {}).data
    assert bare["session"]["user"]["polymarketLinked"] is False
    linked = _connect(platform, WITH_SIGN_IN).data
    assert linked["session"]["user"]["polymarketLinked"] is True
    assert linked["session"]["user"]["id"] == bare["session"]["user"]["id"]
    assert _is_linked(platform, bare["token"])
    ((user_id, key_id, nonce, ciphertext),) = _rows(platform)
    assert (str(user_id), key_id) == (bare["session"]["user"]["id"], "first")
    for text in (GIVEN.api_key, GIVEN.api_secret, GIVEN.passphrase):
        assert text.encode() not in nonce + ciphertext
    # Coming in without them leaves them.
    assert _connect(platform, {}).data["session"]["user"]["polymarketLinked"] is True


def test_a_new_wallet_may_bring_credentials(platform: Platform) -> None:
    connected = _connect(platform, WITH_SIGN_IN).data
    actor = platform.actor(Wallet(ACCOUNT.address, connected["token"], _rows(platform)[0][0]))
    assert credentials.load(platform.as_zone("api", actor), actor.user_id) == GIVEN


@pytest.mark.parametrize("missing", WITH_SIGN_IN)
def test_all_three_or_none(missing: str, platform: Platform) -> None:
    message = _challenge(platform)
    some = {name: text for name, text in WITH_SIGN_IN.items() if name != missing}
    refused = _connect(platform, some, message)
    assert (refused.status, refused.body["details"]["field"]) == (400, missing)
    # The nonce is still good.
    assert _connect(platform, {}, message).status == 200


@pytest.mark.parametrize("bad", ["", "x" * 201, "new\nline", "sp ace", "é"])
def test_what_no_header_holds_is_refused_by_name(
    bad: str, platform: Platform, user: Wallet
) -> None:
    refused = _link(platform, user, apiSecret=bad)
    assert (refused.status, refused.body["details"]["field"]) == (400, "apiSecret")
    refused = _connect(platform, WITH_SIGN_IN | {"polymarketPassphrase": bad})
    assert (refused.status, refused.body["details"]["field"]) == (400, "polymarketPassphrase")
    assert _rows(platform) == []


@pytest.mark.parametrize("keys", [None, "", "first", "first:c2hvcnQ=", "a:" + "A" * 43, "a b:x"])
def test_without_keys_only_credentials_are_refused(
    keys: str | None, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = _challenge(platform)
    with monkeypatch.context() as patched:
        if keys is None:
            patched.delenv("CREDENTIAL_KEYS")
        else:
            patched.setenv("CREDENTIAL_KEYS", keys)
        refused = _connect(platform, WITH_SIGN_IN, message)
        assert (refused.status, refused.body["code"]) == (503, "UNAVAILABLE")
        assert "CREDENTIAL_KEYS" in refused.body["error"]
        connected = _connect(platform, {}, message)
        assert connected.status == 200
        wallet = Wallet(ACCOUNT.address, connected.data["token"], _user_id(connected))
        assert _link(platform, wallet).status == 503
    assert _rows(platform) == []


def test_link_replace_unlink(platform: Platform, user: Wallet) -> None:
    assert _load(platform, user) is None
    assert _link(platform, user).data["polymarketLinked"] is True
    assert _load(platform, user) == GIVEN
    before = _rows(platform)
    _link(platform, user, passphrase="pass-2")
    assert _load(platform, user) == PolymarketCredentials(GIVEN.api_key, GIVEN.api_secret, "pass-2")
    assert before[0][2] != _rows(platform)[0][2]
    assert _is_linked(platform, user.token)
    for _ in range(2):
        gone = platform.call("unlink_polymarket", token=user.token)
        assert gone.data == {"polymarketLinked": False, "updatedAt": None}
    assert _load(platform, user) is None
    assert not _is_linked(platform, user.token)


def test_no_answer_and_no_log_has_a_secret(
    platform: Platform, user: Wallet, caplog: pytest.LogCaptureFixture
) -> None:
    shown = [
        _connect(platform, WITH_SIGN_IN).text,
        _link(platform, user).text,
        _link(platform, user, apiKey="").text,
        platform.call("get_session", token=user.token).text,
        platform.call("get_profile", token=user.token).text,
        platform.call("unlink_polymarket", token=user.token).text,
        repr(GIVEN),
    ]
    with platform.database.connect() as owner:
        audited = owner.execute("select audit_log::text from audit_log").fetchall()
    logged = [str(vars(record)) for record in caplog.records]
    everything = "".join([*shown, *(row for (row,) in audited), *logged])
    assert "link_polymarket" in everything
    for secret in (GIVEN.api_key, GIVEN.api_secret, GIVEN.passphrase):
        assert secret not in everything


def test_linking_is_audited(platform: Platform, user: Wallet) -> None:
    _link(platform, user)
    platform.call("unlink_polymarket", token=user.token)
    platform.call("unlink_polymarket", token=user.token)
    with platform.database.connect() as owner:
        rows = owner.execute(
            "select action, resource, resource_id, changes from audit_log"
            " where actor_id = %s and action <> 'connect_wallet' order by id",
            (user.user_id,),
        ).fetchall()
    assert rows == [
        ("link_polymarket", "venue_credentials", "polymarket", {"key_id": "first"}),
        ("unlink_polymarket", "venue_credentials", "polymarket", {}),
    ]


def test_a_row_that_is_moved_or_altered_does_not_open(platform: Platform, user: Wallet) -> None:
    thief = platform.sign_in()
    for wallet in (user, thief):
        _link(platform, wallet, passphrase=f"of-{wallet.user_id}")
    stolen = {row[0]: row for row in _rows(platform)}[user.user_id]
    with platform.database.connect() as owner:
        owner.execute(
            "update venue_credentials set nonce = %s, ciphertext = %s where user_id = %s",
            (stolen[2], stolen[3], thief.user_id),
        )
        with pytest.raises(InvalidStateError):
            _load(platform, thief)
        altered = bytes([stolen[3][0] ^ 1]) + stolen[3][1:]
        owner.execute(
            "update venue_credentials set ciphertext = %s where user_id = %s",
            (altered, user.user_id),
        )
    with pytest.raises(InvalidStateError):
        _load(platform, user)
    # Linking again mends it.
    _link(platform, user)
    assert _load(platform, user) == GIVEN


def test_nobody_loads_what_is_anothers(platform: Platform, user: Wallet) -> None:
    _link(platform, user)
    other = platform.actor(platform.sign_in())
    assert credentials.load(platform.as_zone("api", other), user.user_id) is None
    assert credentials.load(platform.as_zone("api"), user.user_id) is None
    assert credentials.load(platform.as_zone("worker"), user.user_id) == GIVEN


def test_keys_rotate_in_chunks_and_the_old_one_may_go(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "CHUNK", 2)
    wallets = [platform.sign_in() for _ in range(5)]
    for wallet in wallets:
        _link(platform, wallet, passphrase=f"of-{wallet.user_id}")
    first = os.environ["CREDENTIAL_KEYS"]
    monkeypatch.setenv("CREDENTIAL_KEYS", f"{SECOND_KEY},{first}")
    assert _load(platform, wallets[0]) is not None
    done = platform.deliver("rotate_credentials")
    assert (done.data["status"], done.data["counts"]) == (
        "completed",
        {"rotated": 5, "unreadable": 0},
    )
    assert Counter(row[1] for row in _rows(platform)) == {"second": 5}
    monkeypatch.setenv("CREDENTIAL_KEYS", SECOND_KEY)
    for wallet in wallets:
        loaded = _load(platform, wallet)
        assert loaded is not None
        assert loaded.passphrase == f"of-{wallet.user_id}"
    platform.advance(86_400)
    again = platform.deliver("rotate_credentials")
    assert again.data["counts"] == {"rotated": 0, "unreadable": 0}
    with platform.database.connect() as owner:
        audited = owner.execute(
            "select changes from audit_log where action = 'rotate_credentials' order by id"
        ).fetchall()
    assert [changes["count"] for (changes,) in audited] == [2, 2, 1]


def test_what_does_not_open_is_kept_and_reported(
    platform: Platform, user: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = platform.sign_in()
    for wallet in (user, lost):
        _link(platform, wallet)
    with platform.database.connect() as owner:
        owner.execute(
            "update venue_credentials set key_id = 'gone' where user_id = %s", (lost.user_id,)
        )
    first = os.environ["CREDENTIAL_KEYS"]
    monkeypatch.setenv("CREDENTIAL_KEYS", f"{SECOND_KEY},{first}")
    done = platform.deliver("rotate_credentials")
    assert (done.data["status"], done.data["counts"]) == (
        "partial",
        {"rotated": 1, "unreadable": 1},
    )
    with platform.database.connect() as owner:
        asked = owner.execute("select kind, subject, data from escalations").fetchall()
        letters = owner.execute("select workflow, item from dead_letters").fetchall()
    assert asked == [("support", "credential_key:gone", {"keyId": "gone", "count": 1})]
    assert letters == [("rotate_credentials", f"{lost.user_id}:polymarket")]
    assert {row[0]: row[1] for row in _rows(platform)} == {
        user.user_id: "second",
        lost.user_id: "gone",
    }
    with pytest.raises(InvalidStateError):
        _load(platform, lost)
    # Given back, the key opens what it sealed.
    monkeypatch.setenv("CREDENTIAL_KEYS", f"{SECOND_KEY},{first.replace('first', 'gone')}")
    platform.advance(86_400)
    assert platform.deliver("rotate_credentials").data["counts"]["rotated"] == 1
    assert _load(platform, lost) == GIVEN


def test_a_rotation_without_keys_reports_all_and_loses_none(
    platform: Platform, user: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    _link(platform, user)
    before = _rows(platform)
    monkeypatch.delenv("CREDENTIAL_KEYS")
    done = platform.deliver("rotate_credentials")
    assert done.data["counts"] == {"rotated": 0, "unreadable": 1}
    assert _rows(platform) == before
    with pytest.raises(UnavailableError):
        _load(platform, user)


def test_a_link_made_during_a_rotation_wins(
    platform: Platform, user: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row changes between the rotation's read and its write."""
    _link(platform, user)
    first = os.environ["CREDENTIAL_KEYS"]
    monkeypatch.setenv("CREDENTIAL_KEYS", f"{SECOND_KEY},{first}")
    with platform.database.connect() as owner:
        owner.autocommit = False
        owner.execute(
            "update venue_credentials set nonce = nonce where user_id = %s", (user.user_id,)
        )
        # The old row's ciphertext under another nonce stands for what a link would write.
        owner.execute(
            "update venue_credentials set nonce = %s, updated_at = now() where user_id = %s",
            (bytes(12), user.user_id),
        )
        thread = threading.Thread(target=_rotate, args=(platform,))
        thread.start()
        _wait_for_waiter(platform)
        owner.commit()
        thread.join()
    ((_, key_id, nonce, _),) = _rows(platform)
    assert (key_id, nonce) == ("first", bytes(12))


def _rotate(platform: Platform) -> None:
    platform.deliver("rotate_credentials")
    platform.close()


def _wait_for_waiter(platform: Platform) -> None:
    query = (
        "select count(*) from pg_stat_activity"
        " where datname = current_database() and wait_event_type = 'Lock'"
    )
    with platform.database.connect() as watcher:
        for _ in range(400):
            row = watcher.execute(query).fetchone()
            if row and row[0]:
                return
            threading.Event().wait(0.02)
    raise AssertionError("the rotation never reached the locked row")


def test_credentials_sealed_for_an_id_that_proves_wrong_are_not_kept(platform: Platform) -> None:
    """The wallet becomes a user between the look-up, which found none, and the sign-in."""
    message, user_id = _challenge(platform), uuid.uuid4()
    answers: list[Answer] = []

    def connect() -> None:
        answers.append(_connect(platform, WITH_SIGN_IN, message))
        platform.close()

    with platform.database.connect() as owner:
        owner.autocommit = False
        owner.execute(
            "insert into users (id, address, chain, created_at) values (%s, %s, 'evm', now())",
            (user_id, ACCOUNT.address),
        )
        thread = threading.Thread(target=connect)
        thread.start()
        _wait_for_waiter(platform)
        owner.commit()
        thread.join()
    assert [(answer.status, answer.body["code"]) for answer in answers] == [(409, "CONFLICT")]
    assert _rows(platform) == []
    # The nonce is still good, and now the user is known.
    assert _user_id(_connect(platform, WITH_SIGN_IN, message)) == str(user_id)
    assert credentials.load(platform.as_zone("worker"), user_id) == GIVEN


def _user_id(connected: Answer) -> Any:
    return connected.data["session"]["user"]["id"]
