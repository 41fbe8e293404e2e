"""Landed transactions in the shapes of the RPC and of Helius' raw webhooks."""

import base64
from typing import Any

from solders.message import MessageV0
from solders.transaction import Legacy

from infra.local.solana.bank import Message, Record

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def base58(data: bytes) -> str:
    """Base58 of Bitcoin's alphabet."""
    number, text = int.from_bytes(data), ""
    while number:
        number, digit = divmod(number, 58)
        text = _ALPHABET[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def unbase58(text: str) -> bytes:
    """What `base58` wrote.

    Raises:
        ValueError: a character is none of its alphabet's.
    """
    number = 0
    for char in text:
        number = number * 58 + _ALPHABET.index(char)
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)


def version_of(record: Record) -> str | int:
    """`legacy` or 0."""
    version = record.transaction.version()
    return "legacy" if version == Legacy.Legacy else int(version)


def message(given: Message) -> dict[str, Any]:
    """A message as JSON."""
    header = given.header
    shown: dict[str, Any] = {
        "accountKeys": [str(key) for key in given.account_keys],
        "header": {
            "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
            "numRequiredSignatures": header.num_required_signatures,
        },
        "instructions": [
            {
                "accounts": list(one.accounts),
                "data": base58(bytes(one.data)),
                "programIdIndex": one.program_id_index,
                "stackHeight": None,
            }
            for one in given.instructions
        ],
        "recentBlockhash": str(given.recent_blockhash),
    }
    if isinstance(given, MessageV0):
        shown["addressTableLookups"] = []
    return shown


def meta(record: Record) -> dict[str, Any]:
    """What a transaction did, as JSON."""
    return {
        "computeUnitsConsumed": record.units,
        "err": record.err,
        "fee": record.fee,
        "innerInstructions": _inner(record),
        "loadedAddresses": {"readonly": [], "writable": []},
        "logMessages": record.logs,
        "postBalances": record.post,
        "postTokenBalances": [],
        "preBalances": record.pre,
        "preTokenBalances": [],
        "rewards": [],
        "status": {"Ok": None} if record.err is None else {"Err": record.err},
    }


def _inner(record: Record) -> list[dict[str, Any]]:
    return [
        {
            "index": outer,
            "instructions": [
                {
                    "accounts": list(one.accounts),
                    "data": base58(one.data),
                    "programIdIndex": one.program,
                    "stackHeight": one.height,
                }
                for one in record.inner
                if one.outer == outer
            ],
        }
        for outer in sorted({one.outer for one in record.inner})
    ]


def transaction(record: Record, encoding: str) -> Any:  # noqa: ANN401 - JSON
    """The transaction itself in an encoding of the RPC."""
    if encoding == "base64":
        return [base64.b64encode(record.raw).decode(), "base64"]
    if encoding == "base58":
        return [base58(record.raw), "base58"]
    found = record.transaction
    return {
        "message": message(found.message),
        "signatures": [str(signature) for signature in found.signatures],
    }


def answer(record: Record, encoding: str) -> dict[str, Any]:
    """What getTransaction answers."""
    return {
        "blockTime": record.block_time,
        "meta": meta(record),
        "slot": record.slot,
        "transaction": transaction(record, encoding),
        "version": version_of(record),
    }


def delivered(record: Record) -> dict[str, Any]:
    """The transaction as Helius' raw webhooks carry it."""
    shown = meta(record)
    del shown["status"], shown["computeUnitsConsumed"]
    sent = transaction(record, "json")
    sent["message"]["addressTableLookups"] = sent["message"].get("addressTableLookups")
    for one in sent["message"]["instructions"]:
        del one["stackHeight"]
    for group in shown["innerInstructions"]:
        for one in group["instructions"]:
            del one["stackHeight"]
    return {
        "blockTime": record.block_time,
        "indexWithinBlock": record.index,
        "meta": shown,
        "slot": record.slot,
        "transaction": sent,
        "version": version_of(record),
    }
