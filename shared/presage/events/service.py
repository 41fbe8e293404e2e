"""Events for everybody to read, newest first: by market, type, time, wallet or signature."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from presage import clock
from presage.call import Call
from presage.db import connection
from presage.db.connection import Statement
from presage.db.queries import beside
from presage.errors import ValidationFailedError
from presage.events.models import (
    EventPage,
    EventView,
    ListEvents,
    ListEventsByDate,
    ListEventsByType,
    ListMarketEvents,
    SearchEvents,
)
from presage.paging import decode, encode
from presage.schema import CursorRequest, Paged, Pagination

MAX_UNIX_S = 4_102_444_800  # the last that is indexed
# Counting further would cost more than the page.
MOST_COUNTED = 10_000
# A prefix that more wallets begin with is too short to mean one.
WALLETS_PER_SEARCH = 20
UUID_DIGITS, MARKET_DIGITS = 32, 64
_queries = beside(__file__)


@dataclass(frozen=True)
class _Count:
    count: int


def list_events(call: Call, request: ListEvents) -> Paged[EventPage]:
    """Events, by type, market and time."""
    return _page(
        call,
        request,
        market=request.market,
        event_type=request.event_type,
        occurred=(request.occurred_from, request.occurred_to),
    )


def list_market_events(call: Call, request: ListMarketEvents) -> Paged[EventPage]:
    """A market's events; one that is not on chain has none."""
    return _page(call, request, market=request.market_id)


def list_events_by_type(call: Call, request: ListEventsByType) -> Paged[EventPage]:
    """Events of one type."""
    return _page(call, request, event_type=request.type)


def list_events_by_date(call: Call, request: ListEventsByDate) -> Paged[EventPage]:
    """Events between two moments."""
    return _page(call, request, occurred=(request.occurred_from, request.occurred_to))


def search_events(call: Call, request: SearchEvents) -> Paged[EventPage]:
    """Events of a market by its id, or by the first characters of a wallet or signature."""
    if _market_of(request.q) != (None, None):
        return _page(call, request, market=request.q)
    params = {"q": request.q, "wallets": WALLETS_PER_SEARCH}
    return _answer(call, request, ("search_events", "count_found_events"), params)


@dataclass(frozen=True)
class Discrepancy:
    """Where what was indexed differed from an account, whose word was taken."""

    subject: str
    field: str
    ours: str | None
    theirs: str | None
    slot: int
    created_at: datetime


def discrepancies_statement(call: Call, limit: int) -> Statement[Discrepancy]:
    """The discrepancies of the last 30 days, newest first."""
    return (_queries["list_chain_discrepancies"], Discrepancy, {"now": call.now, "limit": limit})


def _page(
    call: Call,
    request: CursorRequest,
    *,
    market: str | None = None,
    event_type: str | None = None,
    occurred: tuple[object, object] = (None, None),
) -> Paged[EventPage]:
    market_id, chain_market = _market_of(market or "")
    known = market is None or (market_id, chain_market) != (None, None)
    params = {
        "market_id": market_id,
        # An id of no length that a market's has names none.
        "chain_market": chain_market if known else "",
        "event_type": event_type,
        "from": occurred[0],
        "to": occurred[1],
    }
    return _answer(call, request, ("list_events", "count_events"), params)


def _answer(
    call: Call, request: CursorRequest, names: tuple[str, str], params: dict[str, object]
) -> Paged[EventPage]:
    mark = decode(request.cursor, int, int, int, int, str)
    before: list[int | str | None] = [*mark] if mark else [None] * 5
    place = {
        "before_time": _moment_of(mark[0]) if mark else None,
        "before_slot": before[1],
        "before_index": before[2],
        "before_ordinal": before[3],
        "before_signature": before[4],
        "limit": request.limit + 1,
    }
    rows, [counted] = connection.run(
        call,
        [
            (_queries[names[0]], EventView, params | place),
            (_queries[names[1]], _Count, params | {"most": MOST_COUNTED}),
        ],
    )
    has_more = len(rows) > request.limit
    shown = rows[: request.limit]
    cursor = encode(_mark(shown[-1])) if has_more else None
    total = counted.count
    return Paged(
        EventPage(events=shown, total_count=total, has_more=has_more),
        Pagination(limit=request.limit, total=total, next_cursor=cursor),
    )


def _mark(event: EventView) -> list[int | str]:
    place = (event.slot, event.tx_index, event.ordinal, event.signature)
    return [clock.to_ms(event.block_time) // 1000, *place]


def _moment_of(unix_s: int | str) -> datetime:
    """A mark's time: blocks have whole seconds, and a signature leaves little room in a cursor."""
    if not isinstance(unix_s, int) or not 0 <= unix_s <= MAX_UNIX_S:
        raise ValidationFailedError("cursor is not one of ours.", field="cursor")
    return clock.from_ms(1000 * unix_s)


def _market_of(text: str) -> tuple[uuid.UUID | None, str | None]:
    """A market's id here, or on chain, by the number of its hex digits."""
    digits = text.replace("-", "").lower()
    if set(digits) - set("0123456789abcdef"):
        return None, None
    if len(digits) == UUID_DIGITS:
        return uuid.UUID(digits), None
    return None, digits if len(digits) == MARKET_DIGITS else None
