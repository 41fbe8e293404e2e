"""Balances, deposits, fee sweeps, and the audit of it all."""

import uuid
from dataclasses import dataclass

from presage import config
from presage.call import Call
from presage.db import connection
from presage.db.connection import Statement
from presage.db.queries import beside
from presage.ledger.models import Wallet
from presage.schema import Nothing
from presage.workflows.run import Outcome, Run

SWEEP_CHUNK = 200
_queries = beside(__file__)


@dataclass(frozen=True)
class _WalletRow:
    available_micros: int
    locked_micros: int


@dataclass(frozen=True)
class _Swept:
    markets: int
    swept_micros: int


@dataclass(frozen=True)
class Violation:
    """An invariant that does not hold, and where."""

    invariant: str
    subject: str
    detail: str


def get_wallet(call: Call, request: Nothing) -> Wallet:  # noqa: ARG001 - it has no fields
    """The caller's available and locked money."""
    row = connection.fetch_one(call, _queries["get_wallet"], _WalletRow, {})
    return Wallet(
        currency=config.get("COLLATERAL_CURRENCY"),
        available_micros=row.available_micros if row else 0,
        locked_micros=row.locked_micros if row else 0,
    )


def deposit(call: Call, user_id: uuid.UUID, amount_micros: int, reference: str) -> None:
    """Credit money that arrived from outside; a repeated reference changes nothing."""
    params = {
        "user_id": user_id,
        "amount_micros": amount_micros,
        "reference": reference,
        "now": call.now,
    }
    connection.run(call, [(_queries["deposit"], None, params)])


def sweep_fees(run: Run) -> Outcome:
    """Move what markets have earned in fees to the platform's account, market by market."""
    markets = swept_micros = 0
    while not run.out_of_time:
        params = {"limit": SWEEP_CHUNK, "now": run.call.now}
        swept = connection.fetch_one(run.call, _queries["sweep_fees"], _Swept, params)
        if swept is None or swept.markets == 0:
            break
        markets += swept.markets
        swept_micros += swept.swept_micros
    return Outcome(counts={"markets": markets, "sweptMicros": swept_micros})


def audit(call: Call) -> list[Violation]:
    """Check every invariant of the ledger and the books; an empty list is a clean bill."""
    found: list[Violation] = connection.run(call, [audit_statement()])[0]
    return found


def audit_statement() -> Statement[Violation]:
    """`audit` as a statement, for whoever asks for more in the same flush."""
    return (_queries["audit"], Violation, {})
