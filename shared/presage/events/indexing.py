"""Keeping a delivery: every event of it in one transaction, whatever else it holds."""

import base64
import functools
import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from presage import clock, config, metrics
from presage.call import Call
from presage.chain import programme
from presage.db import connection, queries
from presage.db.connection import Statement
from presage.events.models import DeliveryIndexed
from presage.events.transactions import (
    UNKNOWN,
    MalformedTransactionError,
    Row,
    Transaction,
    read_transaction,
    watched,
)

# Bytes that could not be read are tried again by this workflow, and then wait for an admin.
RECONCILIATION = "event_reconciliation"
_NULL = "\\N"
MALFORMED = "malformed:"
_queries = queries.beside(__file__)


@dataclass(frozen=True)
class _Place:
    place: int


@dataclass(frozen=True)
class _Changed:
    changed: list[uuid.UUID]


@dataclass(frozen=True)
class Malformed:
    """What could not be read, as JSON text or as it came, and why."""

    body: bytes
    error: str

    @property
    def item(self) -> str:
        """The dead letter's name: the same bytes are one."""
        return MALFORMED + hashlib.sha256(self.body).hexdigest()[:32]

    @property
    def payload(self) -> dict[str, str]:
        """The bytes as JSON can hold them."""
        return {"base64": base64.b64encode(self.body).decode()}


@dataclass
class Batch:
    """Transactions that were read together."""

    transactions: list[Transaction] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)

    @property
    def rows(self) -> list[Row]:
        """Every event of the batch."""
        return [row for one in self.transactions for row in one.rows]

    @property
    def incomplete(self) -> list[Transaction]:
        """The transactions that must be fetched again."""
        return [one for one in self.transactions if not one.is_complete]


def receive_helius(call: Call, body: bytes) -> DeliveryIndexed:
    """Index a webhook's delivery: a JSON array of raw transactions.

    What of it cannot be read becomes a dead letter with its bytes, and the rest is kept. Delivered
    again, it changes nothing.
    """
    batch = read_delivery(body)
    indexed = index(call, batch)
    rows = batch.rows
    if rows:
        lag_ms = clock.to_ms(call.now) - 1000 * min(row.block_time_s for row in rows)
        metrics.duration_ms("IndexLag", max(0, lag_ms))
    return DeliveryIndexed(
        transactions=len(batch.transactions) + len(batch.malformed),
        events=len(rows),
        indexed=indexed,
        failed=sum(one.has_failed for one in batch.transactions),
        incomplete=len(batch.incomplete),
        malformed=len(batch.malformed),
        unknown=sum(row.event_type == UNKNOWN for row in rows),
    )


def read_delivery(body: bytes) -> Batch:
    """A delivery's transactions, those that cannot be read apart; never raises."""
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Batch(malformed=[Malformed(body, "The delivery is not JSON.")])
    if not isinstance(raw, list):
        return Batch(malformed=[Malformed(body, "The delivery is not an array.")])
    batch, ours = Batch(), watched()
    for one in raw:
        try:
            batch.transactions.append(read_transaction(one, ours))
        except MalformedTransactionError as error:
            batch.malformed.append(Malformed(orjson.dumps(one), str(error)))
    return batch


def index(call: Call, batch: Batch, *beside: Statement[Any]) -> int:
    """Keep and project what was read, in one transaction with others; how many events are new."""
    rows = _once(batch.rows)
    statements = [*beside]
    if batch.malformed:
        metrics.count("MalformedTransactions", len(batch.malformed))
        statements.append(_dead_letters(call, batch.malformed))
    if batch.incomplete:
        metrics.count("IncompleteTransactions", len(batch.incomplete))
        statements.append(_to_fetch_again(call, batch.incomplete))
    if unknown := sum(row.event_type == UNKNOWN for row in rows):
        metrics.count("UnknownEvents", unknown)
    if rows:
        return _keep(call, rows, statements)
    if statements:
        connection.run(call, statements)
    return 0


def _once(rows: Iterable[Row]) -> list[Row]:
    """Each event once: a delivery may hold a transaction twice."""
    return list({row[:2]: row for row in rows}.values())


def _keep(call: Call, rows: list[Row], beside: list[Statement[Any]]) -> int:
    signatures, ordinals = ([row[at] for row in rows] for at in (0, 1))
    known = [
        _address_of(config.get("ZMART_PROGRAM_ID"), market)
        for market in {row.market for row in rows}
        if market is not None
    ]
    markets = _array(market for market, _, _ in known)
    named = {
        "signatures": _array(signatures),
        "ordinals": _array(ordinals),
        "markets": markets,
        "market_ids": _array(market_id for _, market_id, _ in known),
        "addresses": _array(address for _, _, address in known),
    }
    project: dict[str, object] = {
        "markets": markets,
        "request_id": call.request_id,
        "now": call.now,
    }
    fresh: list[Row] = []

    def lines(places: list[_Place]) -> str:
        nonlocal fresh
        here = {one.place for one in places}
        fresh = [row for place, row in enumerate(rows) if place not in here]
        project["signatures"] = _array(row.signature for row in fresh)
        project["ordinals"] = _array(row.ordinal for row in fresh)
        now = call.now.isoformat()
        return "".join([_line(row, now) for row in fresh])

    *_, [done] = connection.load(
        call,
        (_queries["begin_indexing"], _Place, named),
        _queries["copy_events"],
        lines,
        [*beside, (_queries["index_events"], _Changed, project)],
    )
    if done.changed:
        call.changed_tags += ["markets", *(f"market:{market}" for market in done.changed)]
    return len(fresh)


def _line(row: Row, now: str) -> str:
    """An event as a line of COPY's text format."""
    signature, ordinal, slot, tx_index, time_s, event_type, market, wallet, data = row
    if "\\" in data:
        data = data.replace("\\", "\\\\")
    return (
        f"{signature}\t{ordinal}\t{slot}\t{tx_index}\t{_moment(time_s)}\t{event_type}"
        f"\t{market or _NULL}\t{wallet or _NULL}\t{data}\t{now}\n"
    )


@functools.lru_cache(maxsize=10_000)
def _moment(unix_s: int) -> str:
    return clock.from_ms(1000 * unix_s).isoformat()


def _array(parts: Iterable[object]) -> str:
    """An array in Postgres' own notation: psycopg is slow at adapting long lists."""
    return "{" + ",".join(map(str, parts)) + "}"


@functools.lru_cache(maxsize=10_000)
def _address_of(_programme: str, market: str) -> tuple[str, uuid.UUID, str]:
    """A market's id on chain, its id here and its account; derived once, which takes 15 us."""
    market_id = bytes.fromhex(market)
    address = str(programme.market_address(market_id))
    return market, programme.platform_market_id(market_id), address


def _dead_letters(call: Call, malformed: Iterable[Malformed]) -> Statement[Any]:
    letters = {
        one.item: {"item": one.item, "error": one.error, "payload": one.payload}
        for one in malformed
    }
    params = {
        "workflow": RECONCILIATION,
        "letters": orjson.dumps(list(letters.values())).decode(),
        "now": call.now,
    }
    return (_queries["keep_malformed"], None, params)


def _to_fetch_again(call: Call, incomplete: Iterable[Transaction]) -> Statement[Any]:
    missing = {one.signature: one.slot for one in incomplete}
    params = {"signatures": [*missing], "slots": [*missing.values()], "now": call.now}
    return (_queries["keep_incomplete"], None, params)
