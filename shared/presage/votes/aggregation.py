"""The count of votes every five minutes, and what follows from it.

One market at a time, under a lease whose token grows with every holder: a run that was thought dead
and comes back cannot write. A tally that was told before is left alone.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import psycopg

from presage import clock, metrics
from presage.adapters import breaker, solana_rpc
from presage.call import Call
from presage.chain import readiness
from presage.db import connection
from presage.db.queries import beside
from presage.errors import PresageError, UnavailableError
from presage.votes.models import Kind
from presage.votes.service import tally_commands
from presage.workflows.run import Outcome, Run

if TYPE_CHECKING:
    from presage.chain.sending import ChainTransaction

MARKETS_PER_LOOK = 100
# How long a slot's slices follow each other, before the next slot begins.
CHAIN = timedelta(minutes=4)
_queries = beside(__file__)


@dataclass(frozen=True)
class _OpenVote:
    id: uuid.UUID
    venue: str
    kind: Kind
    yes: Decimal
    no: Decimal
    votes: int
    address: str | None
    is_told: bool | None
    waiting_since: datetime | None

    @property
    def is_for_chain(self) -> bool:
        """Whether the chain has to hear of it."""
        return self.address is not None and self.kind == "proposal"


@dataclass(frozen=True)
class _Fence:
    fence: int


@dataclass(frozen=True)
class _Recorded:
    changed: bool
    passed: bool


def vote_aggregation(run: Run) -> Outcome:
    """Count every open vote that has changed, and do what follows.

    A native proposal that passes is approved with its count. One on Solana is told to the chain,
    and approved there by a later run, once the chain has the tally. A dispute on Solana is only
    counted here: what is sent to the chain would end it. Once the node is left alone, so is what
    the chain has to hear of.
    """
    after = run.cursor.get("after")
    authority = _authority(run)
    counts = dict.fromkeys(("counted", "passed", "sent", "busy", "unreachable"), 0)
    is_left_alone = False
    while not run.out_of_time:
        params = {
            "after": after,
            "authority": authority,
            "now": run.call.now,
            "limit": MARKETS_PER_LOOK,
        }
        looked_at = clock.now()
        rows = connection.fetch_all(run.call, _queries["list_open_votes"], _OpenVote, params)
        for row in rows:
            if run.out_of_time:
                break
            after = str(row.id)
            if is_left_alone and row.is_for_chain:
                run.skipped.add(after)
            elif not run.skips(after):
                is_left_alone |= _count(run, row, looked_at, counts)
        else:
            if len(rows) < MARKETS_PER_LOOK:
                return Outcome(counts=counts)
    # What was counted is not listed again: the next slot's run goes on where this one ends.
    run.is_cut_short = run.call.now >= run.slot + CHAIN
    return Outcome(counts=counts, next_cursor=None if run.is_cut_short else {"after": after})


def _count(run: Run, row: _OpenVote, looked_at: datetime, counts: dict[str, int]) -> bool:
    """Handle one market's votes, as they were at a moment; whether the node is left alone by now.

    A failure comes again later and stops no other market.
    """
    key = {"market_id": row.id, "kind": row.kind, "now": run.call.now}
    fence = connection.fetch_one(run.call, _queries["claim_tally"], _Fence, key)
    if fence is None:
        counts["busy"] += 1
        run.skipped.add(str(row.id))
        return False
    lease = key | {"fence": fence.fence}
    try:
        sent = _send(run.call, row)
        # What was cast until then is counted, and waits for no other count.
        recorded = _record(run.call, row, lease | {"now": looked_at}, is_sent=sent is not None)
    except (PresageError, psycopg.Error) as error:
        connection.execute(run.call, _queries["postpone_tally"], lease)
        metrics.count("AggregationFailures")
        if solana_rpc.is_outage(error):  # must not use up the tries after which a human is asked
            counts["unreachable"] += 1
            run.skipped.add(str(row.id))
        else:
            run.fail(str(row.id), error)
        return isinstance(error, breaker.OpenError)
    counts["sent"] += sent is not None
    counts["counted"] += recorded.changed
    counts["passed"] += recorded.passed
    if row.waiting_since:
        waited_s = (clock.now() - row.waiting_since).total_seconds()
        metrics.duration_ms("VoteLatency", waited_s * 1_000)
    if recorded.passed and row.venue == "native" and row.kind == "proposal":
        run.call.changed_tags.append(f"market:{row.id}")
    run.call.changed_tags.append(f"votes:{row.id}")
    run.call.told.extend(tally_commands(row.id, row.kind, row.yes, row.no))
    return False


def _send(call: Call, row: _OpenVote) -> "ChainTransaction | None":
    """What the chain has to hear of a proposal: its tally or, once it has that, the approval.

    Where nothing can be sent votes are counted all the same.
    """
    if row.address is None or not row.is_for_chain or not readiness.can_send():
        return None
    from presage.chain import moves
    from presage.chain.sending import Counted

    market = moves.OnChain(row.id, row.address)
    counted = Counted(row.kind, row.yes, row.no, row.votes)
    return (moves.approve if row.is_told else moves.tell_tally)(call, market, counted)


def _record(call: Call, row: _OpenVote, lease: Mapping[str, object], *, is_sent: bool) -> _Recorded:
    params = {
        **lease,
        "yes": row.yes,
        "no": row.no,
        "votes": row.votes,
        "is_sent": is_sent,
        "request_id": call.request_id,
        "ip": call.ip,
    }
    recorded = connection.fetch_one(call, _queries["record_tally"], _Recorded, params)
    if recorded is None:
        raise LookupError("record_tally answers a row or raises")
    return recorded


def _authority(run: Run) -> str | None:
    """The platform's address on Solana, where it can send anything.

    With a key that is none, what has to be sent fails market by market, and all others are counted.
    """
    if not readiness.can_send():
        return None
    from presage.chain import sending

    try:
        return str(sending.authority().pubkey())
    except UnavailableError:
        run.is_cut_short = True  # what waits for its approval is not listed
        return None
