"""What admins see and change of users, and the log of everybody's deeds."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from presage.adapters import redis
from presage.call import Call, Role
from presage.db import connection
from presage.db.queries import beside
from presage.errors import NotFoundError
from presage.identity import sessions
from presage.identity.admin_models import (
    AuditEntry,
    ListAuditLog,
    ListUsers,
    UpdateUser,
    UserDetail,
    UserPath,
    UserSummary,
    UserUpdated,
)
from presage.paging import decode, encode, moment_of, uuid_of
from presage.schema import Page, Pagination

_queries = beside(__file__)


@dataclass(frozen=True)
class _UpdatedRow:
    id: uuid.UUID
    address: str
    display_name: str | None
    role: Role
    closed_only: bool
    created_at: datetime
    cancelled_orders: int
    more_orders: bool
    hashes: list[bytes]


def list_users(call: Call, request: ListUsers) -> Page[UserSummary]:
    """Users, newest first."""
    mark = decode(request.cursor, str, str)
    params = request.model_dump(exclude={"cursor"}) | {
        "before": moment_of(mark[0]) if mark else None,
        "before_id": uuid_of(mark[1]) if mark else None,
    }
    rows = connection.fetch_all(call, _queries["list_users"], UserSummary, params)
    full = len(rows) == request.limit
    next_cursor = encode([rows[-1].created_at.isoformat(), str(rows[-1].id)]) if full else None
    return Page(rows, Pagination(limit=request.limit, next_cursor=next_cursor))


def get_user(call: Call, request: UserPath) -> UserDetail:
    """One user.

    Raises:
        NotFoundError: there is none.
    """
    params = {"user_id": request.user_id, "now": call.now}
    user = connection.fetch_one(call, _queries["get_user"], UserDetail, params)
    if user is None:
        raise NotFoundError("There is no such user.", field="userId")
    return user


def update_user(call: Call, request: UpdateUser) -> UserUpdated:
    """Change a user's rights, at once: what Redis holds of them is dropped after the commit.

    Raises:
        NotFoundError: there is no such user.
        ForbiddenError: one's own account, or a super_admin's business.
        ConflictError: it would leave nobody super_admin.
    """
    params = request.model_dump() | {
        "request_id": call.request_id,
        "ip": call.ip,
        "now": call.now,
    }
    row = connection.fetch_one(call, _queries["update_user"], _UpdatedRow, params)
    if row is None:
        raise LookupError("update_user answers a row or raises")
    if row.hashes:
        redis.flush([("DEL", *(sessions.redis_key(one) for one in row.hashes))])
    return UserUpdated(**{name: getattr(row, name) for name in UserUpdated.model_fields})


def list_audit_log(call: Call, request: ListAuditLog) -> Page[AuditEntry]:
    """What was done by whom, newest first."""
    mark = decode(request.cursor, int)
    params = request.model_dump(exclude={"cursor"}) | {"before_id": mark[0] if mark else None}
    rows = connection.fetch_all(call, _queries["list_audit_log"], AuditEntry, params)
    next_cursor = encode([rows[-1].id]) if len(rows) == request.limit else None
    return Page(rows, Pagination(limit=request.limit, next_cursor=next_cursor))
