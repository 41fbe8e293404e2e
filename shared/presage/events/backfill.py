"""Fetching what no delivery brought: the programme's transactions since the last look.

Only what is final is fetched, newest first. Reading is safe to repeat and in any order, so the mark
moves once its end is reached, and a run that stops halfway loses nothing.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import batched
from typing import Any, Self

import orjson
from solders.pubkey import Pubkey

from presage import config, metrics
from presage.adapters import solana_history
from presage.adapters.solana_history import MAX_ACCOUNTS, MAX_SIGNATURES, Mention
from presage.adapters.solana_rpc import RefusedError
from presage.chain.accounts import UserPosition, decode_account
from presage.chain.borsh import DecodeError
from presage.chain.programme import position_address
from presage.db import connection
from presage.db.queries import beside
from presage.events.indexing import Batch, Malformed, index
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
INCOMPLETE_PER_RUN = 100
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


@dataclass(frozen=True)
class _Waiting:
    waiting: int


@dataclass(frozen=True)
class _At:
    address: str
    market: str


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
    newest, before = walk.newest, walk.before
    while True:
        page = solana_history.mentions(
            programme,
            before=before,
            until=last.signature if last else None,
            least_slot=least_slot,
        )
        newest = newest or (Mark(page[0].slot, page[0].signature) if page else last)
        # A node that has forgotten the mark would go on to the beginning.
        fresh = [one for one in page if last is None or one.slot >= last.slot]
        for chunk in batched(fresh, CHUNK, strict=False):
            if run.out_of_time:
                return Walk(newest, before)
            _fetch(run, chunk)
            before = chunk[-1].signature
        if len(fresh) < MAX_SIGNATURES:
            break
    if newest:
        moved = {"programme": programme, "slot": newest.slot, "signature": newest.signature}
        connection.run(run.call, [(_queries["move_cursor"], None, moved | {"now": run.call.now})])
    return None


def fetch_again(run: Run) -> int:
    """Fetch transactions once more whose logs were cut off; how many are settled.

    What the chain itself has cut off stays so: then the wallets' own accounts tell what they hold,
    and the markets' are compared anyway (see reconciliation.py).

    Raises:
        SolanaError: the RPC did not answer.
    """
    params = {"now": run.call.now, "limit": INCOMPLETE_PER_RUN}
    rows = connection.fetch_all(run.call, _queries["list_incomplete"], _Incomplete, params)
    settled = 0
    for row in rows:
        if run.out_of_time:
            break
        batch, opened = _read([Mention(row.signature, row.slot, has_failed=False)])
        found = opened.get(row.signature)
        is_whole = bool(batch.malformed) or any(one.is_complete for one in batch.transactions)
        # What is still cut off is noted already.
        kept = [_as_complete(one) for one in batch.transactions]
        if not is_whole and found is not None:
            kept += _observed_positions(run, found)
        index(run.call, Batch(kept, batch.malformed))
        if is_whole or found is not None or row.attempts + 1 >= MAX_ATTEMPTS:
            done = {"signature": row.signature}
            connection.run(run.call, [(_queries["drop_incomplete"], None, done)])
            settled += 1
        else:
            wait = timedelta(seconds=PUT_OFF_S * 2**row.attempts)
            later = {"signature": row.signature, "next_attempt_at": run.call.now + wait}
            connection.run(run.call, [(_queries["put_off_incomplete"], None, later)])
    return settled


def measure_incomplete(run: Run) -> None:
    """Tell how many transactions wait to be fetched again."""
    row = connection.fetch_one(run.call, _queries["count_incomplete"], _Waiting, {})
    metrics.count("TransactionsToFetch", row.waiting if row else 0)


def _observed_positions(run: Run, raw: RawTransaction) -> list[Transaction]:
    """What the positions that a transaction of ours names hold, as events of their own."""
    ours = watched()
    try:
        named = sorted(accounts_of(raw, ours.programme) - {ours.programme})
    except (IndexError, MalformedTransactionError):
        return []
    found = [
        one
        for addresses in batched(named, MAX_ACCOUNTS, strict=False)
        for one in _positions_at(addresses, ours.programme)
    ]
    if not found:
        return []
    addresses = {"addresses": [str(Pubkey(one.market)) for _, one in found]}
    rows = connection.fetch_all(run.call, _queries["find_markets_at"], _At, addresses)
    markets = {row.address: row.market for row in rows}
    time_s = raw.block_time
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
        }
        name = f"observed:{market}:{wallet}:{slot}"
        text = orjson.dumps(told).decode()
        row = Row(name, 0, slot, MAX_INDEX, time_s, "PositionObserved", market, wallet, text)
        made.append(Transaction(name, slot, time_s, [row]))
    return made


def _positions_at(addresses: Sequence[str], owner: str) -> Iterator[tuple[int, UserPosition]]:
    """The positions among some accounts, and the slot in which they were so.

    Whoever calls the programme may hand any account along: a position is one by its owner and by
    the place that is derived from what it says, and not by its bytes.
    """
    held = solana_history.accounts(addresses, owner=owner)
    for address, data in zip(addresses, held.data, strict=True):
        with contextlib.suppress(DecodeError):  # of another kind, or gone
            one = decode_account(UserPosition, data or b"")
            if str(position_address(Pubkey(one.market), Pubkey(one.user))) == address:
                yield held.slot, one


def _as_complete(one: Transaction) -> Transaction:
    return Transaction(one.signature, one.slot, one.block_time_s, one.rows)


def _fetch(run: Run, chunk: Iterable[Mention]) -> None:
    wanted = {one.signature: one for one in chunk if not one.has_failed}
    params = {"signatures": [*wanted]}
    for row in connection.fetch_all(run.call, _queries["list_known"], _Signature, params):
        del wanted[row.signature]
    if wanted:
        batch, _ = _read(wanted.values())
        index(run.call, batch)
        if missed := sum(bool(one.rows) for one in batch.transactions):
            metrics.count("MissedTransactions", missed)


def _read(mentions: Iterable[Mention]) -> tuple[Batch, dict[str, RawTransaction]]:
    """These transactions, read and opened; one that the node cannot show is incomplete."""
    batch, ours = Batch(), watched()
    opened: dict[str, RawTransaction] = {}
    orders: dict[int, dict[str, int]] = {}
    for one in mentions:
        try:
            raw = solana_history.transaction(one.signature)
            if raw is not None and one.slot not in orders:
                orders[one.slot] = solana_history.order_of(one.slot)
        except RefusedError:
            raw = None
        place = orders.get(one.slot, {}).get(one.signature)
        if raw is None or place is None:
            batch.transactions.append(Transaction(one.signature, one.slot, 0, is_complete=False))
            continue
        text = orjson.dumps(raw)
        try:
            opened[one.signature] = open_transaction(text)
            batch.transactions.append(read_transaction(opened[one.signature], ours, place))
        except MalformedTransactionError as error:
            batch.malformed.append(Malformed(text, str(error)))
    return batch, opened
