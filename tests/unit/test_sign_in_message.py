"""What wallets sign, line by line, and whose signature it is."""

import base64
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from solders.keypair import Keypair
from solders.signature import Signature

from presage.identity.sign_in_message import SignInMessage, nonce_of
from presage.identity.siws import is_signed_by, solana_address

EVM = "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23"
SOLANA = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM"


@pytest.mark.parametrize(
    ("address", "chain_id", "account"),
    [(EVM, "137", "Ethereum"), (SOLANA, "devnet", "Solana")],
)
def test_the_message_is_laid_out_by_its_standard(address: str, chain_id: str, account: str) -> None:
    message = SignInMessage(
        domain="app.example.com",
        address=address,
        statement="Sign in to Presage.",
        uri="https://api.example.com/api/v1",
        chain_id=chain_id,
        nonce="0123456789abcdef",
        issued_at=datetime(2026, 7, 24, 12, tzinfo=UTC),
        expires_at=datetime(2026, 7, 24, 12, 10, tzinfo=UTC),
    )
    assert message.text() == (
        f"app.example.com wants you to sign in with your {account} account:\n"
        f"{address}\n"
        "\n"
        "Sign in to Presage.\n"
        "\n"
        "URI: https://api.example.com/api/v1\n"
        "Version: 1\n"
        f"Chain ID: {chain_id}\n"
        "Nonce: 0123456789abcdef\n"
        "Issued At: 2026-07-24T12:00:00.000Z\n"
        "Expiration Time: 2026-07-24T12:10:00.000Z"
    )
    assert nonce_of(message.text()) == "0123456789abcdef"


def test_a_message_with_two_nonces_has_none() -> None:
    assert nonce_of("Nonce: a\nNonce: b") is None
    assert nonce_of("no such line") is None


@given(st.binary(min_size=32, max_size=32), st.text(max_size=200))
def test_a_solana_signature_is_ed25519(seed: bytes, text: str) -> None:
    wallet = Keypair.from_seed(seed)
    address = str(wallet.pubkey())
    # The signature is another library's: what two agree on is the standard.
    raw = Ed25519PrivateKey.from_private_bytes(seed).sign(text.encode())
    in_base58, in_base64 = str(Signature.from_bytes(raw)), base64.b64encode(raw).decode()
    assert is_signed_by(address, text, in_base58)
    assert is_signed_by(address, text, in_base64)
    assert not is_signed_by(address, text + ".", in_base58)
    assert not is_signed_by(str(Keypair().pubkey()), text, in_base58)


@pytest.mark.parametrize("signature", ["", "0" * 64, "1" * 64, "l" * 88, "=" * 88, "A" * 87 + "="])
def test_no_signature_is_refused_and_not_raised(signature: str) -> None:
    assert not is_signed_by(SOLANA, "hello", signature)


@pytest.mark.parametrize("address", ["", "1", SOLANA[:-2], SOLANA + "1", "0" * 43, "é" * 40])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="base58"):
        solana_address(address)
