"""Seeing through what was sent: `chain_confirm`, every minute and as long as anything is under way.

What the chain has is believed when it is final. What it does not have is sent again as the same
bytes, until a final block is higher than the last that could hold it and a node which knows that
block has never heard of it: only then it expired. Every step can be done twice, and by two runs at
once.
"""

import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from presage import clock, metrics
from presage.adapters import breaker, solana_rpc
from presage.adapters.solana_rpc import Line, RefusedError, Status
from presage.chain import compiling, sending
from presage.chain.sending import RESEND_S, ChainTransaction, Move
from presage.db import connection
from presage.db.queries import beside
from presage.errors import UpstreamError
from presage.workflows.run import Outcome, Run

NEXT_SLICE_S = 5
# The schedule starts a chain of slices every minute; an older one leaves the rest to it.
MINUTE = timedelta(seconds=60)
_queries = beside(__file__)


@dataclass(frozen=True)
class _Live:
    count: int


@dataclass
class _Look:
    """One look at the chain, and what it told."""

    run: Run
    counts: dict[str, int]
    moves: list[Move] = field(default_factory=list)

    def move(self, one: Move) -> None:
        """Note what became of a transaction."""
        self.moves.append(one)
        self.counts[one.status] = self.counts.get(one.status, 0) + 1


def chain_confirm(run: Run) -> Outcome:
    """Look at, and send again, everything that is under way; come again while there is any.

    Where the node is left alone, the operators are told of it here, whoever found it silent.
    """
    counts: dict[str, int] = {}
    left = _live(run)
    if solana_rpc.is_configured():
        try:
            with sending.alerted(run.call):
                breaker.check(solana_rpc.NAME)
                left = _work(run, counts) if left else 0
        except UpstreamError:
            counts["unreachable"] = 1
            left = _live(run)
    metrics.count("LiveTransactions", left)
    counts["live"] = left
    goes_on = left and clock.now() + timedelta(seconds=NEXT_SLICE_S) < run.slot + MINUTE
    if goes_on and solana_rpc.is_configured():
        return Outcome(counts=counts, next_cursor={}, next_delay_s=NEXT_SLICE_S)
    return Outcome(counts=counts)


def _work(run: Run, counts: dict[str, int]) -> int:
    """Look again and again until nothing is under way or the time is up; how much is left."""
    while True:
        while (rows := _due(run)) and not run.out_of_time:
            _look(_Look(run, counts), rows)
        left = _live(run)
        # In simulated time waiting would be for ever: the next slice looks again.
        if not left or clock.is_simulated() or run.out_of_time:
            return left
        time.sleep(RESEND_S)


def _live(run: Run) -> int:
    found = connection.fetch_one(run.call, _queries["count_live_transactions"], _Live, {})
    return found.count if found else 0


def _due(run: Run) -> list[ChainTransaction]:
    params = {"now": clock.now(), "limit": solana_rpc.MAX_STATUSES}
    query = _queries["list_due_transactions"]
    return connection.fetch_all(run.call, query, ChainTransaction, params)


def _look(look: _Look, rows: Sequence[ChainTransaction]) -> None:
    """Compare with the chain, send again what it does not have, and write all that down."""
    line = solana_rpc.own(look.run.left_s)
    found = solana_rpc.statuses([row.signature for row in rows], line=line).found
    try:
        missing = [row for row in rows if not _settled(look, row, found[row.signature])]
        late, expired = _search(missing, line)
        for row in missing:
            if _settled(look, row, late.get(row.signature)):
                continue
            if row.signature in expired:
                look.move(Move(row, "expired"))
            elif not look.run.out_of_time:
                look.move(_resent(row))
    finally:
        # When the node gives up in the middle, what it said before that still holds.
        if look.moves:
            sending.move(look.run.call, look.moves)


def _settled(look: _Look, row: ChainTransaction, status: Status | None) -> bool:
    """Take the chain's word; False when it has none to rely on yet."""
    if status is None or status.commitment == "processed":
        return False
    if status.commitment == "confirmed":
        look.move(Move(row, "confirmed"))
    elif status.err is None:
        look.move(Move(row, "finalized"))
    else:
        look.move(Move(row, "failed", compiling.refusal(status.err)))
    return True


def _search(
    missing: Sequence[ChainTransaction], line: Line
) -> tuple[dict[str, Status | None], set[str]]:
    """What the whole history says of those that no final block can hold any more; the expired."""
    if not missing:
        return {}, set()
    final = solana_rpc.finality(line=line)
    late = [row for row in missing if row.last_valid_block_height < final.block_height]
    if not late:
        return {}, set()
    signatures = [row.signature for row in late]
    searched = solana_rpc.statuses(signatures, everything=True, line=line)
    return searched.found, {
        row.signature
        for row in late
        if searched.rule_out(row.signature, row.last_valid_block_height, final)
    }


def _resent(row: ChainTransaction) -> Move:
    try:
        solana_rpc.send(base64.b64encode(row.raw).decode())
    except RefusedError as error:  # the others must not wait for it
        return Move(row, row.status, error.message)
    return Move(row, "sent", sent=1)
