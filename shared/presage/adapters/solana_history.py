"""What happened on Solana and what accounts hold, by its JSON-RPC: final things only.

Source: https://solana.com/docs/rpc/http. A node may be behind another one: where there is a
`least_slot`, one that has not seen it is refused; a transaction or a block that it has not seen it
does not show.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from presage.adapters.solana_rpc import rpc
from presage.errors import SolanaError

MAX_ACCOUNTS = 100
MAX_SIGNATURES = 1_000
_FINAL = "finalized"


@dataclass(frozen=True)
class Mention:
    """A transaction that names an address."""

    signature: str
    slot: int
    has_failed: bool


@dataclass(frozen=True)
class Accounts:
    """The data of accounts as they were at a slot, None where there is none."""

    slot: int
    data: list[bytes | None]


def mentions(
    address: str, *, before: str | None, until: str | None, least_slot: int
) -> list[Mention]:
    """Transactions that name an address, newest first, at most a thousand.

    Those older than `before` and newer than `until`, both excluded. To a node that does not know
    `before` nothing is older: `least_slot` must not be below its slot.

    Raises:
        SolanaError: the node did not answer, or not as a node does.
    """
    options: dict[str, Any] = {
        "commitment": _FINAL,
        "limit": MAX_SIGNATURES,
        "minContextSlot": least_slot,
    }
    options |= {"before": before} if before else {}
    options |= {"until": until} if until else {}
    found = rpc("getSignaturesForAddress", [address, options])
    try:
        return [
            Mention(str(one["signature"]), int(one["slot"]), one["err"] is not None)
            for one in found
        ]
    except (TypeError, LookupError, ValueError):
        raise SolanaError from None


def transaction(signature: str) -> Any:  # noqa: ANN401 - its reader checks
    """A transaction as the RPC writes it, None when the node does not have it.

    Raises:
        RefusedError: the node has it and cannot show it.
        SolanaError: the node did not answer.
    """
    options = {"commitment": _FINAL, "encoding": "json", "maxSupportedTransactionVersion": 0}
    return rpc("getTransaction", [signature, options])


def order_of(slot: int) -> dict[str, int]:
    """The place of every transaction in a block, by signature.

    Raises:
        SolanaError: the node did not answer, or not as a node does.
    """
    options = {
        "commitment": _FINAL,
        "maxSupportedTransactionVersion": 0,
        "rewards": False,
        "transactionDetails": "signatures",
    }
    block = rpc("getBlock", [slot, options])
    try:
        return {signature: place for place, signature in enumerate(block["signatures"])}
    except (TypeError, LookupError):
        raise SolanaError from None


def accounts(addresses: Sequence[str], *, owner: str, least_slot: int = 0) -> Accounts:
    """Up to a hundred accounts of a programme at one moment, not before `least_slot`.

    One that another programme owns is none: there anybody may write what looks like ours.

    Raises:
        SolanaError: the node did not answer, or not as a node does.
    """
    options = {"commitment": _FINAL, "encoding": "base64", "minContextSlot": least_slot}
    found = rpc("getMultipleAccounts", [list(addresses), options])
    try:
        data = [
            base64.b64decode(one["data"][0], validate=True)
            if one and one["owner"] == owner
            else None
            for one in found["value"]
        ]
        answer = Accounts(int(found["context"]["slot"]), data)
    except (TypeError, LookupError, ValueError, binascii.Error):
        raise SolanaError from None
    if len(data) != len(addresses):
        raise SolanaError
    return answer
