"""Wallets of Ethereum: address checksums (EIP-55) and signatures (EIP-191).

Built on coincurve and keccak rather than eth-account, which takes 190 ms to import; eth-account is
the oracle in the tests.
"""

import re

from coincurve import PublicKey
from Crypto.Hash import keccak

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_SIGNATURE_BYTES = 65
_CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_LEGACY_RECOVERY = 27


def keccak256(data: bytes) -> bytes:
    """Ethereum's Keccak-256 (not NIST SHA-3)."""
    return keccak.new(digest_bits=256, data=data).digest()


def checksum_address(address: str) -> str:
    """An address in EIP-55 spelling.

    Raises:
        ValueError: not 0x and 40 hex digits, or mixed case with a wrong checksum.
    """
    if not _ADDRESS.fullmatch(address):
        raise ValueError("must be 0x followed by 40 hex digits")
    digits = address[2:]
    lower = digits.lower()
    digest = keccak256(lower.encode()).hex()
    spelled = "0x" + "".join(
        char.upper() if int(nibble, 16) >= 8 else char  # noqa: PLR2004 - EIP-55's own constant
        for char, nibble in zip(lower, digest, strict=False)
    )
    if digits not in {lower, digits.upper()} and address != spelled:
        raise ValueError("has a wrong checksum")
    return spelled


def message_hash(text: str) -> bytes:
    """What a wallet signs for `text`: the hash of EIP-191's personal message (version 0x45)."""
    body = text.encode()
    return keccak256(b"\x19Ethereum Signed Message:\n" + str(len(body)).encode() + body)


def recover_address(text: str, signature: str) -> str | None:
    """The checksummed address that signed `text` by EIP-191 (personal_sign), or None.

    A malleable signature (s in the upper half of the curve order, EIP-2) is refused.
    """
    try:
        raw = bytes.fromhex(signature.removeprefix("0x"))
    except ValueError:
        return None
    if len(raw) != _SIGNATURE_BYTES:
        return None
    recovery = raw[64] - _LEGACY_RECOVERY if raw[64] >= _LEGACY_RECOVERY else raw[64]
    if recovery not in {0, 1} or int.from_bytes(raw[32:64]) > _CURVE_ORDER // 2:
        return None
    try:
        key = PublicKey.from_signature_and_message(
            raw[:64] + bytes([recovery]), message_hash(text), hasher=None
        )
    except ValueError:
        return None
    return checksum_address("0x" + keccak256(key.format(compressed=False)[1:])[-20:].hex())
