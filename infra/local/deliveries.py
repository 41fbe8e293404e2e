"""Raw transactions made of events, as Helius delivers them: for tests and benchmarks.

Nothing runs: there is no chain behind them, only the shape of what one would say.
"""

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

from solders.pubkey import Pubkey
from solders.signature import Signature

from presage.chain.events import Event, encode_event

PROGRAMME = "7h3gXfBfYFueFVLYyfL5Qo1QGsf4GQUfW96FKVgnUsJS"
GENESIS_SLOT = 1_000
GENESIS_S = 1_784_800_000
SYSTEM = str(Pubkey.default())

type Raw = dict[str, Any]


def wallet(name: str) -> bytes:
    """A key that is always the same for a name."""
    return hashlib.sha256(f"wallet {name}".encode()).digest()


def market(name: str) -> bytes:
    """A 32-byte market id that began elsewhere, always the same for a name."""
    return hashlib.sha256(f"market {name}".encode()).digest()


def key(raw: bytes) -> str:
    """32 bytes as base58."""
    return str(Pubkey(raw))


def signature(name: str) -> str:
    """A signature that is always the same for a name."""
    return str(Signature(hashlib.sha512(name.encode()).digest()))


def data_line(event: Event) -> str:
    """What `emit!` logs."""
    return f"Program data: {base64.b64encode(encode_event(event)).decode()}"


def ours(*lines: str, depth: int = 1) -> list[str]:
    """Lines within an invocation of the programme."""
    return invoked(PROGRAMME, *lines, depth=depth)


def invoked(programme: str, *lines: str, depth: int = 1) -> list[str]:
    """Lines within an invocation of any programme."""
    return [f"Program {programme} invoke [{depth}]", *lines, f"Program {programme} success"]


def transaction(
    logs: Sequence[str],
    *,
    name: str = "tx",
    slot: int = GENESIS_SLOT,
    index: int = 0,
    inner: Sequence[Raw] = (),
    keys: Sequence[str] = (key(wallet("payer")), PROGRAMME),
    loaded: dict[str, list[str]] | None = None,
    err: object = None,
) -> Raw:
    """A raw transaction with these logs and inner instructions."""
    return {
        "blockTime": GENESIS_S + (slot - GENESIS_SLOT) * 2 // 5,
        "indexWithinBlock": index,
        "meta": {
            "err": err,
            "fee": 5000,
            "innerInstructions": [{"index": 0, "instructions": list(inner)}] if inner else [],
            "loadedAddresses": loaded or {"readonly": [], "writable": []},
            "logMessages": list(logs),
            "postBalances": [0] * len(keys),
            "postTokenBalances": [],
            "preBalances": [0] * len(keys),
            "preTokenBalances": [],
            "rewards": [],
        },
        "slot": slot,
        "transaction": {
            "message": {
                "accountKeys": list(keys),
                "addressTableLookups": None,
                "header": {
                    "numReadonlySignedAccounts": 0,
                    "numReadonlyUnsignedAccounts": 1,
                    "numRequiredSignatures": 1,
                },
                "instructions": [{"accounts": [0], "data": "", "programIdIndex": 1}],
                "recentBlockhash": key(wallet("blockhash")),
            },
            "signatures": [signature(name)],
        },
        "version": "legacy" if loaded is None else 0,
    }


def of_events(*events: Event, name: str = "tx", slot: int = GENESIS_SLOT, index: int = 0) -> Raw:
    """A raw transaction in which the programme emits these events."""
    lines = ["Program log: Instruction: BuyShares", *map(data_line, events)]
    return transaction(ours(*lines), name=name, slot=slot, index=index)
