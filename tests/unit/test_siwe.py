"""Sign-in messages and signatures, with eth-account as the oracle."""

from datetime import UTC, datetime

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from hypothesis import given
from hypothesis import strategies as st

from presage.identity.siwe import (
    SiweMessage,
    checksum_address,
    keccak256,
    nonce_of,
    recover_address,
)

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
private_keys = st.integers(1, ORDER - 1).map(lambda key: key.to_bytes(32))


def test_the_message_is_laid_out_by_eip_4361() -> None:
    message = SiweMessage(
        domain="app.example.com",
        address="0x2c7536E3605D9C16a7a3D7b1898e529396a65c23",
        statement="Sign in to Presage.",
        uri="https://api.example.com/api/v1",
        chain_id=137,
        nonce="0123456789abcdef",
        issued_at=datetime(2026, 7, 24, 12, tzinfo=UTC),
        expires_at=datetime(2026, 7, 24, 12, 10, tzinfo=UTC),
    )
    assert message.text() == (
        "app.example.com wants you to sign in with your Ethereum account:\n"
        "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23\n"
        "\n"
        "Sign in to Presage.\n"
        "\n"
        "URI: https://api.example.com/api/v1\n"
        "Version: 1\n"
        "Chain ID: 137\n"
        "Nonce: 0123456789abcdef\n"
        "Issued At: 2026-07-24T12:00:00.000Z\n"
        "Expiration Time: 2026-07-24T12:10:00.000Z"
    )
    assert nonce_of(message.text()) == "0123456789abcdef"


def test_a_message_with_two_nonces_has_none() -> None:
    assert nonce_of("Nonce: a\nNonce: b") is None
    assert nonce_of("no such line") is None


def test_keccak_is_ethereums() -> None:
    # The hash of nothing, as in the yellow paper.
    assert keccak256(b"").hex() == (
        "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    )


@given(private_keys, st.text(max_size=200))
def test_recovery_agrees_with_eth_account(key: bytes, text: str) -> None:
    account = Account.from_key(key)
    signed = account.sign_message(encode_defunct(text=text))
    assert recover_address(text, signed.signature.hex()) == account.address
    assert recover_address(text, "0x" + signed.signature.hex()) == account.address
    assert checksum_address(account.address.lower()) == account.address


@given(private_keys)
def test_a_malleable_signature_is_refused(key: bytes) -> None:
    signature = Account.from_key(key).sign_message(encode_defunct(text="hello")).signature
    s = ORDER - int.from_bytes(signature[32:64])
    twin = signature[:32] + s.to_bytes(32) + bytes([55 - signature[64]])
    assert recover_address("hello", twin.hex()) is None


@pytest.mark.parametrize(
    "signature", ["", "0x", "zz", "00" * 64, "00" * 65, "00" * 66, "ff" * 65, "11" * 64 + "05"]
)
def test_what_is_no_signature_recovers_nobody(signature: str) -> None:
    assert recover_address("hello", signature) is None


@pytest.mark.parametrize(
    "address",
    [
        "",
        "2c7536E3605D9C16a7a3D7b1898e529396a65c23",
        "0x2c7536E3605D9C16a7a3D7b1898e529396a65c2",
        "0x2C7536E3605D9C16a7a3D7b1898e529396a65c23",
        "0x2c7536E3605D9C16a7a3D7b1898e529396a65cgg",
        "0x\uff12c7536E3605D9C16a7a3D7b1898e529396a65c23",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        checksum_address(address)
