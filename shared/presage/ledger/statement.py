"""The caller's side of the ledger, as JSON or as a CSV file for a spreadsheet."""

import csv
import io
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from urllib.parse import urlencode

from presage import config
from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.ledger.models import ListLedger
from presage.ledger.views import LedgerEntry
from presage.money import MICROS, show
from presage.paging import decode, encode
from presage.schema import Document, Page, Pagination, prefers

CSV = "text/csv"
COLUMNS = (
    *("id", "createdAt", "kind", "amount", "currency"),
    *("balance", "reference", "marketId"),
)
# What makes a spreadsheet take a cell for a formula (OWASP, CSV injection).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
_queries = beside(__file__)


@dataclass(frozen=True)
class _EntryRow:
    id: int
    kind: str
    amount_micros: int
    reference: str
    market_id: uuid.UUID | None
    created_at: datetime
    cash_micros: int

    def view(self, balance_micros: int | None) -> LedgerEntry:
        """The entry with what the cash then was."""
        return LedgerEntry(
            id=self.id,
            kind=self.kind,
            amount_micros=self.amount_micros,
            balance_micros=balance_micros,
            reference=self.reference,
            market_id=self.market_id,
            created_at=self.created_at,
        )


@dataclass(frozen=True)
class _Listed:
    """A page of entries, and the mark behind it."""

    entries: list[LedgerEntry]
    next_cursor: str | None

    @classmethod
    def of(cls, rows: list[_EntryRow], request: ListLedger, balance_micros: int | None) -> Self:
        """`balance_micros` is the cash after the first row; each row is newer than the next."""
        entries: list[LedgerEntry] = []
        for row in rows:
            entries.append(row.view(balance_micros))
            if balance_micros is not None:
                balance_micros -= row.amount_micros
        if len(rows) < request.limit:
            return cls(entries, None)
        return cls(entries, encode([rows[-1].id, balance_micros or 0]))


def list_ledger(call: Call, request: ListLedger) -> Page[LedgerEntry] | Document:
    """The caller's transfers, newest first; as a CSV document when the caller prefers one.

    The balance runs with the pages: a cursor carries it. Transfers of one account are numbered
    under its lock, so that their order is that of the balances.
    """
    mark = decode(request.cursor, int, int)
    params = request.model_dump(exclude={"cursor"}) | {"before": mark[0] if mark else None}
    rows = connection.fetch_all(call, _queries["list_ledger"], _EntryRow, params)
    balance: int | None = None
    if rows and not (request.kind or request.made_from or request.made_to):
        balance = int(mark[1]) if mark else rows[0].cash_micros
    listed = _Listed.of(rows, request, balance)
    call.headers["Vary"] = "Accept"
    if prefers(call.accept, CSV):
        return Document(_csv(listed.entries), _links(request, listed.next_cursor))
    return Page(listed.entries, Pagination(limit=request.limit, next_cursor=listed.next_cursor))


def _links(request: ListLedger, next_cursor: str | None) -> dict[str, str]:
    """Where the next page is: relative to this one, whatever prefix it was asked under."""
    if next_cursor is None:
        return {}
    asked = {
        "limit": request.limit,
        "kind": request.kind,
        "from": request.made_from.isoformat() if request.made_from else None,
        "to": request.made_to.isoformat() if request.made_to else None,
        "cursor": next_cursor,
    }
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    return {"X-Next-Cursor": next_cursor, "Link": f'<?{query}>; rel="next"'}


def _csv(entries: list[LedgerEntry]) -> str:
    """Entries by RFC 4180, under a header line."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    currency = config.get("COLLATERAL_CURRENCY")
    for one in entries:
        writer.writerow(
            (
                one.id,
                one.created_at.isoformat(),
                _inert(one.kind),
                show(one.amount_micros, MICROS),
                currency,
                "" if one.balance_micros is None else show(one.balance_micros, MICROS),
                _inert(one.reference),
                one.market_id or "",
            )
        )
    return text.getvalue()


def _inert(cell: str) -> str:
    """Text that no spreadsheet computes."""
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell
