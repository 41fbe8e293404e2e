"""Sessions: an opaque 32-byte token in the caller's hands, its SHA-256 in ours."""

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from presage.call import Call, Role
from presage.db import connection
from presage.db.queries import beside
from presage.errors import RateLimitedError

LIFETIME = timedelta(days=7)
COOKIE = "session-token"
_ATTRIBUTES = "HttpOnly; Secure; SameSite=Lax"
CLEAR_COOKIE = f"{COOKIE}=; Path=/; Max-Age=0; {_ATTRIBUTES}"
_queries = beside(__file__)


@dataclass(frozen=True)
class Session:
    """A live session and whose it is."""

    user_id: uuid.UUID
    address: str
    display_name: str | None
    role: Role
    expires_at: datetime


@dataclass(frozen=True)
class _Attempts:
    attempts: int


def new_token() -> str:
    """A fresh token; only its hash is kept."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> bytes:
    """What a token is stored and looked up by."""
    return hashlib.sha256(token.encode()).digest()


def cookie(token: str) -> str:
    """The Set-Cookie value that keeps a session in a browser."""
    return f"{COOKIE}={token}; Path=/; Max-Age={int(LIFETIME.total_seconds())}; {_ATTRIBUTES}"


def redis_key(token_hash: bytes) -> str:
    """Where Redis keeps the minute's copy of whom a session or an API key stands for."""
    return f"caller:{token_hash.hex()}"


def find(call: Call, token_hash: bytes) -> Session | None:
    """The live session with this token, from Postgres."""
    params = {"token_hash": token_hash, "now": call.now}
    return connection.fetch_one(call, _queries["find_session"], Session, params)


def count_login_attempt(call: Call, route: str, per_min: int) -> None:
    """Count a try on a login route in Postgres, for when Redis cannot.

    Raises:
        RateLimitedError: this address has tried more than `per_min` times this minute.
    """
    params = {"bucket": f"{route}:{call.ip}", "now": call.now}
    row = connection.fetch_one(call, _queries["count_login_attempt"], _Attempts, params)
    if row and row.attempts > per_min:
        raise RateLimitedError(f"At most {per_min} requests a minute.", retry_after_s=60)
