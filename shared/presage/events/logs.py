"""Which events a transaction's logs and inner instructions hold, and whose they are.

Source: the Solana runtime's log grammar and Anchor's `emit!` and `emit_cpi!`. A log's text belongs
to whoever wrote it, newlines included: any programme can log `Program data:` with our
discriminator, and only the stack of invocations tells whose a line is. So every element is matched
in full, and the first one that contradicts the stack ends the reading: the transaction is then
incomplete, and what was read before it stands.
"""

import binascii
import functools
import re
from collections.abc import Iterable, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from presage.chain.borsh import DecodeError
from presage.chain.events import EMIT_CPI_TAG, Event, decode_event

# Logs hold 10,000 bytes: an event of `emit_cpi!` keeps its number when more of the logs are found.
FIRST_CPI_ORDINAL = 10_000
MAX_BASE58_CHARS = 4_000
# The bytes of Anchor's discriminator, and of the two of an `emit_cpi!` instruction.
_HEAD_BYTES = len(EMIT_CPI_TAG)
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS = {char: value for value, char in enumerate(_BASE58)}
_CALL = re.compile(
    r"Program (?P<id>[1-9A-HJ-NP-Za-km-z]{32,44}) "
    r"(?:invoke \[(?P<depth>[1-9][0-9]{0,3})\]|success|failed: [^\n]*)"
)
_TRUNCATED = "Log truncated"
_DATA = "Program data: "
_MESSAGE = "Program log: "

type _Place = Annotated[int, Meta(ge=0)]
type Call = tuple[str, int]  # whose, and how deep it begins; 0 ends it


class Instruction(Struct, rename="camel", gc=False):
    """An instruction as the RPC writes it: places in the transaction's accounts, base58."""

    program_id_index: _Place
    accounts: list[_Place]
    data: str


class Inner(Struct, gc=False):
    """What an instruction called."""

    instructions: list[Instruction]


class Found(Struct, gc=False):
    """One event in its transaction. `event` is None when it is not one that we know.

    `data` are its bytes: the discriminator, and then the fields.
    """

    ordinal: int
    event: Event | None
    data: bytes


class Reading(Struct, gc=False):
    """What was found, and whether logs are missing or contradict themselves."""

    found: list[Found]
    is_complete: bool


def read_logs(lines: Iterable[str], programme: str) -> Reading:
    """The events that `emit!` of `programme` (base58) wrote, in order."""
    found: list[Found] = []
    stack: list[str] = []
    for line in lines:
        if line.startswith(_MESSAGE):
            continue
        if line.startswith(_DATA):
            # No runtime writes a data line that is not in full of base64.
            is_ours = bool(stack) and stack[-1] == programme
            if is_ours and not _take(found, line[len(_DATA) :]):
                return Reading(found, is_complete=False)
        elif (call := _call(line)) is not None:
            if not _follow(stack, call):
                return Reading(found, is_complete=False)
        elif line == _TRUNCATED:
            return Reading(found, is_complete=False)
    return Reading(found, is_complete=not stack)


@functools.lru_cache(maxsize=4096)  # the same few lines come again and again
def _call(line: str) -> Call | None:
    """The invocation that a line begins or ends, None for any other line."""
    match = _CALL.fullmatch(line)
    return match and (match["id"], int(match["depth"] or 0))


def _follow(stack: list[str], call: Call) -> bool:
    """Begin or end an invocation; False when the logs contradict themselves."""
    who, depth = call
    if depth == 0:
        return bool(stack) and stack.pop() == who
    if depth == 1:
        stack.clear()
    elif depth != len(stack) + 1:
        return False
    stack.append(who)
    return True


def _take(found: list[Found], data: str) -> bool:
    """Add the event of a data line of ours; False when it is not base64."""
    try:
        if " " not in data:
            found.append(_decoded(len(found), binascii.a2b_base64(data, strict_mode=True)))
            return True
        slices = [binascii.a2b_base64(part, strict_mode=True) for part in data.split(" ")]
    except (binascii.Error, ValueError):  # a text that is not ASCII is the second
        return False
    # `emit!` writes one slice: several are something else.
    found.append(Found(len(found), None, b"".join(slices)))
    return True


def read_inner(
    inner: Iterable[Inner], keys: Sequence[str], programme: str, authority: str
) -> list[Found]:
    """The events that `programme` wrote by calling itself (`emit_cpi!`), in order.

    `keys` are all the accounts of the transaction, looked-up ones included; `authority` is the
    programme's event authority. Neither truncation nor a forged log can touch these.

    Raises:
        IndexError: an instruction names an account that is not there.
    """
    found: list[Found] = []
    for group in inner:
        for instruction in group.instructions:
            accounts = instruction.accounts
            if keys[instruction.program_id_index] != programme or not accounts:
                continue
            if keys[accounts[0]] != authority:
                continue
            data = _from_base58(instruction.data)
            if data is not None and data[:_HEAD_BYTES] == EMIT_CPI_TAG:
                found.append(_decoded(FIRST_CPI_ORDINAL + len(found), data[_HEAD_BYTES:]))
    return found


def _decoded(ordinal: int, data: bytes) -> Found:
    try:
        return Found(ordinal, decode_event(data), data)
    except DecodeError:
        return Found(ordinal, None, data)


def _from_base58(text: str) -> bytes | None:
    """The bytes, None when the text is not base58 or longer than any event's."""
    if len(text) > MAX_BASE58_CHARS:
        return None
    number = 0
    for char in text:
        digit = _DIGITS.get(char)
        if digit is None:
            return None
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip(_BASE58[0]))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)
