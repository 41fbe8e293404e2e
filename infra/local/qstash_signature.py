"""QStash's request signature: an HS256 JWT over the destination and the body's hash.

Protocol source: https://upstash.com/docs/qstash/features/security.
"""

import base64
import hashlib
import hmac
import secrets
import uuid

import orjson

LIFETIME_S = 300


class SigningKeys:
    """The current key signs; the next one lets receivers survive a rotation."""

    def __init__(self, current: str, next_key: str) -> None:
        self.current = current
        self.next = next_key

    def rotate(self) -> None:
        """The next key becomes current, and a new next one is made."""
        self.current, self.next = self.next, f"sig_{secrets.token_urlsafe(24)}"

    def sign(self, url: str, body: bytes, now_ms: int) -> str:
        """The `Upstash-Signature` of a delivery of `body` to `url`."""
        now_s = now_ms // 1_000
        claims = {
            "iss": "Upstash",
            "sub": url,
            "exp": now_s + LIFETIME_S,
            "nbf": now_s,
            "iat": now_s,
            "jti": f"jwt_{uuid.uuid4().hex}",
            # With its padding, as the real service sends it: receivers strip it.
            "body": base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode(),
        }
        signed = _encode({"alg": "HS256", "typ": "JWT"}) + b"." + _encode(claims)
        mac = hmac.digest(self.current.encode(), signed, "sha256")
        return (signed + b"." + _unpadded(mac)).decode()


def _encode(part: dict[str, object]) -> bytes:
    return _unpadded(orjson.dumps(part))


def _unpadded(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
