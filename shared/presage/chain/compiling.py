"""From instructions to a message that lands: its limit and price of compute units, its blockhash.

A transaction is simulated first, so that one that the programme would refuse is never signed.
"""

import base64
from collections.abc import Sequence
from typing import Any

from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from presage.adapters import solana_rpc
from presage.adapters.solana_rpc import Line
from presage.chain import programme
from presage.errors import UnprocessableError

MAX_TRANSACTION_BYTES = 1_232
MAX_UNITS = 1_400_000
# Of the System programme, which makes accounts and moves lamports (solana SystemError).
_SYSTEM_ERRORS = {0: "AccountAlreadyInUse", 1: "ResultWithNegativeLamports"}
# The dearest a unit may get, whatever the node says: 0.0014 SOL for the largest transaction.
MAX_PRICE_MICRO_LAMPORTS = 1_000_000


def compile_message(
    payer: Pubkey, instructions: Sequence[Instruction], *, line: Line = solana_rpc.OWN
) -> tuple[MessageV0, int]:
    """A message for the payer to sign, and until which block height it is good.

    Raises:
        UnprocessableError: the programme would refuse it, by the name of its error.
        SolanaError: the node did not answer.
    """
    blockhash = solana_rpc.latest_blockhash(line=line)
    recent = Hash.from_string(blockhash.text)
    draft = bytes(unsigned(_message(payer, instructions, recent, MAX_UNITS, 0)))
    if len(draft) > MAX_TRANSACTION_BYTES:
        raise UnprocessableError(f"The transaction would have {len(draft)} bytes: too many.")
    encoded = base64.b64encode(draft).decode()
    simulation = solana_rpc.simulate(encoded, line=line)
    if simulation.err is not None:
        raise UnprocessableError(f"The programme refuses this: {refusal(simulation.err)}.")
    price = min(solana_rpc.priority_fee(encoded, line=line), MAX_PRICE_MICRO_LAMPORTS)
    units = min(simulation.units * 11 // 10 + 1, MAX_UNITS)
    message = _message(payer, instructions, recent, units, price)
    return message, blockhash.last_valid_block_height


def unsigned(message: MessageV0) -> VersionedTransaction:
    """The transaction of a message with room for the signatures that it needs."""
    missing = [Signature.default()] * message.header.num_required_signatures
    return VersionedTransaction.populate(message, missing)


def refusal(err: Any) -> str:  # noqa: ANN401 - the RPC's JSON
    """An error of the RPC in a word: the programme's name for it where it has one."""
    match err:
        case {"InstructionError": [_, {"Custom": int(code)}]}:
            return programme.error_name(code) or _SYSTEM_ERRORS.get(code) or f"Custom {code}"
        case {"InstructionError": [_, name]}:
            return str(name)
        case dict():
            return str(next(iter(err), "unknown"))
    return str(err)


def _message(
    payer: Pubkey, instructions: Sequence[Instruction], blockhash: Hash, units: int, price: int
) -> MessageV0:
    budget = [set_compute_unit_limit(units), set_compute_unit_price(price)]
    return MessageV0.try_compile(payer, [*budget, *instructions], [], blockhash)
