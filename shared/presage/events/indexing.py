"""Keeping a delivery: every event of it in one transaction, whatever else it holds."""

import base64
import functools
import hashlib
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import batched, count
from typing import Any

import msgspec
import orjson
from psycopg import errors as pg_errors

from presage import clock, config, metrics
from presage.call import Call
from presage.chain import programme
from presage.db import connection, queries
from presage.db.connection import Statement
from presage.errors import UnavailableError
from presage.events.models import DeliveryIndexed
from presage.events.sums import TradeSums, array
from presage.events.transactions import (
    UNKNOWN,
    MalformedTransactionError,
    Row,
    Transaction,
    open_transaction,
    read_transaction,
    watched,
)

# Bytes that could not be read are tried again by this workflow, and then wait for an admin.
RECONCILIATION = "event_reconciliation"
_NULL = "\\N"
TRANSACTIONS_PER_BLOCK = 16
# How often other deliveries of the same transactions may come first: each time one has been kept.
RIVALS = 50
KEY = "chain_events_are_kept_once"
MALFORMED = "malformed:"
_queries = queries.beside(__file__)
_texts = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True)
class _Key:
    signature: str
    ordinal: int


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
    """Transactions that are kept together: those that are read, and the texts of others."""

    transactions: list[Transaction] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)
    texts: deque[msgspec.Raw] = field(default_factory=deque)
    fresh: list[Row] = field(default_factory=list)  # what was new, once it is kept
    sums: TradeSums = field(default_factory=TradeSums)  # of the trades among it

    @property
    def rows(self) -> list[Row]:
        """Every event that is read."""
        return [row for one in self.transactions for row in one.rows]

    @property
    def incomplete(self) -> list[Transaction]:
        """The transactions that must be fetched again."""
        return [one for one in self.transactions if not one.is_complete]

    def read(self) -> Iterator[Transaction]:
        """Every transaction; a text is read when it is asked for, or put apart."""
        yield from tuple(self.transactions)
        ours = watched()
        while self.texts:
            text = self.texts.popleft()
            try:
                transaction = read_transaction(open_transaction(text), ours)
            except MalformedTransactionError as error:
                self.malformed.append(Malformed(bytes(text), str(error)))
            else:
                self.transactions.append(transaction)
                yield transaction

    def put_in_order(self) -> None:
        """Read what is left, and have all as every delivery would have them."""
        deque(self.read(), maxlen=0)
        self.transactions.sort(key=lambda one: (one.slot, one.signature))


def receive_helius(call: Call, body: bytes) -> DeliveryIndexed:
    """Index a webhook's delivery: a JSON array of raw transactions.

    What of it cannot be read becomes a dead letter with its bytes, and the rest is kept. Delivered
    again, it changes nothing.
    """
    batch = open_delivery(body)
    indexed = index(call, batch)
    rows = batch.rows
    if batch.fresh:
        lag_ms = clock.to_ms(call.now) - 1000 * min(row.block_time_s for row in batch.fresh)
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


def open_delivery(body: bytes) -> Batch:
    """A delivery's transactions, to be read; never raises."""
    try:
        return Batch(texts=deque(_texts.decode(body)))
    except msgspec.ValidationError:
        return Batch(malformed=[Malformed(body, "The delivery is not an array.")])
    except (ValueError, RecursionError):
        return Batch(malformed=[Malformed(body, "The delivery is not JSON.")])


def read_delivery(body: bytes) -> Batch:
    """A delivery's transactions, those that cannot be read apart; never raises."""
    batch = open_delivery(body)
    deque(batch.read(), maxlen=0)
    return batch


