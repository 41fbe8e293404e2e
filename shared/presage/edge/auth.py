"""Who calls: a session or an API key from the Authorization header or x-service-key, or a cookie.

Only the SHA-256 of a token is ever looked up or kept. A copy of whom it stands for lives in Redis
for at most a minute, so that a logout, a revoked key and a lost role hold even when Redis could not
be told; Postgres decides.
"""

import hashlib
import hmac
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson

from presage import config
from presage.adapters.redis import Command
from presage.call import Actor, Call
from presage.edge.request import Request
from presage.errors import ForbiddenError, UnauthorizedError
from presage.identity import keys, sessions
from presage.routes import Route

COPY_TTL_S = 60
SERVICE_HEADER = "x-service-key"
_MAX_TOKEN_CHARS = 200
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Credential:
    """What a caller showed, as the hash it is looked up by."""

    token_hash: bytes
    kind: Literal["session", "key", "service"]

    @property
    def redis_key(self) -> str:
        """Where the minute's copy of whom it stands for lives."""
        return sessions.redis_key(self.token_hash)

    def command(self) -> Command:
        """The Redis command that looks the copy up."""
        return ("GET", self.redis_key)


def credential(request: Request) -> Credential | None:
    """What the caller showed, or None when nothing.

    Raises:
        UnauthorizedError: it cannot be a token of ours, or there are two.
        ForbiddenError: a mutation by cookie from a page that is not allowed.
    """
    authorization = request.headers.get("authorization")
    service_key = request.headers.get(SERVICE_HEADER)
    if service_key:
        if authorization:
            raise UnauthorizedError("Give one credential: Authorization or x-service-key.")
        if not keys.is_key(service_key):
            raise UnauthorizedError("The service key is not valid.")
        return Credential(sessions.hash_token(service_key), "service")
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
    return Credential(sessions.hash_token(token), "key" if keys.is_key(token) else "session")


def _require_own_origin(headers: Mapping[str, str]) -> None:
    """A cookie is sent by any page; only ours may act on it."""
    allowed = [origin for origin in config.get("ALLOWED_ORIGINS").split(",") if origin]
    if headers.get("origin", "") not in allowed:
        raise ForbiddenError("A request with a cookie must come from an allowed origin.")


def from_copy(call: Call, shown: Credential, copy: str | None) -> Actor | None:
    """Whom Redis's copy says, or None when there is none, it has ended or the use does not fit it.

    What does not fit is left to Postgres, before which the sender's address is counted: a key in
    the wrong place or from the wrong network must not borrow its owner's limit.
    """
    if copy is None:
        return None
    known = orjson.loads(copy)
    if known["expires_at"] and datetime.fromisoformat(known["expires_at"]) <= call.now:
        return None
    try:
        return _actor(call, shown, known)
    except (UnauthorizedError, ForbiddenError):
        return None


def from_postgres(call: Call, shown: Credential) -> tuple[Actor, Command]:
    """Whom the credential stands for by Postgres, and the command that leaves Redis a copy.

    Raises:
        UnauthorizedError: there is no such session or key, or it ended, or it is a service key in
            another's place, or another in its place.
        ForbiddenError: a key used from an address that its owner did not allow.
    """
    known: dict[str, Any]
    if shown.kind == "session":
        session = sessions.find(call, shown.token_hash)
        if session is None:
            raise UnauthorizedError("The session is not valid or has ended.")
        known = {
            "user_id": str(session.user_id),
            "address": session.address,
            "role": session.role,
            "expires_at": session.expires_at,
        }
    else:
        owner = keys.find(call, shown.token_hash)
        if owner is None:
            raise UnauthorizedError("The API key is not valid, or has expired or been revoked.")
        known = vars(owner) | {"user_id": str(owner.user_id)}
    actor = _actor(call, shown, known)
    return actor, ("SET", shown.redis_key, orjson.dumps(known).decode(), "EX", COPY_TTL_S)


def _actor(call: Call, shown: Credential, known: Mapping[str, Any]) -> Actor:
    scopes = known.get("scopes")
    if scopes is not None:
        if ("service" in scopes) != (shown.kind == "service"):
            raise UnauthorizedError("A service key goes into x-service-key, and nothing else does.")
        if not keys.allows(known["ip_allow_list"], call.ip):
            raise ForbiddenError("This key may not be used from your address.")
    return Actor(
        user_id=uuid.UUID(known["user_id"]),
        address=known["address"],
        role=known["role"],
        session_hash=shown.token_hash,
        scopes=None if scopes is None else keys.granted(scopes, known["role"]),
    )


def require(actor: Actor | None, route: Route) -> None:
    """Refuse who may not call a route that is not public.

    Raises:
        UnauthorizedError: nobody is signed in.
        ForbiddenError: a key without the route's scope, or an admin is needed.
    """
    if actor is None:
        raise UnauthorizedError
    if not actor.may(route.scope):
        raise ForbiddenError(
            "This route needs a session: an API key may not call it."
            if route.scope == "session"
            else f"This route needs a key with the scope {route.scope}."
        )
    if route.auth == "admin" and not actor.is_admin:
        raise ForbiddenError("This route is for admins.")


def is_operator(authorization: str) -> bool:
    """Whether the header carries CRON_SECRET; compared in constant time, off when unset."""
    secret = config.get("CRON_SECRET")
    return bool(secret) and same(authorization, f"Bearer {secret}")


def same(given: str, secret: str) -> bool:
    """Whether two texts are the same, in a time that tells nothing of either."""
    return hmac.compare_digest(
        hashlib.sha256(given.encode()).digest(), hashlib.sha256(secret.encode()).digest()
    )
