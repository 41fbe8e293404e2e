"""What routes of dead letters take and answer, and what QStash says of a message it gave up."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from presage.schema import CursorRequest, RequestModel, ResponseModel

type LetterStatus = Literal["pending", "manual_review", "resolved", "discarded"]

MAX_ID = (1 << 63) - 1


class ListDeadLetters(CursorRequest):
    """A page of dead letters, by status and by workflow (`qstash` for whole messages)."""

    status: LetterStatus | None = None
    workflow: Annotated[str | None, Field(min_length=1, max_length=100)] = None


class LetterPath(RequestModel):
    """One dead letter by id."""

    letter_id: Annotated[int, Field(ge=1, le=MAX_ID)]


class DiscardDeadLetter(LetterPath):
    """A dead letter that nobody shall try again, and why; the reason is kept."""

    reason: Annotated[str, Field(min_length=1, max_length=1_000)]


class DeadLetter(ResponseModel):
    """An item that failed in a workflow, or a message that QStash gave up (workflow `qstash`).

    A pending one is tried again at `next_attempt_at`; after three retries it waits for an admin
    (`manual_review`). `payload` is JSON text, which only a message has.
    """

    id: int
    workflow: str
    item: str
    error: str
    failures: int
    retries: int
    status: LetterStatus
    next_attempt_at: datetime | None
    reason: str | None
    payload: str
    created_at: datetime
    updated_at: datetime


class FailedDelivery(RequestModel):
    """QStash's failure callback. Fields of its that we do not read may come and go.

    Protocol: https://upstash.com/docs/qstash/features/callbacks; `created_at` is unix milliseconds,
    `source_body` and `body` (the last answer) are base64.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        defer_build=True,
    )

    source_message_id: Annotated[str, Field(min_length=1, max_length=200)]
    url: Annotated[str, Field(min_length=1, max_length=2_000)]
    status: int
    retried: int = 0
    max_retries: int = 0
    created_at: Annotated[int, Field(ge=0, lt=1 << 52)]
    source_body: Annotated[str, Field(max_length=1_000_000)] = ""
    source_header: Annotated[dict[str, list[str]], Field(default_factory=dict)]
    body: str = ""


class DeliveryKept(ResponseModel):
    """The failed message is a dead letter, under this item."""

    workflow: Literal["qstash"] = "qstash"
    item: str
