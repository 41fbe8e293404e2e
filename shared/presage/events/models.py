"""What event routes take and answer."""

import uuid
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from presage.schema import CursorRequest, Moment, ResponseModel

type EventType = Literal[
    "ConfigObserved",
    "ConfigUpdated",
    "DisputeAggregated",
    "DisputeInitiated",
    "DisputeVoteSubmitted",
    "GlobalConfigInitialized",
    "LiquidityWithdrawn",
    "MarketActivated",
    "MarketCancelled",
    "MarketCreated",
    "MarketFinalized",
    "MarketObserved",
    "MarketResolved",
    "PositionObserved",
    "ProposalAggregated",
    "ProposalApproved",
    "ProposalVoteSubmitted",
    "ProtocolPauseStatusChanged",
    "SharesBought",
    "SharesSold",
    "Unknown",
    "WinningsClaimed",
]


class DeliveryIndexed(ResponseModel):
    """What became of a delivery.

    `events` were read in it and `indexed` of them are new. `failed` transactions hold none;
    `incomplete` ones are fetched again; `malformed` ones are dead letters; `unknown` events are
    kept as they came.
    """

    transactions: int
    events: int
    indexed: int
    failed: int
    incomplete: int
    malformed: int
    unknown: int


class ListEvents(CursorRequest):
    """A page of events, newest first, by type, market and time (of the block)."""

    event_type: EventType | None = None
    market: Annotated[str | None, Field(pattern=r"^[0-9a-fA-F-]{32,64}$")] = None
    occurred_from: Annotated[Moment | None, Field(alias="from")] = None
    occurred_to: Annotated[Moment | None, Field(alias="to")] = None


class ListMarketEvents(CursorRequest):
    """A page of a market's events: by its id here, or its id on chain (64 hex digits)."""

    market_id: Annotated[str, Field(pattern=r"^[0-9a-fA-F-]{32,64}$")]


class SearchEvents(CursorRequest):
    """A page of events by a market's id, or the first characters of a wallet or signature."""

    q: Annotated[str, Field(min_length=4, max_length=90, pattern=r"^[0-9A-Za-z-]+$")]


class ListEventsByType(CursorRequest):
    """A page of events of one type."""

    type: EventType


class ListEventsByDate(CursorRequest):
    """A page of the events between two moments (of their blocks), the second one excluded."""

    occurred_from: Annotated[Moment, Field(alias="from")]
    occurred_to: Annotated[Moment, Field(alias="to")]


class EventView(ResponseModel):
    """One event.

    `data` is JSON text: the fields by their names in the programme, keys in base58, amounts in
    units of 1/1,000,000,000. `market` is the id on chain in hex. `MarketObserved`,
    `PositionObserved` and `ConfigObserved` are what an account held when its events did not tell
    it; their signature is no transaction's.
    """

    signature: str
    ordinal: int
    slot: int
    tx_index: int
    block_time: datetime
    event_type: str
    market: str | None
    market_id: uuid.UUID | None
    wallet: str | None
    data: str


class EventPage(ResponseModel):
    """A page of events.

    `totalCount` counts up to 10,000 and stops there; `hasMore` says whether a next page follows.
    """

    events: list[EventView]
    total_count: int
    has_more: bool
