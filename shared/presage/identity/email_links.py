"""Links that confirm an email: who asked for which address, until when, under an HMAC-SHA256.

A token is url-safe base64 of the user's id (16 bytes), the expiry (8 bytes, unix seconds), the
SHA-256 of the address (32 bytes), which keeps the address itself out of access logs, and the HMAC
of all that (32 bytes) under EMAIL_LINK_KEY.
"""

import base64
import binascii
import hashlib
import hmac
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from presage import clock, config
from presage.errors import ValidationFailedError

LIFETIME = timedelta(hours=24)
_PAYLOAD_BYTES = 16 + 8 + 32
_MAC_BYTES = 32
TOKEN_CHARS = -(-(_PAYLOAD_BYTES + _MAC_BYTES) * 4 // 3)


@dataclass(frozen=True)
class EmailLink:
    """What a valid token says."""

    user_id: uuid.UUID
    email_hash: bytes


def hash_email(email: str) -> bytes:
    """What stands for an address in a token."""
    return hashlib.sha256(email.encode()).digest()


def make_token(user_id: uuid.UUID, email: str, now: datetime) -> str:
    """A token that confirms `email` for this user for `LIFETIME`.

    Raises:
        UnavailableError: EMAIL_LINK_KEY is missing.
    """
    expiry = clock.to_ms(now + LIFETIME) // 1000
    payload = user_id.bytes + expiry.to_bytes(8) + hash_email(email)
    return base64.urlsafe_b64encode(payload + _mac(payload)).decode().rstrip("=")


def read_token(token: str, now: datetime) -> EmailLink:
    """What the token says.

    Raises:
        ValidationFailedError: altered or expired.
        UnavailableError: EMAIL_LINK_KEY is missing.
    """
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    payload, mac = raw[:_PAYLOAD_BYTES], raw[_PAYLOAD_BYTES:]
    if not hmac.compare_digest(mac, _mac(payload)):
        raise ValidationFailedError("This link is not ours.", field="token")
    if int.from_bytes(payload[16:24]) <= clock.to_ms(now) // 1000:
        raise ValidationFailedError("This link has expired.", field="token")
    return EmailLink(uuid.UUID(bytes=payload[:16]), payload[24:])


def _mac(payload: bytes) -> bytes:
    key = config.get("EMAIL_LINK_KEY").encode()
    return hmac.new(key, b"presage email confirmation\0" + payload, hashlib.sha256).digest()
