"""AES-256-GCM for the secrets that people lend us, with key ids, so that keys can be rotated.

The user's id and the venue are authenticated with each ciphertext: a row that is moved to another
user or venue does not open. `cryptography` takes 40 ms to import and is loaded when it is needed.
"""

import base64
import binascii
import re
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from presage import config
from presage.errors import UnavailableError

KEY_BYTES = 32
NONCE_BYTES = 12
_KEY_ID = re.compile(r"[A-Za-z0-9_.-]{1,32}")


class SealError(Exception):
    """A sealed text does not open: its key is not configured, or it was altered or moved."""


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """A ciphertext and what opens it, but for the key itself."""

    key_id: str
    nonce: bytes
    ciphertext: bytes


@dataclass(frozen=True)
class Keyring:
    """Keys by id; `current` is the id that seals. An empty ring opens nothing."""

    current: str
    keys: Mapping[str, bytes]

    def seal(self, user_id: uuid.UUID, venue: str, text: bytes) -> Sealed:
        """Encrypt `text` for this user and venue under the current key."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = secrets.token_bytes(NONCE_BYTES)
        cipher = AESGCM(self.keys[self.current])
        ciphertext = cipher.encrypt(nonce, text, _bound_to(user_id, venue))
        return Sealed(key_id=self.current, nonce=nonce, ciphertext=ciphertext)

    def open(self, user_id: uuid.UUID, venue: str, sealed: Sealed) -> bytes:
        """The text that was sealed for this user and venue.

        Raises:
            SealError: the key is not in the ring, or the ciphertext is not what was sealed.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key = self.keys.get(sealed.key_id)
        if key is None:
            raise SealError(f"the key {sealed.key_id} is not in CREDENTIAL_KEYS")
        try:
            bound = _bound_to(user_id, venue)
            return AESGCM(key).decrypt(sealed.nonce, sealed.ciphertext, bound)
        except InvalidTag:
            raise SealError("the ciphertext was altered or is another's") from None


def keyring() -> Keyring:
    """The ring of CREDENTIAL_KEYS (`id:base64[,id:base64]`): the first key is current.

    Raises:
        UnavailableError: the setting is missing or not of that form.
    """
    entries = [entry.strip() for entry in config.get("CREDENTIAL_KEYS").split(",")]
    keys: dict[str, bytes] = {}
    for entry in entries:
        key_id, _, encoded = entry.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            key = b""
        if not _KEY_ID.fullmatch(key_id) or len(key) != KEY_BYTES or key_id in keys:
            raise UnavailableError("The setting CREDENTIAL_KEYS is malformed.")
        keys[key_id] = key
    return Keyring(next(iter(keys)), keys)


def _bound_to(user_id: uuid.UUID, venue: str) -> bytes:
    return user_id.bytes + venue.encode()
