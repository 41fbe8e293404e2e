"""Markets on Solana that are due: their outcome is made final on chain, once.

A dispute's votes are weighed here and sent when its three days are over, in one instruction, as
shares of 10,000: `aggregate_dispute_votes` would end the dispute at once and is never sent.
"""

import uuid
from dataclasses import dataclass
from decimal import Decimal

import psycopg

from presage.adapters import breaker, solana_rpc
from presage.chain import moves
from presage.chain.sending import Counted
from presage.db import connection
from presage.db.queries import beside
from presage.errors import PresageError
from presage.ops import escalations
from presage.workflows.run import Run

MARKETS_PER_LOOK = 100
_WHOLE_BPS = 10_000
_queries = beside(__file__)


@dataclass(frozen=True)
class _Due:
    id: uuid.UUID
    address: str
    state: str
    yes: Decimal
    no: Decimal
    votes: int
    is_upheld: bool | None


def finalize_due(run: Run) -> int:
    """Send what makes due markets final; how many were sent. The chain's events move them here."""
    sent = 0
    failed: set[uuid.UUID] = set()
    while not run.out_of_time:
        params = {"now": run.call.now, "limit": MARKETS_PER_LOOK + len(failed)}
        rows = connection.fetch_all(run.call, _queries["list_due_on_chain"], _Due, params)
        fresh = [row for row in rows if row.id not in failed]
        if not fresh:
            break
        for row in fresh:
            if run.out_of_time:
                break
            if run.skips(str(row.id)):
                failed.add(row.id)
                continue
            try:
                sent += _finalize(run, row)
            except breaker.OpenError:
                run.is_cut_short = True
                return sent  # nothing gets through for anybody, and it was told
            except (PresageError, psycopg.Error) as error:
                failed.add(row.id)
                # An outage must not use up the tries after which a human is asked.
                if solana_rpc.is_outage(error):
                    run.skipped.add(str(row.id))
                else:
                    run.fail(str(row.id), error)
    return sent


def _finalize(run: Run, row: _Due) -> bool:
    """Finalize one market; False where nobody voted on its dispute, which a human has to decide."""
    market = moves.OnChain(row.id, row.address)
    if row.state != "DISPUTED":
        moves.finalize(run.call, market)
        return True
    total = row.yes + row.no
    counted = None
    if total:
        agree = int(row.yes * _WHOLE_BPS // total)
        counted = Counted("dispute", row.yes, row.no, row.votes)
    elif row.is_upheld is not None:
        agree = _WHOLE_BPS if row.is_upheld else 0
    else:
        escalations.open_for_dispute(
            run.call,
            row.id,
            "Nobody voted, and the programme takes no empty vote: uphold or refuse the dispute.",
        )
        return False
    moves.finalize(run.call, market, (agree, _WHOLE_BPS - agree), counted)
    return True
