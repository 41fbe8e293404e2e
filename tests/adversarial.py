"""Deliveries made to deceive the indexer, each with the events that it truly holds."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from solders.pubkey import Pubkey

from infra.local.deliveries import (
    GENESIS_S,
    PROGRAMME,
    SYSTEM,
    Raw,
    data_line,
    invoked,
    key,
    market,
    ours,
    transaction,
    wallet,
)
from presage.chain.events import Event, ProposalApproved, SharesBought, encode_event

TRUE, FORGED = market("true"), market("forged")
ALICE = wallet("alice")
EVIL = key(wallet("evil programme"))
AUTHORITY = str(
    Pubkey.find_program_address([b"__event_authority"], Pubkey.from_string(PROGRAMME))[0]
)
CPI_TAG = bytes.fromhex("e445a52e51cb9a1d")
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_names = iter(range(1_000_000))


@dataclass(frozen=True)
class Case:
    """A delivery, and what it holds: (ordinal, type, market) of every event, in order."""

    delivery: Sequence[Any]
    events: Sequence[tuple[int, str, str | None]] = ()
    incomplete: int = 0
    malformed: int = 0
    failed: int = 0


def bought(this: bytes = TRUE, shares: int = 1) -> Event:
    """A purchase."""
    return SharesBought(this, ALICE, True, shares, 2, 3, GENESIS_S)  # noqa: FBT003


def base58(data: bytes) -> str:
    """As the RPC writes an instruction's data."""
    number, text = int.from_bytes(data), ""
    while number:
        number, digit = divmod(number, 58)
        text = _ALPHABET[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def line(data: bytes) -> str:
    """A data line of any bytes."""
    return f"Program data: {base64.b64encode(data).decode()}"


def said(*lines: str, **fields: Any) -> Raw:
    """A transaction with these logs, of a name of its own."""
    return transaction(lines, name=f"adversarial {next(_names)}", **fields)


def by_cpi(event: Event, *, programme: int, accounts: Sequence[int]) -> dict[str, Any]:
    """An inner instruction that carries an event."""
    data = base58(CPI_TAG + encode_event(event))
    return {"programIdIndex": programme, "accounts": list(accounts), "data": data, "stackHeight": 2}


IS_TRUE = (0, "SharesBought", TRUE.hex())
UNKNOWN = (0, "Unknown", None)
GOOD = data_line(bought())
BAD = data_line(bought(FORGED))
PADDED = data_line(ProposalApproved(FORGED, ALICE, GENESIS_S))
KEYS = (key(ALICE), PROGRAMME, AUTHORITY, EVIL)
BY_CPI = by_cpi(bought(), programme=1, accounts=(2,))
CPI_IS_TRUE = (10_000, "SharesBought", TRUE.hex())
STRANGE = hashlib.sha256(b"event:Strange").digest()[:8] + bytes(40)
TRUNCATED = "Log truncated"
INSTRUCTIONS = "transaction.message.instructions"
# It names our programme, and calls another one.
OF_EVIL = {"programIdIndex": 3, "accounts": [0, 1], "data": ""}


def _changed(raw: Raw, path: str, value: object) -> Raw:
    """A transaction with one member replaced; None as a value of `...` takes it away."""
    copy: Raw = {**raw, "meta": {**raw["meta"]}, "transaction": {**raw["transaction"]}}
    *parents, last = path.split(".")
    place: Any = copy
    for name in parents:
        place = place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return copy


def _mended(path: str, value: object) -> Case:
    """A good transaction that is damaged in one place, beside one that is not."""
    sound = said(*ours(GOOD))
    return Case([_changed(said(*ours(BAD)), path, value), sound], [IS_TRUE], malformed=1)


EARLIER, LATER = said(*ours(GOOD)), said(*ours(data_line(bought(shares=2))))
CASES: dict[str, Case] = {
    "an event of ours": Case([said(*ours(GOOD))], [IS_TRUE]),
    "the same data by another programme": Case([said(*invoked(EVIL, BAD))]),
    "another programme before ours": Case([said(*invoked(EVIL, BAD), *ours(GOOD))], [IS_TRUE]),
    "another programme after ours": Case([said(*ours(GOOD), *invoked(EVIL, BAD))], [IS_TRUE]),
    "another programme called by ours": Case(
        [said(*ours(*invoked(EVIL, BAD, depth=2), GOOD))], [IS_TRUE]
    ),
    "ours called by another programme": Case(
        [said(*invoked(EVIL, BAD, *ours(GOOD, depth=2), BAD))], [IS_TRUE]
    ),
    "ours four calls deep": Case(
        [
            said(
                *invoked(
                    EVIL,
                    *invoked(SYSTEM, *invoked(EVIL, *ours(GOOD, depth=4), BAD, depth=3), depth=2),
                    BAD,
                )
            )
        ],
        [IS_TRUE],
    ),
    "data before any call": Case([said(BAD, *ours(GOOD))], [IS_TRUE]),
    "data after every call": Case([said(*ours(GOOD), BAD)], [IS_TRUE]),
    "data in a log message": Case(
        [said(*ours(f"Program log: {BAD}", f"Program log: {BAD[14:]}", GOOD))], [IS_TRUE]
    ),
    "data in a return value": Case(
        [said(*ours(f"Program return: {PROGRAMME} {BAD[14:]}", GOOD))], [IS_TRUE]
    ),
    "a message that says it is a call of ours": Case(
        [said(*invoked(EVIL, f"Program log: Program {PROGRAMME} invoke [1]", BAD))]
    ),
    "a message with a call of ours on a line of its own": Case(
        [said(*invoked(EVIL, f"Program log: x\nProgram {PROGRAMME} invoke [2]\n{BAD}", BAD))]
    ),
    "a message that ends our call on a line of its own": Case(
        [said(*ours(f"Program log: x\nProgram {PROGRAMME} success", GOOD))], [IS_TRUE]
    ),
    "a call of ours with a newline after it": Case(
        [said(*invoked(EVIL, f"Program {PROGRAMME} invoke [2]\n", BAD))]
    ),
    "our data with a newline after it": Case([said(*ours(GOOD + "\n"))], incomplete=1),
    "our data with a newline before it": Case([said(*ours("\n" + BAD, GOOD))], [IS_TRUE]),
    "a message that says it was truncated": Case(
        [said(*ours(f"Program log: {TRUNCATED}", GOOD))], [IS_TRUE]
    ),
    "truncated after an event": Case([said(*ours(GOOD)[:2], TRUNCATED)], [IS_TRUE], incomplete=1),
    "truncated before an event": Case(
        [said(f"Program {PROGRAMME} invoke [1]", TRUNCATED, BAD)], incomplete=1
    ),
    "truncated, and shorter lines go on": Case(
        [said(*ours(GOOD), f"Program {EVIL} invoke [1]", TRUNCATED, *ours(BAD))],
        [IS_TRUE],
        incomplete=1,
    ),
    "nothing but truncation": Case([said(TRUNCATED)], incomplete=1),
    "logs that end in a call": Case([said(*ours(GOOD)[:2])], [IS_TRUE], incomplete=1),
    "a call that skips a depth": Case(
        [said(f"Program {EVIL} invoke [1]", *ours(BAD, depth=3))], incomplete=1
    ),
    "a call at a depth that is open": Case(
        [said(*ours(GOOD)[:2], f"Program {EVIL} invoke [2]", f"Program {EVIL} invoke [2]", BAD)],
        [IS_TRUE],
        incomplete=1,
    ),
    "a first call while another is open": Case(
        [said(f"Program {EVIL} invoke [1]", *ours(GOOD))], [IS_TRUE]
    ),
    "the end of a call that is not open": Case(
        [said(*ours(GOOD), f"Program {EVIL} success", *ours(BAD))], [IS_TRUE], incomplete=1
    ),
    "another programme ends our call": Case(
        [said(*ours(GOOD)[:2], f"Program {EVIL} success", BAD)], [IS_TRUE], incomplete=1
    ),
    "a failed inner call ends": Case(
        [
            said(
                f"Program {EVIL} invoke [1]",
                f"Program {PROGRAMME} invoke [2]",
                f"Program {PROGRAMME} failed: custom program error: 0x1770",
                BAD,
                f"Program {EVIL} success",
            )
        ]
    ),
    "a failed call of another programme ends within ours": Case(
        [
            said(
                *ours(
                    f"Program {EVIL} invoke [2]",
                    BAD,
                    f"Program {EVIL} failed: Program {PROGRAMME} success",
                    GOOD,
                )
            )
        ],
        [IS_TRUE],
    ),
    "a failed transaction": Case(
        [said(*ours(BAD), err={"InstructionError": [0, {"Custom": 6000}]})], failed=1
    ),
    "a failed transaction whose error is text": Case([said(*ours(BAD), err="x")], failed=1),
    "data that is not base64": Case([said(*ours("Program data: %%%", BAD))], incomplete=1),
    "data without its padding": Case([said(*ours(PADDED.rstrip("="), BAD))], incomplete=1),
    "data with more after its padding": Case([said(*ours(PADDED + "AAAA", BAD))], incomplete=1),
    "bad base64 of another programme": Case(
        [said(*invoked(EVIL, "Program data: %%%"), *ours(GOOD))], [IS_TRUE]
    ),
    "a discriminator that is not ours": Case([said(*ours(line(STRANGE)))], [UNKNOWN]),
    "an account's discriminator": Case(
        [said(*ours(line(hashlib.sha256(b"account:MarketAccount").digest()[:8] + bytes(480))))],
        [UNKNOWN],
    ),
    "less than a discriminator": Case([said(*ours(line(b"\1\2\3")))], [UNKNOWN]),
    "no data at all": Case([said(*ours("Program data: "))], [UNKNOWN]),
    "an event with bytes left over": Case(
        [said(*ours(line(encode_event(bought()) + b"\0")))], [UNKNOWN]
    ),
    "an event that ends early": Case([said(*ours(line(encode_event(bought())[:-1])))], [UNKNOWN]),
    "an event with a bool that is none": Case(
        [said(*ours(line(encode_event(bought()).replace(ALICE + b"\1", ALICE + b"\2"))))],
        [UNKNOWN],
    ),
    "an event at a time that no clock says": Case(
        [said(*ours(data_line(ProposalApproved(TRUE, ALICE, 2**62))))], [UNKNOWN]
    ),
    "an event before there was time": Case(
        [said(*ours(data_line(ProposalApproved(TRUE, ALICE, -1))))], [UNKNOWN]
    ),
    "an event in two slices": Case(
        [
            said(
                *ours(f"{line(encode_event(bought())[:8])} {line(encode_event(bought())[8:])[14:]}")
            )
        ],
        [UNKNOWN],
    ),
    "two events, and one between them that is not ours": Case(
        [said(*ours(GOOD, *invoked(EVIL, BAD, depth=2), data_line(bought(shares=2))))],
        [IS_TRUE, (1, "SharesBought", TRUE.hex())],
    ),
    "a programme whose id only begins as ours": Case(
        [said(*invoked(PROGRAMME[:-1] + "T", BAD), *invoked(PROGRAMME[:-1], BAD))]
    ),
    "our id in other letters": Case([said(*invoked(PROGRAMME.swapcase(), BAD))]),
    "an event by a call to ourselves": Case(
        [said(*ours(), keys=KEYS, inner=[BY_CPI])], [CPI_IS_TRUE]
    ),
    "an event by a call that another programme makes": Case(
        [said(keys=KEYS, inner=[by_cpi(bought(FORGED), programme=3, accounts=(2,))])]
    ),
    "an event by a call without our authority": Case(
        [
            said(
                keys=KEYS,
                inner=[
                    by_cpi(bought(FORGED), programme=1, accounts=accounts)
                    for accounts in ((0,), (3, 2), ())
                ],
            )
        ]
    ),
    "an event by a call without the tag": Case(
        [
            said(
                keys=KEYS,
                inner=[BY_CPI | {"data": base58(bytes(8) + encode_event(bought(FORGED)))}],
            )
        ]
    ),
    "calls to ourselves whose data is no base58": Case(
        [
            said(
                keys=KEYS,
                inner=[BY_CPI | {"data": data} for data in ("", "0OIl", "é", "2" * 5_000)],
            )
        ]
    ),
    "a call to ourselves in truncated logs": Case(
        [said(f"Program {PROGRAMME} invoke [1]", TRUNCATED, keys=KEYS, inner=[BY_CPI])],
        [CPI_IS_TRUE],
        incomplete=1,
    ),
    "an event in both ways": Case(
        [said(*ours(GOOD), keys=KEYS, inner=[BY_CPI])], [IS_TRUE, CPI_IS_TRUE]
    ),
    "an authority from a look-up table": Case(
        [
            said(
                keys=(key(ALICE),),
                loaded={"writable": [EVIL, PROGRAMME], "readonly": [AUTHORITY]},
                inner=[by_cpi(bought(), programme=2, accounts=(3,))],
            )
        ],
        [CPI_IS_TRUE],
    ),
    "a look-up table that writes before it reads": Case(
        [
            said(
                keys=(key(ALICE),),
                loaded={"readonly": [PROGRAMME, AUTHORITY], "writable": [EVIL]},
                inner=[
                    by_cpi(bought(FORGED), programme=1, accounts=(2,)),
                    by_cpi(bought(), programme=2, accounts=(3,)),
                ],
            )
        ],
        [CPI_IS_TRUE],
    ),
    "an account that is not there": Case(
        [said(keys=KEYS, inner=[BY_CPI | {"accounts": [9]}]), said(*ours(GOOD))],
        [IS_TRUE],
        malformed=1,
    ),
    "an account before the first": Case(
        [said(keys=KEYS, inner=[BY_CPI | {"programIdIndex": -3}])], malformed=1
    ),
    "truncated, and our programme is only named": Case(
        [
            _changed(said(TRUNCATED, keys=KEYS, inner=inner), INSTRUCTIONS, [OF_EVIL])
            for inner in ([], [OF_EVIL])
        ]
    ),
    "truncated, and our programme is called from within": Case(
        [
            _changed(
                said(TRUNCATED, keys=KEYS, inner=[OF_EVIL | {"programIdIndex": 1}]),
                INSTRUCTIONS,
                [OF_EVIL],
            )
        ],
        incomplete=1,
    ),
    "truncated, and nobody knows what was called from within": Case(
        [
            _changed(
                _changed(said(TRUNCATED, keys=KEYS), INSTRUCTIONS, [OF_EVIL]),
                "meta.innerInstructions",
                None,
            )
        ],
        incomplete=1,
    ),
    "no logs, and our programme is only named": Case(
        [_changed(_changed(said(keys=KEYS), INSTRUCTIONS, [OF_EVIL]), "meta.logMessages", None)]
    ),
    "truncated, and a programme that is not there": Case(
        [_changed(said(TRUNCATED), INSTRUCTIONS, [OF_EVIL | {"programIdIndex": 9}])], malformed=1
    ),
    "no logs were kept": Case([_changed(said(), "meta.logMessages", None)], incomplete=1),
    "the place in the block is not told": Case(
        [_changed(said(*ours(BAD)), "indexWithinBlock", ...)], incomplete=1
    ),
    "the place is not told and the logs are cut off": Case(
        [_changed(said(TRUNCATED), "indexWithinBlock", ...)], incomplete=1
    ),
    "the place is not told and does not matter": Case([_changed(said(), "indexWithinBlock", ...)]),
    "no signature": _mended("transaction.signatures", []),
    "a signature that is none": _mended("transaction.signatures", ["x" * 88]),
    "no meta": _mended("meta", None),
    "no word on failure": _mended("meta.err", ...),
    "a slot that is text": _mended("slot", "171942732"),
    "a slot that is a truth": _mended("slot", value=True),
    "a slot below zero": _mended("slot", -1),
    "a slot that no number holds": _mended("slot", 2**63),
    "a time that no clock says": _mended("blockTime", 2**53),
    "no time": _mended("blockTime", None),
    "a place that no number holds": _mended("indexWithinBlock", 2**31),
    "logs that are a number": _mended("meta.logMessages", 5),
    "logs that are text": _mended("meta.logMessages", BAD),
    "logs that are an object": _mended("meta.logMessages", {BAD: BAD}),
    "a log line that is no text": _mended("meta.logMessages", [GOOD, None]),
    "things that are no transactions": Case(
        [None, 5, "x", [], {}, [[]], said(*ours(GOOD))], [IS_TRUE], malformed=6
    ),
    "an array within the array": Case([[said(*ours(BAD))]], malformed=1),
    "reversed, and delivered twice": Case(
        [LATER, EARLIER, LATER], [(0, "SharesBought", TRUE.hex()), IS_TRUE, IS_TRUE]
    ),
}
