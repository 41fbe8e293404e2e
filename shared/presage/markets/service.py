"""Reading markets: lists, details, books, trades, history and figures."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.errors import NotFoundError
from presage.markets import history
from presage.markets.models import (
    GetBook,
    GetMarket,
    GetPriceHistory,
    ListMarkets,
    ListSnapshots,
    ListTrades,
)
from presage.markets.odds import normalise
from presage.markets.views import (
    Bar,
    BookView,
    Clarification,
    EvidenceView,
    Holder,
    Level,
    MarketStats,
    MarketSummary,
    MarketView,
    OutcomeOdds,
    OutcomesView,
    OutcomeView,
    PriceHistory,
    RuleView,
    SnapshotView,
    TradeView,
)
from presage.money import BPS
from presage.paging import decode, encode, moment_of, uuid_of
from presage.schema import Page, Pagination

_queries = beside(__file__)
_MICROS_PER_HALF_BPS = 50
RELATED = 4
# Past this many markets a list says no total; its pages go on.
MAX_TOTAL = 10_000


@dataclass(frozen=True)
class _MarketRow:
    id: uuid.UUID
    slug: str
    question: str
    question_bn: str | None
    description: str | None
    rules: str | None
    category: str | None
    tags: list[str]
    resolution_source: str | None
    image_url: str | None
    venue: str
    state: str
    trading_status: str
    market_type: str
    tick_size_bps: int
    min_size_lots: int
    fee_bps: int
    maker_rebate_bps: int
    opens_at: datetime | None
    closes_at: datetime
    resolution_rule: dict[str, Any] | None
    resolution_evidence: dict[str, Any] | None
    dispute_window_s: int
    proposed_payout_bps: list[int] | None
    final_payout_bps: list[int] | None
    claims_enabled: bool
    claims_available_at: datetime | None
    last_state_change_tx: str | None
    condition_id: str | None
    chain_address: str | None
    chain_market_id: str | None
    settled_at: datetime | None
    creator: str | None
    created_at: datetime
    updated_at: datetime
    volume_micros: int


@dataclass(frozen=True)
class _OutcomeRow:
    outcome: int
    label: str
    label_bn: str | None
    previous_price_bps: int | None
    best_bid_bps: int | None
    best_ask_bps: int | None
    price_bps: int


@dataclass(frozen=True)
class _ListedRow:
    id: uuid.UUID
    slug: str
    question: str
    question_bn: str | None
    category: str | None
    tags: list[str]
    image_url: str | None
    venue: str
    market_type: str
    state: str
    trading_status: str
    price_bps: int
    volume_micros: int
    liquidity_micros: int
    opens_at: datetime | None
    closes_at: datetime
    created_at: datetime
    sort_key: int


@dataclass(frozen=True)
class _Count:
    count: int


@dataclass(frozen=True)
class _Found:
    market_id: uuid.UUID
    outcome: int
    position: Literal["YES", "NO"]


@dataclass(frozen=True)
class _LevelRow:
    side: Literal["bid", "ask"]
    price_bps: int
    size_lots: int
    orders: int


def list_markets(call: Call, request: ListMarkets) -> Page[MarketSummary]:
    """One page of markets; `cursor` follows the sort, `page` counts from 1.

    The total is counted apart from the page, and no further than `MAX_TOTAL`.
    """
    mark = decode(request.cursor, int, str)
    params = request.model_dump(exclude={"cursor", "page"}) | {
        "after_key": mark[0] if mark else None,
        "after_id": uuid_of(mark[1]) if mark else None,
        "offset": 0 if mark else (request.page - 1) * request.limit,
        "count_limit": MAX_TOTAL + 1,
        "now": call.now,
    }
    rows, counts = connection.run(
        call,
        [
            (_queries["list_markets"], _ListedRow, params),
            (_queries["count_markets"], _Count, params),
        ],
    )
    call.cache_tag = "markets"
    counted: _Count = counts[0]
    total = counted.count if counted.count <= MAX_TOTAL else None
    last: _ListedRow | None = rows[-1] if len(rows) == request.limit else None
    return Page(
        [MarketSummary.model_validate(row, from_attributes=True) for row in rows],
        Pagination(
            page=None if mark else request.page,
            limit=request.limit,
            total=total,
            total_pages=None if total is None else -(-total // request.limit),
            next_cursor=encode([last.sort_key, str(last.id)]) if last else None,
        ),
    )


def get_market(call: Call, request: GetMarket) -> MarketView:
    """One market in full, in one flush."""
    params = {"market": request.market_id, "now": call.now}
    markets, outcomes, bars, holders, clarifications = connection.run(
        call,
        [
            (_queries["get_market"], _MarketRow, params),
            (_queries["get_market_outcomes"], _OutcomeRow, params),
            (_queries["get_market_recent_bars"], Bar, params),
            (_queries["get_market_holders"], Holder, params),
            (_queries["get_market_clarifications"], Clarification, params),
        ],
    )
    if not markets:
        raise NotFoundError("There is no such market.", field="marketId")
    row: _MarketRow = markets[0]
    call.cache_tag = f"market:{row.id}"
    fields = vars(row) | {
        "proposed_outcome": _outcome_name(row, row.proposed_payout_bps, outcomes),
        "final_outcome": _outcome_name(row, row.final_payout_bps, outcomes),
        "resolution_rule": RuleView(**row.resolution_rule) if row.resolution_rule else None,
        "resolution_evidence": (
            EvidenceView(**row.resolution_evidence) if row.resolution_evidence else None
        ),
        "outcomes": [view for outcome in outcomes for view in _sides(row, outcome)],
        "recent_bars": bars[::-1],
        "top_holders": holders,
        "clarifications": clarifications,
    }
    return MarketView(**{name: fields[name] for name in MarketView.model_fields})


def get_book(call: Call, request: GetBook) -> BookView:
    """Both sides of a book. The NO side of an outcome is the mirror of its YES side."""
    params = {"market": request.market_id, "outcome": request.outcome, "depth": request.depth}
    founds, levels = connection.run(
        call,
        [
            (_queries["find_outcome"], _Found, params),
            (_queries["get_book"], _LevelRow, params),
        ],
    )
    found: _Found = founds[0]
    mirrored = found.position == "NO"
    bids = _levels(levels, "ask" if mirrored else "bid", mirrored=mirrored)
    asks = _levels(levels, "bid" if mirrored else "ask", mirrored=mirrored)
    bid = bids[0].price_bps if bids else None
    ask = asks[0].price_bps if asks else None
    return BookView(
        market_id=found.market_id,
        outcome=found.outcome,
        position=found.position,
        bids=bids,
        asks=asks,
        spread_bps=ask - bid if bid is not None and ask is not None else None,
        midpoint_micros=(
            (bid + ask) * _MICROS_PER_HALF_BPS if bid is not None and ask is not None else None
        ),
        last_updated=call.now,
    )


def list_market_trades(call: Call, request: ListTrades) -> Page[TradeView]:
    """Public trades, newest first."""
    mark = decode(request.cursor, int)
    params = {
        "market": request.market_id,
        "outcome": request.outcome,
        "before_id": mark[0] if mark else None,
        "limit": request.limit,
    }
    founds, trades = connection.run(
        call,
        [
            (_queries["find_outcome"], _Found, params | {"outcome": request.outcome or "0"}),
            (_queries["list_market_trades"], TradeView, params),
        ],
    )
    if not founds:
        raise NotFoundError("There is no such market.", field="marketId")
    next_cursor = encode([trades[-1].id]) if len(trades) == request.limit else None
    return Page(trades, Pagination(limit=request.limit, next_cursor=next_cursor))


def get_price_history(call: Call, request: GetPriceHistory) -> PriceHistory:
    """Bars of one side, from rollups kept at write time."""
    span = history.span(call.now, request.hours, request.interval)
    params = {
        "market": request.market_id,
        "outcome": request.outcome,
        "interval_s": span.stored_s,
        "since": span.since,
        "now": call.now,
    }
    founds, stored = connection.run(
        call,
        [
            (_queries["find_outcome"], _Found, params),
            (_queries["get_bars"], history.StoredBar, params),
        ],
    )
    found: _Found = founds[0]
    call.cache_tag = f"market:{found.market_id}"
    bars = history.fill(stored, span)
    if found.position == "NO":
        bars = [history.mirror(bar) for bar in bars]
    return PriceHistory(
        market_id=found.market_id,
        outcome=found.outcome,
        position=found.position,
        interval=request.interval,
        bars=[bar.view() for bar in bars],
        truncated=span.truncated,
        price_change_bps=bars[-1].close_bps - bars[0].open_bps if bars else None,
        price_change_percent=history.change_percent(bars),
    )


def list_related_markets(call: Call, request: GetMarket) -> Page[MarketSummary]:
    """Up to four markets that trade: of the same category first, by volume."""
    params = {"market": request.market_id, "now": call.now}
    found, rows = connection.run(
        call,
        [
            (_queries["find_outcome"], _Found, params | {"outcome": "0"}),
            (_queries["list_related_markets"], MarketSummary, params),
        ],
    )
    call.cache_tag = f"market:{found[0].market_id}"
    return Page(rows, Pagination(page=1, limit=RELATED))


def list_market_snapshots(call: Call, request: ListSnapshots) -> Page[SnapshotView]:
    """Raw price points, newest first."""
    mark = decode(request.cursor, str, int)
    params = {
        "market": request.market_id,
        "outcome": request.outcome,
        "before_slot": moment_of(mark[0]) if mark else None,
        "before_outcome": mark[1] if mark else None,
        "limit": request.limit,
    }
    founds, points = connection.run(
        call,
        [
            (_queries["find_outcome"], _Found, params | {"outcome": request.outcome or "0"}),
            (_queries["list_market_snapshots"], SnapshotView, params),
        ],
    )
    call.cache_tag = f"market:{founds[0].market_id}"
    last: SnapshotView | None = points[-1] if len(points) == request.limit else None
    return Page(
        points,
        Pagination(
            limit=request.limit,
            next_cursor=encode([last.slot.isoformat(), last.outcome]) if last else None,
        ),
    )


def list_outcomes(call: Call, request: GetMarket) -> OutcomesView:
    """A market's outcomes; a binary market answers YES and NO of its one book."""
    params = {"market": request.market_id, "now": call.now}
    markets, outcomes = connection.run(
        call,
        [
            (_queries["get_market"], _MarketRow, params),
            (_queries["get_market_outcomes"], _OutcomeRow, params),
        ],
    )
    market: _MarketRow = markets[0]
    call.cache_tag = f"market:{market.id}"
    sides = [side for outcome in outcomes for side in _sides(market, outcome)]
    prices_bps = [side.price_bps for side in sides]
    return OutcomesView(
        market_id=market.id,
        outcomes=[
            OutcomeOdds(
                outcome=side.outcome,
                position=side.position,
                label=side.label,
                label_bn=side.label_bn,
                price_bps=side.price_bps,
                probability_micros=probability,
            )
            for side, probability in zip(sides, normalise(prices_bps), strict=True)
        ],
        price_sum_bps=sum(prices_bps),
    )


