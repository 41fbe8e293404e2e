"""The bases of request and response models: camelCase on the wire, snake_case in the code."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

MAX_PAGE = 100
# Every moment a caller may name: wide enough for any market, and what every clock can say.
FIRST_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)
LAST_MOMENT = datetime(2200, 1, 1, tzinfo=UTC)


def _within_reach(moment: datetime) -> datetime:
    if not FIRST_MOMENT <= moment < LAST_MOMENT:
        raise ValueError("must lie between the years 2000 and 2200")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_within_reach)]
OutcomeRef = Annotated[
    str, Field(min_length=1, max_length=200, description="YES, NO, a label or a number")
]
DEFAULT_PAGE = 20


class RequestModel(BaseModel):
    """What a caller may send: both spellings are taken, a field that does not exist is refused."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        defer_build=True,  # a Lambda builds the two models it serves, not its module's twenty
    )


class ResponseModel(BaseModel):
    """What we answer: camelCase; built from typed rows, so not validated again field by field."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",  # which the schema then says too: nothing undocumented is answered
        frozen=True,
        defer_build=True,
    )


class Nothing(RequestModel):
    """A request without fields."""


class CursorRequest(RequestModel):
    """A request for one page of a list: `cursor` is opaque, from `pagination.nextCursor`."""

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE
    cursor: Annotated[str | None, Field(max_length=200)] = None


class PageRequest(CursorRequest):
    """As `CursorRequest`, of a list whose pages may be asked for by number too; a cursor wins."""

    page: Annotated[int, Field(ge=1, le=10_000)] = 1


class Pagination(ResponseModel):
    """Where a page stands: `page` where it was asked for by number, totals where counting is cheap.

    `nextCursor` is null on the last page.
    """

    page: int | None = None
    limit: int
    total: int | None = None
    total_pages: int | None = None
    next_cursor: str | None = None


@dataclass(frozen=True)
class Document:
    """An answer without envelope, of its route's `document` type; `headers` join the usual ones."""

    body: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Page[ModelT: ResponseModel]:
    """One page of a list."""

    data: list[ModelT]
    pagination: Pagination


@dataclass(frozen=True)
class Paged[ModelT: ResponseModel]:
    """A page of a list that is one object, with more to say than its rows."""

    data: ModelT
    pagination: Pagination


def prefers(accept: str, content_type: str) -> bool:
    """Whether an Accept header names a type, with no less weight than JSON (RFC 9110, 12.5.1)."""
    weights: dict[str, Decimal] = {}
    for part in accept.split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((one[2:] for one in parameters if one.startswith("q=")), "1")
        try:
            weights[kind] = Decimal(weight)
        except InvalidOperation:
            weights[kind] = Decimal(0)
    wanted = weights.get(content_type, Decimal(0))
    return wanted > 0 and wanted >= weights.get("application/json", Decimal(0))
