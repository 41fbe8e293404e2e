"""What notification routes take and answer."""

import uuid
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from presage.money import MoneyOut
from presage.schema import CursorRequest, RequestModel, ResponseModel

MAX_IDS = 100

type NotificationType = Literal[
    "order_filled",
    "market_closing_soon",
    "market_resolved",
    "large_trade",
    "comment_reply",
    "position_settled",
    "deposit_verified",
    "withdrawal_completed",
    "alert_triggered",
    "settlement_escalation",
]


class ListNotifications(CursorRequest):
    """Which of the caller's notifications: all, or only what it has not read."""

    unread: bool = False


class NotificationView(ResponseModel):
    """One notification, in English and Bengali."""

    id: int
    type: NotificationType
    title: str
    title_bn: str
    body: str
    body_bn: str
    market_id: uuid.UUID | None
    order_id: uuid.UUID | None
    comment_id: int | None
    amount_micros: Annotated[MoneyOut | None, Field(alias="amount")]
    created_at: datetime
    read_at: datetime | None


class MarkRead(RequestModel):
    """Which notifications are read now: some by id, or all of them."""

    ids: Annotated[list[int], Field(max_length=MAX_IDS)] | None = None
    all: bool = False

    @model_validator(mode="after")
    def _names_some(self) -> Self:
        if self.all == (self.ids is not None):
            raise ValueError("give ids, or all: true")
        return self


class MarkedRead(ResponseModel):
    """How many became read, and how many are still unread."""

    marked: int
    unread: int
