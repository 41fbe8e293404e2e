"""Wallets of Ethereum, with eth-account as the oracle."""

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from hypothesis import given
from hypothesis import strategies as st

from presage.identity.siwe import (
    checksum_address,
    keccak256,
    recover_address,
)

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
private_keys = st.integers(1, ORDER - 1).map(lambda key: key.to_bytes(32))


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
