"""Who calls: a session token from the Authorization header, or from the cookie with an Origin.

Only the SHA-256 of a token is ever looked up or kept. A copy of a session lives in Redis for at
most a minute, so that a logout holds even when Redis could not be told; Postgres decides.
"""

import hashlib
import hmac
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson

from presage import config
from presage.adapters.redis import Command
from presage.call import Actor, Call
from presage.edge.request import Request
from presage.errors import ForbiddenError, UnauthorizedError
from presage.identity import sessions

COPY_TTL_S = 60
_MAX_TOKEN_CHARS = 200
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Credential:
    """What a caller showed, as the hash it is looked up by."""

    token_hash: bytes

    @property
    def redis_key(self) -> str:
        """Where the minute's copy of its session lives."""
        return sessions.redis_key(self.token_hash)

    def command(self) -> Command:
        """The Redis command that looks the copy up."""
        return ("GET", self.redis_key)


def credential(request: Request) -> Credential | None:
    """What the caller showed, or None when nothing.

    Raises:
        UnauthorizedError: it cannot be a token of ours.
        ForbiddenError: a mutation by cookie from a page that is not allowed.
    """
    authorization = request.headers.get("authorization")
    if authorization:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise UnauthorizedError(
                "The Authorization header must be of the form 'Bearer <token>'."
            )
        return _hashed(token.strip())
    token = request.cookies.get(sessions.COOKIE, "")
    if not token:
        return None
    if request.method not in _SAFE_METHODS:
        _require_own_origin(request.headers)
    return _hashed(token)


def _hashed(token: str) -> Credential:
    if not token or len(token) > _MAX_TOKEN_CHARS or not token.isascii():
        raise UnauthorizedError("The session is not valid.")
    return Credential(sessions.hash_token(token))


def _require_own_origin(headers: Mapping[str, str]) -> None:
    """A cookie is sent by any page; only ours may act on it."""
    allowed = [origin for origin in config.get("ALLOWED_ORIGINS").split(",") if origin]
    if headers.get("origin", "") not in allowed:
        raise ForbiddenError("A request with a cookie must come from an allowed origin.")


def from_copy(token_hash: bytes, copy: str | None, now: datetime) -> Actor | None:
    """The session in Redis's copy, or None when there is none or it has ended."""
    if copy is None:
        return None
    fields = orjson.loads(copy)
    if datetime.fromisoformat(fields["expires_at"]) <= now:
        return None
    return Actor(
        user_id=uuid.UUID(fields["user_id"]),
        address=fields["address"],
        role=fields["role"],
        session_hash=token_hash,
    )


def from_postgres(call: Call, shown: Credential) -> tuple[Actor, Command]:
    """The session as Postgres knows it, and the command that leaves Redis a copy.

    Raises:
        UnauthorizedError: there is no such session, or it ended.
    """
    session = sessions.find(call, shown.token_hash)
    if session is None:
        raise UnauthorizedError("The session is not valid or has ended.")
    actor = Actor(
        user_id=session.user_id,
        address=session.address,
        role=session.role,
        session_hash=shown.token_hash,
    )
    copy = orjson.dumps(
        {
            "user_id": session.user_id,
            "address": session.address,
            "role": session.role,
            "expires_at": session.expires_at,
        }
    ).decode()
    return actor, ("SET", shown.redis_key, copy, "EX", COPY_TTL_S)


def require(actor: Actor | None, *, admin: bool) -> None:
    """Refuse who may not call.

    Raises:
        UnauthorizedError: nobody is signed in.
        ForbiddenError: an admin is needed.
    """
    if actor is None:
        raise UnauthorizedError
    if admin and not actor.is_admin:
        raise ForbiddenError("This route is for admins.")


def is_operator(authorization: str) -> bool:
    """Whether the header carries CRON_SECRET; compared in constant time, off when unset."""
    secret = config.get("CRON_SECRET")
    return bool(secret) and hmac.compare_digest(
        hashlib.sha256(authorization.encode()).digest(),
        hashlib.sha256(f"Bearer {secret}".encode()).digest(),
    )
