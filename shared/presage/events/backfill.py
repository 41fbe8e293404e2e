"""Fetching what no delivery brought: the programme's transactions since the last look.

Only what is final is fetched, newest first. Reading is safe to repeat and in any order, so the mark
moves once its end is reached, and a run that stops halfway loses nothing: what it read is indexed.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched
from typing import Any, Self

import orjson
from msgspec.structs import replace
from solders.pubkey import Pubkey

from presage import clock, config, metrics
from presage.adapters import solana_history
from presage.adapters.solana_history import MAX_ACCOUNTS, MAX_SIGNATURES, Mention
from presage.adapters.solana_rpc import RefusedError
from presage.chain.accounts import UserPosition, decode_account
from presage.chain.borsh import DecodeError
from presage.chain.programme import position_address
from presage.db import connection
from presage.db.connection import Statement
from presage.db.queries import beside
from presage.errors import PresageError, SolanaError, UnavailableError, UpstreamError
from presage.events.indexing import RECONCILIATION, Batch, Malformed, index
from presage.events.transactions import (
    MAX_INDEX,
    MalformedTransactionError,
    RawTransaction,
    Row,
    Transaction,
    accounts_of,
    open_transaction,
    read_transaction,
    watched,
)
from presage.workflows.run import Run

CHUNK = 50
INCOMPLETE_PER_LOOK = 100
MAX_ATTEMPTS = 3
PUT_OFF_S = 600
_queries = beside(__file__)


@dataclass(frozen=True)
class _Signature:
    signature: str


@dataclass(frozen=True)
class _Incomplete:
    signature: str
    slot: int
    attempts: int
    is_letter: bool


@dataclass(frozen=True)
class _Waiting:
    waiting: int


@dataclass(frozen=True)
class _At:
    address: str
    market: str
    as_of: datetime | None


@dataclass(frozen=True)
class Mark:
    """A transaction, and the slot it is in."""

    slot: int
    signature: str


@dataclass(frozen=True)
class Walk:
    """Where a walk through the history stopped: the newest that it met, the last that it read."""

    newest: Mark | None = None
    before: str | None = None

    def as_cursor(self) -> dict[str, Any]:
        """As the next slice gets it."""
        newest = [self.newest.slot, self.newest.signature] if self.newest else None
        return {"newest": newest, "before": self.before}

    @classmethod
    def of_cursor(cls, cursor: Mapping[str, Any]) -> Self:
        """Where to go on."""
        newest = cursor.get("newest")
        return cls(Mark(*newest) if newest else None, cursor.get("before"))


def catch_up(run: Run, walk: Walk, *, least_slot: int = 0) -> Walk | None:
    """Index every final transaction up to `least_slot` at least; where to go on when time is up.

    Raises:
        SolanaError: the RPC did not answer; what was indexed stays.
    """
    programme = config.get("ZMART_PROGRAM_ID")
    last = connection.fetch_one(run.call, _queries["find_cursor"], Mark, {"programme": programme})
    newest, before, reader = walk.newest, walk.before, _Reader(run)
    while True:
        page = solana_history.mentions(
            programme,
            before=before,
            until=last.signature if last else None,
            # To a node that does not know `before` yet, the history would end there.
            least_slot=max(least_slot, newest.slot if newest else 0),
        )
        newest = newest or (Mark(page[0].slot, page[0].signature) if page else last)
        # A node that has forgotten the mark would go on to the beginning.
        fresh = [one for one in page if last is None or one.slot >= last.slot]
        for chunk in batched(fresh, CHUNK, strict=False):
            before = _fetch(run, reader, chunk) or before
            if before != chunk[-1].signature:
                return Walk(newest, before)
        if len(fresh) < MAX_SIGNATURES:
            break
    if newest:
        moved = {"programme": programme, "slot": newest.slot, "signature": newest.signature}
        connection.run(run.call, [(_queries["move_cursor"], None, moved | {"now": run.call.now})])
    return None


def fetch_again(run: Run) -> tuple[int, bool]:
    """Fetch some that were not told whole once more; how many are settled, and if more are due.

    What the chain itself has cut off stays so: then the wallets' own accounts tell what they hold,
    and the markets' are compared anyway (see reconciliation.py). One that the node never shows is a
    dead letter in the end, and fetched when that is due. When the RPC fails, the rest waits.
    """
    params = {"workflow": RECONCILIATION, "now": run.call.now, "limit": INCOMPLETE_PER_LOOK}
    rows = connection.fetch_all(run.call, _queries["list_incomplete"], _Incomplete, params)
    # A letter that has failed is put off when the run ends.
    due = [row for row in rows if _item(row) not in run.failures]
    settled, reader = 0, _Reader(run)
    for row in due:
        if run.out_of_time:
            break
        try:
            batch = _told_at_last(run, reader, row)
        except UpstreamError as error:
            run.fail("rpc", error)
            return settled, False
        if batch is not None:
            settled += _settle(run, row, batch)
        elif not run.out_of_time:
            _put_off(run, row, SolanaError("The node does not show this transaction."))
    return settled, run.out_of_time or (len(rows) == INCOMPLETE_PER_LOOK and bool(due))


def _told_at_last(run: Run, reader: "_Reader", row: _Incomplete) -> Batch | None:
    """What there is to be known of a transaction, None when the node does not tell it now."""
    found = reader.read(row.signature, row.slot)
    if found is None or not (found.is_whole or found.raw):
        return None
    # What is still cut off is noted already.
    kept = [replace(one, is_complete=True) for one in found.batch.transactions]
    if not found.is_whole and (raw := found.raw):
        if run.out_of_time:
            return None
        positions = reader.ask(lambda: _observed_positions(run, raw))
        if positions is None:
            return None
        kept += positions
    return Batch(kept, found.batch.malformed)


def _settle(run: Run, row: _Incomplete, batch: Batch) -> bool:
    """Keep what there is of it; False when that takes the database too long, now or for good."""
    letter = {"workflow": RECONCILIATION, "item": _item(row), "now": run.call.now}
    try:
        index(
            run.call,
            batch,
            (_queries["drop_incomplete"], None, {"signature": row.signature}),
            (_queries["resolve_letter"], None, letter),
        )
    except UnavailableError as error:
        _put_off(run, row, error)
        return False
    return True


def _put_off(run: Run, row: _Incomplete, error: PresageError) -> None:
    """Wait for longer each time, and then as a dead letter."""
    if row.is_letter:
        run.fail(_item(row), error)
    elif row.attempts + 1 < MAX_ATTEMPTS:
        wait = timedelta(seconds=PUT_OFF_S * 2**row.attempts)
        later = {"signature": row.signature, "next_attempt_at": run.call.now + wait}
        connection.run(run.call, [(_queries["put_off_incomplete"], None, later)])
    else:
        letter = {"item": _item(row), "error": str(error), "payload": {"slot": row.slot}}
        kept = {"letters": orjson.dumps([letter]).decode(), "workflow": RECONCILIATION}
        statements: list[Statement[Any]] = [
            (_queries["keep_malformed"], None, kept | {"now": run.call.now}),
            (_queries["drop_incomplete"], None, {"signature": row.signature}),
        ]
        connection.run(run.call, statements)


def _item(row: _Incomplete) -> str:
    return f"transaction:{row.signature}"


def measure_incomplete(run: Run) -> None:
    """Tell how many transactions wait to be fetched again."""
    row = connection.fetch_one(run.call, _queries["count_incomplete"], _Waiting, {})
    metrics.count("TransactionsToFetch", row.waiting if row else 0)


def _observed_positions(run: Run, raw: RawTransaction) -> list[Transaction]:
    """What the positions that a transaction of ours names hold, as events of their own.

    At the time of what was last indexed: no trade after it is of an earlier one.
    """
    ours = watched()
    try:
        named = sorted(accounts_of(raw, ours.programme) - {ours.programme})
    except (IndexError, MalformedTransactionError):
        return []
    found = [
        one
        for addresses in batched(named, MAX_ACCOUNTS, strict=False)
        for one in _positions_at(addresses, ours.programme, raw.slot)
    ]
    if not found:
        return []
    asked = {
        "addresses": [str(Pubkey(one.market)) for _, one in found],
        "slot": min(slot for slot, _ in found),
    }
    rows = connection.fetch_all(run.call, _queries["find_markets_at"], _At, asked)
    markets = {row.address: row.market for row in rows}
    time_s = max([raw.block_time, *(clock.to_ms(row.as_of) // 1000 for row in rows if row.as_of)])
    made = []
    for slot, one in found:
        market, wallet = markets.get(str(Pubkey(one.market))), str(Pubkey(one.user))
        if market is None:
            continue
        told = {
            "timestamp": time_s,
            "market_id": market,
            "user": wallet,
            "shares_yes": one.shares_yes,
            "shares_no": one.shares_no,
            "has_claimed": one.has_claimed,
            "claimed_amount": one.claimed_amount,
        }
        name = f"observed:{market}:{wallet}:{slot}"
        text = orjson.dumps(told).decode()
        row = Row(name, 0, slot, MAX_INDEX, time_s, "PositionObserved", market, wallet, text)
        made.append(Transaction(name, slot, time_s, [row]))
    return made


def _positions_at(
    addresses: Sequence[str], owner: str, least_slot: int
) -> Iterator[tuple[int, UserPosition]]:
    """The positions among some accounts, and the slot in which they were so.

    Whoever calls the programme may hand any account along: a position is one by its owner and by
    the place that is derived from what it says, and not by its bytes.
    """
    held = solana_history.accounts(addresses, owner=owner, least_slot=least_slot)
    for address, data in zip(addresses, held.data, strict=True):
        with contextlib.suppress(DecodeError):  # of another kind, or gone
            one = decode_account(UserPosition, data or b"")
            if str(position_address(Pubkey(one.market), Pubkey(one.user))) == address:
                yield held.slot, one


def _fetch(run: Run, reader: "_Reader", chunk: Sequence[Mention]) -> str | None:
    """Index those that are not here, while there is time; the last that was looked at.

    Raises:
        SolanaError: the node is not well; what it told until then is indexed.
    """
    params = {"signatures": [one.signature for one in chunk if not one.has_failed]}
    rows = connection.fetch_all(run.call, _queries["list_known"], _Signature, params)
    known = {row.signature for row in rows}
    batch, last = Batch(), None
    try:
        for one in chunk:
            if run.out_of_time:
                break
            if not (one.has_failed or one.signature in known):
                if (found := reader.read(one.signature, one.slot)) is None:
                    break
                batch.transactions += found.batch.transactions
                batch.malformed += found.batch.malformed
            last = one.signature
    finally:
        if batch.transactions or batch.malformed:
            index(run.call, batch)
            if missed := sum(bool(one.rows) for one in batch.transactions):
                metrics.count("MissedTransactions", missed)
    return last


@dataclass(frozen=True)
class _Found:
    """A transaction alone in a batch; `raw` where the node shows it and its place."""

    batch: Batch
    raw: RawTransaction | None = None

    @property
    def is_whole(self) -> bool:
        """Whether no more of it can be learned."""
        return bool(self.batch.malformed) or any(one.is_complete for one in self.batch.transactions)


@dataclass
class _Reader:
    """Asks for transactions one by one; one that the node cannot show is incomplete.

    A node that fails may fail at this transaction for good: it is incomplete too, so that the rest
    has its turn. When it fails at the next one as well, it is not well.
    """

    run: Run
    _has_failed: bool = False
    _block: tuple[int, dict[str, int]] = (-1, {})

    def read(self, signature: str, slot: int) -> _Found | None:
        """A transaction, None when no time is left to ask for all of it.

        Raises:
            SolanaError: the node has failed twice in a row.
        """
        hidden = _Found(Batch([Transaction(signature, slot, 0, is_complete=False)]))
        told = self.ask(lambda: solana_history.transaction(signature))
        if told is None:
            return hidden
        text = orjson.dumps(told)
        try:
            raw = open_transaction(text)
            read = read_transaction(raw, watched(), 0)
            if read.rows and raw.index_within_block is None:
                if self.run.out_of_time:
                    return None
                place = self._order_of(raw.slot).get(signature)
                if place is None:
                    return hidden
                read = read_transaction(raw, watched(), place)
        except MalformedTransactionError as error:
            return _Found(Batch(malformed=[Malformed(text, str(error))]))
        self._has_failed = False
        return _Found(Batch([read]), raw)

    def ask[AnswerT](self, question: Callable[[], AnswerT]) -> AnswerT | None:
        """What the node answers, None where it refuses or has failed once.

        Raises:
            SolanaError: it has failed twice in a row.
        """
        try:
            return question()
        except RefusedError:
            return None
        except SolanaError:
            if self._has_failed:
                raise
            self._has_failed = True
            return None

    def _order_of(self, slot: int) -> dict[str, int]:
        """A block's order; asked for once, since one that cannot be had hides all that is in it."""
        if self._block[0] != slot:
            self._block = slot, {}
            self._block = slot, self.ask(lambda: solana_history.order_of(slot)) or {}
        return self._block[1]