def get_market_stats(call: Call, request: GetMarket) -> MarketStats:
    """A market's figures, from counters."""
    params = {"market": request.market_id, "now": call.now}
    stats = connection.fetch_one(call, _queries["get_market_stats"], MarketStats, params)
    if stats is None:
        raise NotFoundError("There is no such market.", field="marketId")
    call.cache_tag = f"market:{stats.market_id}"
    return stats


def _sides(market: _MarketRow, row: _OutcomeRow) -> list[OutcomeView]:
    """An outcome's YES side, and in a binary market its NO side too."""
    yes = OutcomeView(
        outcome=row.outcome,
        position="YES",
        label=row.label,
        label_bn=row.label_bn,
        price_bps=row.price_bps,
        previous_price_bps=row.previous_price_bps,
        best_bid_bps=row.best_bid_bps,
        best_ask_bps=row.best_ask_bps,
    )
    if market.market_type != "binary":
        return [yes]
    no = OutcomeView(
        outcome=row.outcome,
        position="NO",
        label="NO",
        label_bn=None,
        price_bps=BPS - row.price_bps,
        previous_price_bps=_mirror(row.previous_price_bps),
        best_bid_bps=_mirror(row.best_ask_bps),
        best_ask_bps=_mirror(row.best_bid_bps),
    )
    return [yes, no]


def _mirror(price_bps: int | None) -> int | None:
    return None if price_bps is None else BPS - price_bps


def _levels(rows: list[_LevelRow], side: Literal["bid", "ask"], *, mirrored: bool) -> list[Level]:
    return [
        Level(
            price_bps=BPS - row.price_bps if mirrored else row.price_bps,
            size_lots=row.size_lots,
            orders=row.orders,
        )
        for row in rows
        if row.side == side
    ]


def _outcome_name(
    market: _MarketRow, payout_bps: list[int] | None, outcomes: list[_OutcomeRow]
) -> str | None:
    """What a payout vector pays: the winner's label, or VOID when there is none."""
    if payout_bps is None:
        return None
    if BPS not in payout_bps:
        return "VOID"
    winner = payout_bps.index(BPS)
    return ("YES", "NO")[winner] if market.market_type == "binary" else outcomes[winner].label
