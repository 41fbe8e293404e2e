"""Sealed credentials, with pycryptodome as the oracle; the ABI's calldata, with eth-abi as it."""

import base64
import uuid

import pytest
from Crypto.Cipher import AES
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from presage.adapters.evm_rpc import call_data
from presage.identity.sealing import Keyring, Sealed, SealError, keyring

KEY = bytes(range(32))
RING = Keyring("now", {"now": KEY, "old": KEY[::-1]})
users = st.binary(min_size=16, max_size=16).map(lambda raw: uuid.UUID(bytes=raw))


@given(users, st.binary(max_size=600))
def test_another_library_opens_what_is_sealed(user: uuid.UUID, text: bytes) -> None:
    sealed = RING.seal(user, "polymarket", text)
    cipher = AES.new(KEY, AES.MODE_GCM, nonce=sealed.nonce)
    cipher.update(user.bytes + b"polymarket")
    body, tag = sealed.ciphertext[:-16], sealed.ciphertext[-16:]
    assert cipher.decrypt_and_verify(body, tag) == text
    assert (sealed.key_id, len(sealed.nonce)) == ("now", 12)


@given(users, st.binary(max_size=600))
def test_what_another_library_seals_is_opened(user: uuid.UUID, text: bytes) -> None:
    cipher = AES.new(KEY[::-1], AES.MODE_GCM, nonce=bytes(12))
    cipher.update(user.bytes + b"polymarket")
    body, tag = cipher.encrypt_and_digest(text)
    sealed = Sealed(key_id="old", nonce=bytes(12), ciphertext=body + tag)
    assert RING.open(user, "polymarket", sealed) == text


def test_no_bit_may_change_and_no_row_may_move() -> None:
    user = uuid.uuid4()
    sealed = RING.seal(user, "polymarket", b"secret")
    for position in range(len(sealed.ciphertext)):
        altered = bytearray(sealed.ciphertext)
        altered[position] ^= 1
        wrong = Sealed(key_id="now", nonce=sealed.nonce, ciphertext=bytes(altered))
        with pytest.raises(SealError):
            RING.open(user, "polymarket", wrong)
    with pytest.raises(SealError):
        RING.open(uuid.uuid4(), "polymarket", sealed)
    with pytest.raises(SealError):
        RING.open(user, "another", sealed)
    for key_id in ("old", "gone"):
        wrong = Sealed(key_id=key_id, nonce=sealed.nonce, ciphertext=sealed.ciphertext)
        with pytest.raises(SealError):
            RING.open(user, "polymarket", wrong)


def test_a_nonce_is_never_used_twice() -> None:
    user = uuid.uuid4()
    assert len({RING.seal(user, "polymarket", b"same").nonce for _ in range(1_000)}) == 1_000


def test_the_first_key_of_the_setting_seals(monkeypatch: pytest.MonkeyPatch) -> None:
    new, old = (base64.b64encode(key).decode() for key in (KEY, KEY[::-1]))
    monkeypatch.setenv("CREDENTIAL_KEYS", f"new:{new}, old:{old}")
    assert keyring() == Keyring("new", {"new": KEY, "old": KEY[::-1]})


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=2_048))
def test_calldata_is_the_abis(digest: bytes, signature: bytes) -> None:
    selector = keccak(text="isValidSignature(bytes32,bytes)")[:4]
    assert call_data(digest, signature) == selector + encode(
        ["bytes32", "bytes"], [digest, signature]
    )
