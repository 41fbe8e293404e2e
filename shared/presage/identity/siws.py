"""Wallets of Solana: addresses in base58 and Ed25519 signatures.

`solders` is loaded when a Solana wallet comes, not before: other wallets do not wait for it.
"""

import base64
import binascii

_BASE64_CHARS = 88  # of a signature, padded; in base58 it has 86 to 88 and no padding


def solana_address(address: str) -> str:
    """An address as it is spelled.

    Raises:
        ValueError: not 32 bytes in base58.
    """
    from solders.pubkey import Pubkey

    try:
        return str(Pubkey.from_string(address))
    except ValueError:
        raise ValueError("must be 32 bytes in base58") from None


def is_signed_by(address: str, text: str, signature: str) -> bool:
    """Whether the wallet signed exactly these bytes: 64 bytes of Ed25519 in base58 or base64."""
    from solders.pubkey import Pubkey
    from solders.signature import Signature

    try:
        if len(signature) == _BASE64_CHARS and signature.endswith("="):
            given = Signature.from_bytes(base64.b64decode(signature, validate=True))
        else:
            given = Signature.from_string(signature)
    except (ValueError, binascii.Error):
        return False
    return given.verify(Pubkey.from_string(address), text.encode())
