"""The caller's positions, valued at the book's mid (the last trade, then a half, without one)."""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, Self

from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.errors import NotFoundError
from presage.idempotency import request_hash
from presage.orders.service import average_price_micros
from presage.paging import decode, encode
from presage.portfolio.models import (
    ChangeShares,
    ConvertShares,
    ListPositions,
    Positions,
    PositionTotals,
    PositionView,
    SharesChanged,
)

_queries = beside(__file__)


@dataclass(frozen=True)
class _ChangedRow:
    id: uuid.UUID
    market_id: uuid.UUID
    kind: Literal["split", "merge", "convert", "complete", "redeem"]
    outcome: int | None
    size_lots: int
    amount_micros: int
    created_at: datetime
    replayed: bool


@dataclass(frozen=True)
class _CostRow:
    market_id: uuid.UUID
    outcome: int
    position: Literal["YES", "NO"]
    cost_micros: int
    realised_micros: int


@dataclass(frozen=True)
class _PositionRow:
    market_id: uuid.UUID
    market_slug: str
    question: str
    outcome: int
    position: Literal["YES", "NO"]
    held_lots: int
    locked_lots: int
    cost_micros: int
    realised_micros: int
    updated_at: datetime
    price_bps: int

    def by(self, cost: _CostRow) -> Self:
        """The same position by another method's cost."""
        return replace(self, cost_micros=cost.cost_micros, realised_micros=cost.realised_micros)

    def view(self) -> PositionView:
        value_micros = self.held_lots * self.price_bps
        return PositionView(
            market_id=self.market_id,
            market_slug=self.market_slug,
            question=self.question,
            outcome=self.outcome,
            position=self.position,
            size_lots=self.held_lots,
            locked_lots=self.locked_lots,
            average_price_micros=average_price_micros(self.cost_micros, self.held_lots),
            price_bps=self.price_bps,
            cost_micros=self.cost_micros,
            value_micros=value_micros,
            unrealised_micros=value_micros - self.cost_micros,
            realised_micros=self.realised_micros,
            updated_at=self.updated_at,
        )


@dataclass(frozen=True)
class _TotalsRow:
    cost_micros: int
    value_micros: int
    realised_micros: int


def list_positions(call: Call, request: ListPositions) -> Positions:
    """A page of positions and the totals over all of them, in one flush.

    Raises:
        UnprocessableError: FIFO over more trades than one call can look at; name a market.
    """
    mark = decode(request.cursor, str, int, str)
    params = {
        "market_id": request.market_id,
        "method": request.method,
        "after_market": mark[0] if mark else None,
        "after_outcome": mark[1] if mark else None,
        "after_position": mark[2] if mark else None,
        "limit": request.limit,
    }
    rows, totals, costs = connection.run(
        call,
        [
            (_queries["list_positions"], _PositionRow, params),
            (_queries["total_positions"], _TotalsRow, params),
            (_queries["list_fifo_costs"], _CostRow, params),
        ],
    )
    last: _PositionRow | None = rows[-1] if len(rows) == request.limit else None
    total: _TotalsRow = totals[0]
    if request.method == "fifo":
        by_key = {(one.market_id, one.outcome, one.position): one for one in costs}
        rows = [row.by(by_key[row.market_id, row.outcome, row.position]) for row in rows]
        total = replace(
            total,
            cost_micros=sum(one.cost_micros for one in costs),
            realised_micros=sum(one.realised_micros for one in costs),
        )
    return Positions(
        positions=[row.view() for row in rows],
        totals=PositionTotals(
            cost_micros=total.cost_micros,
            value_micros=total.value_micros,
            unrealised_micros=total.value_micros - total.cost_micros,
            realised_micros=total.realised_micros,
        ),
        next_cursor=encode([str(last.market_id), last.outcome, last.position]) if last else None,
    )


def split_position(call: Call, request: ChangeShares) -> SharesChanged:
    """Pay 1.00 a share for a YES and a NO of an outcome, or for a YES of every outcome."""
    return _change(call, request, "split", "complete")


def merge_position(call: Call, request: ChangeShares) -> SharesChanged:
    """Give a YES and a NO of an outcome, or a YES of every outcome, back for 1.00 a share."""
    return _change(call, request, "merge", "redeem")


def convert_position(call: Call, request: ConvertShares) -> SharesChanged:
    """Give NO shares of one outcome for as many YES of every other."""
    return _change(call, request, "convert", "convert")


def _change(call: Call, request: ChangeShares, kind: str, kind_of_all: str) -> SharesChanged:
    """Change shares once for each idempotency key.

    Raises:
        NotFoundError: there is no such market.
        InsufficientFundsError: the available money or shares do not cover it.
        InvalidStateError: the market does not trade.
        UnprocessableError: the market is not exhaustive, or has one outcome.
        IdempotencyConflictError: the key was used for something else.
    """
    fields = request.model_dump()
    row = connection.fetch_one(
        call,
        _queries["change_shares"],
        _ChangedRow,
        fields
        | {
            "kind": kind,
            "kind_of_all": kind_of_all,
            "key": call.idempotency_key,
            "request_hash": request_hash(fields | {"kind": kind}),
            "operation_id": uuid.uuid4(),
            "request_id": call.request_id,
            "ip": call.ip,
            "now": call.now,
        },
    )
    if row is None:
        raise NotFoundError("There is no such market.", field="marketId")
    if row.replayed:
        call.headers["Idempotent-Replayed"] = "true"
    return SharesChanged(**{name: getattr(row, name) for name in SharesChanged.model_fields})
