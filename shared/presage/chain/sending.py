"""Sending what the platform itself signs, so that nothing lands twice and nothing is stuck.

A transaction is persisted before it leaves; from then on only its bytes are sent, again and again,
until the chain has them for good or can no longer take them (`confirming`). One is live per purpose
and market: whoever submits again while it is, gets that one. One that expired has not landed and
never will: then, and only then, whoever still wants its effect submits anew.
"""

import base64
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

import orjson

from presage import clock, config, metrics
from presage.adapters import breaker, solana_rpc
from presage.call import Call
from presage.chain import compiling
from presage.db import connection
from presage.db.connection import Statement
from presage.db.queries import beside
from presage.errors import SolanaError, UnavailableError, UpstreamError
from presage.ops import alerts
from presage.workflows.run import WORK_S

if TYPE_CHECKING:
    from solders.instruction import Instruction
    from solders.keypair import Keypair

RESEND_S = 2
_queries = beside(__file__)

type Status = Literal["built", "sent", "confirmed", "finalized", "expired", "failed"]


@dataclass(frozen=True)
class ChainTransaction:
    """One signed transaction. `attempts` counts how often it was handed to the network."""

    id: uuid.UUID
    purpose: str
    market_id: uuid.UUID | None
    signature: str
    raw: bytes
    last_valid_block_height: int
    status: Status
    attempts: int
    error: str | None

    @property
    def is_live(self) -> bool:
        """Whether it may still land, or has landed and is not final."""
        return self.status in {"built", "sent", "confirmed"}


@dataclass(frozen=True)
class Counted:
    """The votes by which something is sent, as they were counted or weighed."""

    kind: Literal["proposal", "dispute"]
    yes: Decimal
    no: Decimal
    votes: int


def submit(
    call: Call,
    purpose: str,
    market_id: uuid.UUID | None,
    instructions: "Sequence[Instruction]",
    counted: Counted | None = None,
) -> ChainTransaction:
    """Sign and send instructions as the platform's authority; `chain_confirm` sees them through.

    Answers the live transaction of this purpose and market when there is one. What votes it goes by
    is kept with it. `call` is a worker's.

    Raises:
        UnprocessableError: the programme would refuse this, by the name of its error.
        SolanaError: the node did not answer; nothing was signed that could land.
        UnavailableError: the chain or its key is not configured.
    """
    key = {"purpose": purpose, "market_id": market_id}
    live = connection.fetch_one(call, _queries["find_live_transaction"], ChainTransaction, key)
    if live is not None:
        return live
    with alerted(call):
        signature, raw, until = _signed(call, instructions)
    params = key | {
        "id": uuid.uuid4(),
        "signature": signature,
        "raw": raw,
        "last_valid_block_height": until,
        "now": call.now,
    }
    keeping: list[Statement[Any]] = [(_queries["keep_transaction"], ChainTransaction, params)]
    if counted is not None:
        keeping.append((_queries["keep_result"], None, params | asdict(counted)))
    [ours, *_] = connection.run(call, keeping)
    if ours:
        return _hand_over(call, ours[0])
    # Somebody else was faster: what we have signed never leaves.
    live = connection.fetch_one(call, _queries["find_live_transaction"], ChainTransaction, key)
    if live is None:
        raise SolanaError("The node is so far behind that this was signed and settled before.")
    return live


@dataclass(frozen=True)
class Move:
    """What became of a transaction: its status and error, and how often it was just sent."""

    transaction: ChainTransaction
    status: Status
    error: str | None = None
    sent: int = 0


def move(call: Call, moves: Sequence[Move]) -> None:
    """Record what became of live transactions, and tell the operators of those that failed."""
    now = clock.now()
    rows = [
        {"id": one.transaction.id, "status": one.status, "error": one.error, "sent": one.sent}
        for one in moves
    ]
    params = {
        "moves": orjson.dumps(rows).decode(),
        "next_attempt_at": now + timedelta(seconds=RESEND_S),
        "now": now,
    }
    failed = [_alert(call, one) for one in moves if one.status == "failed"]
    connection.run(call, [(_queries["move_transactions"], None, params), *failed])
    for one in moves:
        if one.status in {"finalized", "expired", "failed"}:
            metrics.count("ChainTransactions", status=one.status)
        if one.transaction.purpose == "finalize_market" and one.status in {"finalized", "failed"}:
            metrics.count("Transitions", one.status == "finalized")
            metrics.count("TransitionFailures", one.status == "failed")


def _alert(call: Call, one: Move) -> Statement[Any]:
    transaction = one.transaction
    data = {
        "purpose": transaction.purpose,
        "marketId": str(transaction.market_id),
        "signature": transaction.signature,
        "error": one.error,
    }
    return alerts.statement(call, "manual_review_required", data, transaction.signature)


@contextmanager
def alerted(call: Call) -> Iterator[None]:
    """Tell the operators when the node is left alone: until it answers, nothing is sent."""
    try:
        yield
    except breaker.ProbedError:  # it was told when it opened, and may be over
        raise
    except breaker.OpenError as error:
        data = {"service": solana_rpc.NAME, "error": error.message}
        alerts.raise_alert(call, "manual_review_required", data, solana_rpc.NAME)
        raise


def authority() -> "Keypair":
    """The platform's key, which is the programme's backend authority and, if it can be, its admin.

    Raises:
        UnavailableError: SOLANA_AUTHORITY_KEY is empty or no key. Never shows it.
    """
    from solders.keypair import Keypair

    text = config.get("SOLANA_AUTHORITY_KEY")
    try:
        return Keypair.from_json(text) if text[:1] == "[" else Keypair.from_base58_string(text)
    except ValueError:
        raise UnavailableError("SOLANA_AUTHORITY_KEY is missing or no key.") from None


def _signed(call: Call, instructions: "Sequence[Instruction]") -> tuple[str, bytes, int]:
    """The signature, the bytes, and until which block height they are good.

    When the run's time is up no question is repeated, so that what was begun is done in time.
    """
    from solders.transaction import VersionedTransaction

    key = authority()
    left_s = WORK_S - (clock.now() - call.now).total_seconds()
    line = solana_rpc.own(left_s)
    message, until = compiling.compile_message(key.pubkey(), instructions, line=line)
    transaction = VersionedTransaction(message, [key])
    return str(transaction.signatures[0]), bytes(transaction), until


def _hand_over(call: Call, transaction: ChainTransaction) -> ChainTransaction:
    """Send it for the first time; when that fails, `chain_confirm` does it."""
    try:
        with alerted(call):
            solana_rpc.send(base64.b64encode(transaction.raw).decode())
    except UpstreamError:
        return transaction
    move(call, [Move(transaction, "sent", sent=1)])
    return replace(transaction, status="sent", attempts=1)
