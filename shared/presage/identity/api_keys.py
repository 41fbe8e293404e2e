"""The caller's API keys: shown once when they are made, listed by their prefix, ended for good."""

import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime

from presage.adapters import redis
from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.errors import ValidationFailedError
from presage.identity import sessions
from presage.identity.key_models import (
    ApiKey,
    ApiKeyCreated,
    ApiKeyRevoked,
    CreateApiKey,
    KeyPath,
    ListApiKeys,
)
from presage.paging import decode, encode, moment_of, uuid_of
from presage.schema import Page, Pagination

# Six of 43 characters: enough to tell one's keys apart, and 222 bits stay secret.
PREFIX_CHARS = len("psg_") + 6
_queries = beside(__file__)


@dataclass(frozen=True)
class _RevokedRow:
    id: uuid.UUID
    revoked_at: datetime
    key_hash: bytes


def list_api_keys(call: Call, request: ListApiKeys) -> Page[ApiKey]:
    """The caller's keys that were not revoked, newest first."""
    mark = decode(request.cursor, str, str)
    params = {
        "limit": request.limit,
        "before": moment_of(mark[0]) if mark else None,
        "before_id": uuid_of(mark[1]) if mark else None,
    }
    rows = connection.fetch_all(call, _queries["list_api_keys"], ApiKey, params)
    full = len(rows) == request.limit
    next_cursor = encode([rows[-1].created_at.isoformat(), str(rows[-1].id)]) if full else None
    return Page(rows, Pagination(limit=request.limit, next_cursor=next_cursor))


def create_api_key(call: Call, request: CreateApiKey) -> ApiKeyCreated:
    """Make a key of the caller.

    Raises:
        ValidationFailedError: it would have expired already.
        ForbiddenError: a scope above the caller's role.
        ConflictError: the caller holds ten live keys.
    """
    if request.expires_at is not None and request.expires_at <= call.now:
        raise ValidationFailedError("expiresAt must lie in the future.", field="expiresAt")
    key = f"psg_{secrets.token_urlsafe(32)}"
    fields = request.model_dump() | {
        "id": uuid.uuid4(),
        "prefix": key[:PREFIX_CHARS],
        "ip_allow_list": list(dict.fromkeys(request.ip_allow_list)),
    }
    params = fields | {
        "key_hash": sessions.hash_token(key),
        "request_id": call.request_id,
        "ip": call.ip,
        "now": call.now,
    }
    connection.run(call, [(_queries["create_api_key"], None, params)])
    return ApiKeyCreated(key=key, created_at=call.now, **fields)


def revoke_api_key(call: Call, request: KeyPath) -> ApiKeyRevoked:
    """End a key of the caller, at once where Redis can be told and within a minute where not.

    Raises:
        NotFoundError: the caller has no such key.
    """
    params = {
        "id": request.key_id,
        "request_id": call.request_id,
        "ip": call.ip,
        "now": call.now,
    }
    row = connection.fetch_one(call, _queries["revoke_api_key"], _RevokedRow, params)
    if row is None:
        raise LookupError("revoke_api_key answers a row or raises")
    redis.flush([("DEL", sessions.redis_key(row.key_hash))])
    return ApiKeyRevoked(id=row.id, revoked_at=row.revoked_at)