def index(call: Call, batch: Batch, *beside: Statement[Any]) -> int:
    """Keep and project a batch, in one transaction with other statements.

    How many events are new. Texts are read while what came before them is stored.
    """
    now = call.now.isoformat()
    tries = count()

    def blocks(known: list[_Key]) -> Iterator[str]:
        if next(tries):
            # Another delivery was in the way. Two in one order cannot wait for each other.
            batch.put_in_order()
        batch.fresh.clear()
        batch.sums.clear()
        here = {(one.signature, one.ordinal) for one in known}
        for chunk in batched(batch.read(), TRANSACTIONS_PER_BLOCK, strict=False):
            new = {row.key: row for one in chunk for row in one.rows if row.key not in here}
            here.update(new)
            batch.fresh.extend(new.values())
            batch.sums.add(new.values())
            if new:
                yield "".join([_line(row, now) for row in new.values()])

    def last() -> list[Statement[Any]]:
        statements = [*beside]
        if batch.malformed:
            statements.append(_dead_letters(call, batch.malformed))
        if batch.incomplete:
            statements.append(_to_fetch_again(call, batch.incomplete))
        if batch.fresh:
            statements.append((_queries["index_events"], _Changed, _kept(call, batch)))
        return statements

    results = _store(call, batch, blocks, last)
    _count(batch)
    if batch.fresh and (changed := results[-1][0].changed):
        call.changed_tags += ["markets", *(f"market:{market}" for market in changed)]
    return len(batch.fresh)


def _store(
    call: Call,
    batch: Batch,
    blocks: Callable[[list[_Key]], Iterable[str]],
    last: Callable[[], list[Statement[Any]]],
) -> list[list[Any]]:
    """What is new of a batch, by COPY; the rows of `last`.

    Nearly always all of it is new, and is kept without a look at what is here. Where it is not, or
    another delivery was first, the key refuses it.
    """
    look: Statement[_Key] | None = None
    for _ in range(RIVALS):
        try:
            return connection.load(call, look, _queries["copy_events"], blocks, last)
        except pg_errors.UniqueViolation as error:
            if error.diag.constraint_name != KEY:
                raise
            batch.put_in_order()
            names = {"signatures": array(one.signature for one in batch.transactions)}
            look = (_queries["list_kept"], _Key, names)
    raise UnavailableError("Other deliveries keep the same events.")


def _count(batch: Batch) -> None:
    if batch.malformed:
        metrics.count("MalformedTransactions", len(batch.malformed))
    if batch.incomplete:
        metrics.count("IncompleteTransactions", len(batch.incomplete))
    if unknown := sum(row.event_type == UNKNOWN for row in batch.rows):
        metrics.count("UnknownEvents", unknown)


def _kept(call: Call, batch: Batch) -> dict[str, object]:
    """What was kept: the trades' sums, the others' keys, and the markets that all are of."""
    programme_id = config.get("ZMART_PROGRAM_ID")
    others = [row for row in batch.fresh if row.trade is None]
    names = {row.market for row in batch.fresh}
    known = [_address_of(programme_id, market) for market in names if market is not None]
    return {
        "others": array(row.signature for row in others),
        "other_ordinals": array(row.ordinal for row in others),
        **batch.sums.fields(),
        "times": array({_moment(row.block_time_s) for row in batch.fresh}),
        "markets": array(market for market, _, _ in known),
        "market_ids": array(market_id for _, market_id, _ in known),
        "addresses": array(address for _, _, address in known),
        "request_id": call.request_id,
        "now": call.now,
    }


def _line(row: Row, now: str) -> str:
    """An event as a line of COPY's text format."""
    data = row.data
    if "\\" in data:
        data = data.replace("\\", "\\\\")
    return (
        f"{row.signature}\t{row.ordinal}\t{row.slot}\t{row.tx_index}\t{_moment(row.block_time_s)}"
        f"\t{row.event_type}\t{row.market or _NULL}\t{row.wallet or _NULL}\t{data}\t{now}\n"
    )


@functools.lru_cache(maxsize=10_000)
def _moment(unix_s: int) -> str:
    return clock.from_ms(1000 * unix_s).isoformat()


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
