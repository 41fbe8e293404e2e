"""What routes of users' rights and of the audit log take and answer."""

import uuid
from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from presage.call import Role
from presage.schema import CursorRequest, Moment, RequestModel, ResponseModel


class ListUsers(CursorRequest):
    """A page of users; `search` is the beginning of an address or a part of a display name."""

    search: Annotated[str | None, Field(min_length=1, max_length=100)] = None
    role: Role | None = None


class UserPath(RequestModel):
    """One user by id."""

    user_id: uuid.UUID


class UpdateUser(UserPath):
    """What to change of a user's rights; what is left out stays. The reason is kept."""

    role: Role | None = None
    closed_only: bool | None = None
    reason: Annotated[str | None, Field(max_length=1_000)] = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.role is None and self.closed_only is None:
            raise ValueError("give a role, closedOnly or both")
        return self


class UserSummary(ResponseModel):
    """A user as admins see them in lists; a closed-only account may sell and cancel."""

    id: uuid.UUID
    address: str
    display_name: str | None
    role: Role
    closed_only: bool
    created_at: datetime


class UserDetail(ResponseModel):
    """A user, with how many sessions and API keys would work now."""

    id: uuid.UUID
    address: str
    display_name: str | None
    role: Role
    closed_only: bool
    created_at: datetime
    open_sessions: int
    live_api_keys: int


class UserUpdated(ResponseModel):
    """A user after the change.

    `cancelled_orders` counts the resting buys that a closed account lost; `more_orders` says that
    some are left, and to ask again.
    """

    id: uuid.UUID
    address: str
    display_name: str | None
    role: Role
    closed_only: bool
    created_at: datetime
    cancelled_orders: int
    more_orders: bool


class ListAuditLog(CursorRequest):
    """A page of the audit log, by who acted, what they did, to what, and when."""

    actor: uuid.UUID | None = None
    action: Annotated[str | None, Field(min_length=1, max_length=100)] = None
    resource: Annotated[str | None, Field(min_length=1, max_length=100)] = None
    resource_id: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    logged_from: Annotated[Moment | None, Field(alias="from")] = None
    logged_to: Annotated[Moment | None, Field(alias="to")] = None


class AuditEntry(ResponseModel):
    """One thing that was done; `actor_id` is null for a workflow or an operator.

    `changes` is JSON text: every action has facts of its own, which no schema could name.
    """

    id: int
    actor_id: uuid.UUID | None
    action: str
    resource: str
    resource_id: str | None
    request_id: str | None
    ip: str | None
    changes: str
    created_at: datetime
