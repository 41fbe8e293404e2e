"""Raw transactions, as Helius' webhook and `getTransaction` give them, as rows of chain_events.

A row's `data` is the event's fields by their names in the programme: keys in base58, a market's id
in hex, an evidence hash as text where it is text. Amounts are in units of 1/1,000,000,000.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, get_type_hints

import orjson
from solders.pubkey import Pubkey
from solders.signature import Signature

from presage import config
from presage.chain import programme
from presage.chain.borsh import Key, Text46
from presage.chain.events import KINDS, Event
from presage.errors import UnavailableError
from presage.events.logs import Found, read_inner, read_logs

# What a bigint and an integer hold, and the last moment that every clock can say.
MAX_SLOT = 2**63 - 1
MAX_INDEX = 2**31 - 1
MAX_UNIX_S = 4_102_444_800
UNKNOWN = "Unknown"
# Whose event it is: the first of these that an event has.
_ACTORS = (
    *("user", "creator", "resolver", "initiator", "approved_by", "cancelled_by", "paused_by"),
    "admin",
)
_TIMES = ("timestamp", "cancelled_at")


class MalformedTransactionError(ValueError):
    """This is not a transaction as the RPC writes it."""


class Row(NamedTuple):
    """One event as chain_events keeps it. `market` is the id on chain in hex, `data` JSON."""

    signature: str
    ordinal: int
    slot: int
    tx_index: int
    block_time_s: int
    event_type: str
    market: str | None
    wallet: str | None
    data: str


class Transaction(NamedTuple):
    """What a transaction holds for us. Without its place in the block it is not complete."""

    signature: str
    slot: int
    block_time_s: int
    rows: Sequence[Row] = ()
    is_complete: bool = True
    has_failed: bool = False


class Watched(NamedTuple):
    """The programme that is indexed, in base58."""

    programme: str
    authority: str


def watched() -> Watched:
    """The configured programme.

    Raises:
        UnavailableError: ZMART_PROGRAM_ID is not configured.
    """
    return _watched(config.get("ZMART_PROGRAM_ID"))


@functools.cache
def _watched(program_id: str) -> Watched:
    if not program_id:
        raise UnavailableError("ZMART_PROGRAM_ID is not configured.")
    return Watched(program_id, str(programme.event_authority()))


def read_transaction(raw: object, ours: Watched, tx_index: int | None = None) -> Transaction:
    """A transaction's events; `tx_index` is its place in the block where `raw` does not say it.

    Raises:
        MalformedTransactionError: it has another shape.
    """
    try:
        return _read(raw, ours, tx_index)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise MalformedTransactionError(f"{type(error).__name__}: {error}"[:200]) from None


def _read(raw: Any, ours: Watched, tx_index: int | None) -> Transaction:  # noqa: ANN401 - any JSON
    meta, body = raw["meta"], raw["transaction"]
    signature: str = body["signatures"][0]
    Signature.from_string(signature)
    slot = _whole(raw["slot"], MAX_SLOT)
    time_s = _whole(raw["blockTime"], MAX_UNIX_S)
    if meta["err"] is not None:
        return Transaction(signature, slot, time_s, has_failed=True)
    place = raw.get("indexWithinBlock", tx_index)
    lines = meta["logMessages"]
    if lines is not None and type(lines) is not list:
        raise TypeError("the logs are not an array")
    "".join(lines or ())  # which only texts can be
    reading = read_logs(lines or (), ours.programme)
    inner = meta["innerInstructions"]
    found = reading.found
    if inner:
        found = found + read_inner(inner, _keys(body, meta), *ours)
    complete = reading.is_complete and lines is not None
    if place is None:
        return Transaction(signature, slot, time_s, is_complete=complete and not found)
    _whole(place, MAX_INDEX)
    rows = [_row(signature, slot, place, time_s, one) for one in found]
    return Transaction(signature, slot, time_s, rows, complete)


def accounts_of(raw: dict[str, Any], programme: str) -> set[str]:
    """The accounts that a transaction's calls of a programme name, called from within or not.

    Raises:
        LookupError: an instruction names an account that is not there.
    """
    meta, body = raw["meta"], raw["transaction"]
    keys = _keys(body, meta)
    calls = [
        *body["message"]["instructions"],
        *(one for group in meta["innerInstructions"] or () for one in group["instructions"]),
    ]
    return {
        keys[place]
        for one in calls
        if keys[one["programIdIndex"]] == programme
        for place in one["accounts"]
    }


def _whole(value: object, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise TypeError("a slot, a time or a place is not a whole number in its range")
    return value


def _keys(body: dict[str, Any], meta: dict[str, Any]) -> list[str]:
    """Every account of the transaction, in the order that its instructions count them."""
    loaded = meta.get("loadedAddresses") or {}
    return [
        *body["message"]["accountKeys"],
        *loaded.get("writable", ()),
        *loaded.get("readonly", ()),
    ]


def _row(signature: str, slot: int, place: int, time_s: int, found: Found) -> Row:
    event: tuple[Any, ...] | None = found.event
    if event is None or not 0 <= event[(shape := _SHAPES[type(event)]).time_at] < MAX_UNIX_S:
        # A programme newer than this code, or a time that no clock can say: kept as it came.
        data = orjson.dumps({"bytes": found.data.hex()}).decode()
        return Row(signature, found.ordinal, slot, place, time_s, UNKNOWN, None, None, data)
    fields = {
        name: tell(value) if tell else value
        for name, tell, value in zip(*shape.told, event, strict=True)
    }
    market, wallet = fields.get("market_id"), fields.get(shape.actor)
    data = orjson.dumps(fields).decode()
    return Row(signature, found.ordinal, slot, place, time_s, shape.name, market, wallet, data)


class _Shape(NamedTuple):
    """How an event is told: its fields' names, and what makes JSON of each that is none."""

    name: str
    told: tuple[tuple[str, ...], tuple[Callable[[Any], Any] | None, ...]]
    actor: str
    time_at: int


@functools.lru_cache(maxsize=10_000)
def _key_text(key: bytes) -> str:
    return str(Pubkey(key))


def _hash_text(text: bytes) -> str:
    """An IPFS hash; whoever resolves a market may put any bytes there."""
    return text.decode() if text.isalnum() else text.hex()


def _shape_of(kind: type[Event]) -> _Shape:
    told: list[Callable[[Any], Any] | None] = []
    for name, annotation in get_type_hints(kind, include_extras=True).items():
        if name == "market_id":
            told.append(bytes.hex)
        elif annotation == Key:
            told.append(_key_text)
        else:
            told.append(_hash_text if annotation == Text46 else None)
    names = kind._fields
    actor = next((name for name in _ACTORS if name in names), "")
    time_at = next(at for at, name in enumerate(names) if name in _TIMES)
    return _Shape(kind.__name__, (names, tuple(told)), actor, time_at)


_SHAPES: dict[type, _Shape] = {kind: _shape_of(kind) for kind in KINDS.values()}
