"""Keeping a delivery: every event of it in one transaction, whatever else it holds."""

import base64
import hashlib
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import batched, chain, count, islice
from typing import Any

import msgspec
import orjson
from psycopg import errors as pg_errors

from presage import clock, metrics
from presage.call import Call
from presage.db import connection, queries
from presage.db.connection import Statement
from presage.errors import UnavailableError
from presage.events.kept import Kept, array
from presage.events.models import DeliveryIndexed
from presage.events.transactions import (
    UNKNOWN,
    MalformedTransactionError,
    Transaction,
    open_transaction,
    read_transaction,
    watched,
)

# Bytes that could not be read are tried again by this workflow, and then wait for an admin.
RECONCILIATION = "event_reconciliation"
_NULL = "\\N"
# The server begins with a few, and is then woken less often.
FIRST_BLOCK = 8
TRANSACTIONS_PER_BLOCK = 64
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
class Seen:
    """What one reading of a batch has found so far."""

    malformed: list[Malformed]
    incomplete: list[Transaction] = field(default_factory=list)  # to be fetched again
    transactions: int = 0
    failed: int = 0
    events: int = 0
    unknown: int = 0

    def add(self, one: Transaction) -> None:
        """Count it."""
        self.transactions += 1
        self.events += len(one.rows)
        for row in one.rows:
            if row.event_type == UNKNOWN:
                self.unknown += 1
        if one.has_failed:
            self.failed += 1
        if not one.is_complete:
            self.incomplete.append(one)


@dataclass
class Batch:
    """Transactions that are kept together: those that are read, and the texts of others.

    A text is read when it is its turn, and what was read is let go again: memory that is at hand is
    fast. Whoever needs it once more reads once more.
    """

    transactions: list[Transaction] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)
    texts: list[msgspec.Raw] = field(default_factory=list)
    seen: Seen = field(init=False)  # by the last reading
    kept: Kept = field(init=False)  # what was new, at the last try

    def read(self) -> Iterator[Transaction]:
        """Every transaction; what cannot be read is put apart."""
        seen = self.seen = Seen([*self.malformed])
        for one in self.transactions:
            seen.add(one)
            yield one
        ours = watched()
        for text in self.texts:
            try:
                transaction = read_transaction(open_transaction(text), ours)
            except MalformedTransactionError as error:
                seen.malformed.append(Malformed(bytes(text), str(error)))
            else:
                seen.add(transaction)
                yield transaction

    def hold(self) -> None:
        """Read all texts, and keep what they are read as."""
        self.transactions = list(self.read())
        self.malformed, self.texts = self.seen.malformed, []

    def put_in_order(self) -> None:
        """Hold all as every delivery of them would."""
        self.hold()
        self.transactions.sort(key=lambda one: (one.slot, one.signature))


def receive_helius(call: Call, body: bytes) -> DeliveryIndexed:
    """Index a webhook's delivery: a JSON array of raw transactions.

    What of it cannot be read becomes a dead letter with its bytes, and the rest is kept. Delivered
    again, it changes nothing.
    """
    batch = open_delivery(body)
    indexed = index(call, batch)
    seen = batch.seen
    if indexed:
        lag_ms = clock.to_ms(call.now) - 1000 * min(batch.kept.times_s)
        metrics.duration_ms("IndexLag", max(0, lag_ms))
    return DeliveryIndexed(
        transactions=seen.transactions + len(seen.malformed),
        events=seen.events,
        indexed=indexed,
        failed=seen.failed,
        incomplete=len(seen.incomplete),
        malformed=len(seen.malformed),
        unknown=seen.unknown,
    )


def open_delivery(body: bytes) -> Batch:
    """A delivery's transactions, to be read; never raises."""
    try:
        return Batch(texts=_texts.decode(body))
    except msgspec.ValidationError:
        return Batch(malformed=[Malformed(body, "The delivery is not an array.")])
    except (ValueError, RecursionError):
        return Batch(malformed=[Malformed(body, "The delivery is not JSON.")])


def read_delivery(body: bytes) -> Batch:
    """A delivery's transactions, those that cannot be read apart; never raises."""
    batch = open_delivery(body)
    batch.hold()
    return batch


def index(call: Call, batch: Batch, *beside: Statement[Any]) -> int:
    """Keep and project a batch, in one transaction with other statements.

    How many events are new. Texts are read while what came before them is stored.
    """
    tries = count()

    def blocks(known: list[_Key]) -> Iterator[str]:
        if next(tries):
            # Another delivery was in the way. Two in one order cannot wait for each other.
            batch.put_in_order()
        batch.kept = Kept((one.signature, one.ordinal) for one in known)
        read = batch.read()
        first = [islice(read, FIRST_BLOCK)]
        for chunk in chain(first, batched(read, TRANSACTIONS_PER_BLOCK, strict=False)):
            if lines := batch.kept.add(chunk):
                yield lines

    def last() -> list[Statement[Any]]:
        statements = [*beside]
        if batch.seen.malformed:
            statements.append(_dead_letters(call, batch.seen.malformed))
        if batch.seen.incomplete:
            statements.append(_to_fetch_again(call, batch.seen.incomplete))
        if batch.kept.count:
            params = {**batch.kept.fields(), "request_id": call.request_id, "now": call.now}
            statements.append((_queries["index_events"], _Changed, params))
        return statements

    results = _store(call, batch, blocks, last)
    _measure(batch.seen)
    if batch.kept.count and (changed := results[-1][0].changed):
        call.changed_tags += ["markets", *(f"market:{market}" for market in changed)]
    return batch.kept.count


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


def _measure(seen: Seen) -> None:
    if seen.malformed:
        metrics.count("MalformedTransactions", len(seen.malformed))
    if seen.incomplete:
        metrics.count("IncompleteTransactions", len(seen.incomplete))
    if seen.unknown:
        metrics.count("UnknownEvents", seen.unknown)


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
