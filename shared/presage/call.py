"""What a service is told about the request it serves: who asks, when, and under which id."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Role = Literal["user", "admin", "super_admin"]
KeyScope = Literal["read", "trade", "admin", "service"]
Language = Literal["en", "bn"]
Zone = Literal["api", "admin", "worker"]


@dataclass(frozen=True, kw_only=True)
class Actor:
    """A signed-in caller: by a session, which may do all that its user may, or by an API key.

    `session_hash` is the hash of what the caller showed. `scopes` is what a key may do at present,
    or None for a session.
    """

    user_id: uuid.UUID
    address: str
    role: Role
    session_hash: bytes
    scopes: frozenset[str] | None = None

    @property
    def is_admin(self) -> bool:
        """Whether admin routes are open to this caller."""
        return self.role != "user"

    @property
    def acts_as_admin(self) -> bool:
        """Whether more is open to this caller by the role: a key needs its scope as well."""
        return self.is_admin and self.may("admin")

    def may(self, scope: str) -> bool:
        """Whether what the caller showed is enough for a route of this scope."""
        return self.scopes is None or scope in self.scopes


@dataclass(kw_only=True)
class Call:
    """One request, as a service sees it.

    `zone` picks the database role; `accept` is the caller's Accept header. A service may set a
    `status` that is not the route's usual one and a shorter `statement_timeout_ms` than the
    setting's. `headers` and `cookies` are added to the answer. `cache_tag` is what a cached answer
    shows, `changed_tags` what a write has changed (see edge/cache.py); `told` are Redis commands
    that leave with those tags after the commit, or with an answer that is stored.
    """

    zone: Zone
    now: datetime
    request_id: str
    ip: str
    actor: Actor | None = None
    user_agent: str = ""
    accept: str = ""
    idempotency_key: str | None = None
    statement_timeout_ms: int | None = None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cookies: list[str] = field(default_factory=list)
    cache_tag: str = ""
    changed_tags: list[str] = field(default_factory=list)
    told: list[Sequence[str | int]] = field(default_factory=list)

    @property
    def user(self) -> Actor:
        """The signed-in caller; edge has refused anonymous ones on routes that need a user."""
        if self.actor is None:
            raise LookupError("this route's row in routes.py lets anonymous callers in")
        return self.actor
