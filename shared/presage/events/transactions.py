"""Raw transactions, as Helius' webhook and `getTransaction` give them, as rows of chain_events.

A row's `data` is the event's fields by their names in the programme: keys in base58, a market's id
in hex, an evidence hash as text where it is text. Amounts are in units of 1/1,000,000,000.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Annotated, Any, NamedTuple, get_type_hints

import msgspec
import orjson
from msgspec import Meta, Struct
from msgspec.json import Decoder
from solders.pubkey import Pubkey
from solders.signature import Signature

from presage import config
from presage.chain import programme
from presage.chain.borsh import Key, Text46
from presage.chain.events import KINDS, Event, SharesBought, SharesSold
from presage.errors import UnavailableError
from presage.events.logs import Found, Inner, Instruction, read_inner, read_logs

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
Trade = SharesBought | SharesSold


class MalformedTransactionError(ValueError):
    """This is not a transaction as the RPC writes it."""


class _Loaded(Struct, gc=False):
    writable: list[str] = []
    readonly: list[str] = []


class _Meta(Struct, rename="camel", gc=False):
    err: object
    log_messages: list[str] | None
    inner_instructions: list[Inner] | None
    loaded_addresses: _Loaded | None = None


class _Message(Struct, rename="camel", gc=False):
    account_keys: list[str]
    instructions: list[Instruction]


class _Body(Struct, gc=False):
    signatures: Annotated[list[str], Meta(min_length=1)]
    message: msgspec.Raw  # read when it is asked for, which is rare


class RawTransaction(Struct, rename="camel", gc=False):
    """What we read of a transaction, by the RPC's names."""

    slot: Annotated[int, Meta(ge=0, le=MAX_SLOT)]
    block_time: Annotated[int, Meta(ge=0, le=MAX_UNIX_S)]
    meta: _Meta
    transaction: _Body
    index_within_block: Annotated[int, Meta(ge=0, le=MAX_INDEX)] | None = None

    @property
    def signature(self) -> str:
        """The first signature, which names the transaction."""
        return self.transaction.signatures[0]

    def message(self) -> _Message:
        """What was signed.

        Raises:
            MalformedTransactionError: it has another shape.
        """
        return _decoded(_messages, self.transaction.message)

    def accounts(self) -> list[str]:
        """Every account of the transaction, in the order that its instructions count them.

        Raises:
            MalformedTransactionError: as `message`.
        """
        loaded = self.meta.loaded_addresses or _Loaded()
        return [*self.message().account_keys, *loaded.writable, *loaded.readonly]


class Row(Struct, gc=False):
    """One event as chain_events keeps it. `market` is the id on chain in hex, `data` JSON.

    `trade` is the event itself where it is one: it is summed before it is kept.
    """

    signature: str
    ordinal: int
    slot: int
    tx_index: int
    block_time_s: int
    event_type: str
    market: str | None
    wallet: str | None
    data: str
    trade: Trade | None = None


class Transaction(Struct):
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


def open_transaction(text: bytes | msgspec.Raw) -> RawTransaction:
    """A transaction's shape, from its JSON; what it says is not read yet.

    Raises:
        MalformedTransactionError: it has another shape.
    """
    raw = _decoded(_transactions, text)
    try:
        Signature.from_string(raw.signature)
    except ValueError as error:
        raise MalformedTransactionError(f"The signature: {error}") from None
    return raw


def _decoded[StructT](decoder: Decoder[StructT], text: bytes | msgspec.Raw) -> StructT:
    try:
        return decoder.decode(text)
    except (ValueError, RecursionError) as error:
        raise MalformedTransactionError(f"{type(error).__name__}: {error}"[:200]) from None


def read_transaction(
    raw: RawTransaction, ours: Watched, tx_index: int | None = None
) -> Transaction:
    """A transaction's events; `tx_index` is its place in the block where `raw` does not say it.

    Raises:
        MalformedTransactionError: what was signed has another shape, or an instruction names an
            account that is not there.
    """
    signature, slot, time_s, meta = raw.signature, raw.slot, raw.block_time, raw.meta
    if meta.err is not None:
        return Transaction(signature, slot, time_s, has_failed=True)
    place = tx_index if raw.index_within_block is None else raw.index_within_block
    reading = read_logs(meta.log_messages or (), ours.programme)
    found = reading.found
    complete = reading.is_complete and meta.log_messages is not None
    try:
        if meta.inner_instructions:
            found = found + read_inner(meta.inner_instructions, raw.accounts(), *ours)
        # Whose logs are cut off may only have named the programme, and anybody may do that.
        if not (complete or found) and meta.inner_instructions is not None:
            complete = not any(_calls(raw, ours.programme))
    except IndexError as error:
        raise MalformedTransactionError(f"IndexError: {error}") from None
    if place is None:
        return Transaction(signature, slot, time_s, is_complete=complete and not found)
    rows = [_row(signature, slot, place, time_s, one) for one in found]
    return Transaction(signature, slot, time_s, rows, complete)


def accounts_of(raw: RawTransaction, programme: str) -> set[str]:
    """The accounts that a transaction's calls of a programme name, called from within or not.

    Raises:
        IndexError: an instruction names an account that is not there.
        MalformedTransactionError: what was signed has another shape.
    """
    keys = raw.accounts()
    return {keys[place] for one in _calls(raw, programme) for place in one.accounts}


def _calls(raw: RawTransaction, programme: str) -> Iterator[Instruction]:
    """The instructions that a programme was given, from within too."""
    keys = raw.accounts()
    yield from (
        one
        for one in chain(
            raw.message().instructions,
            *(group.instructions for group in raw.meta.inner_instructions or ()),
        )
        if keys[one.program_id_index] == programme
    )


def _row(signature: str, slot: int, place: int, time_s: int, found: Found) -> Row:
    event: tuple[Any, ...] | None = found.event
    if event is None or not 0 <= event[(shape := _SHAPES[type(event)]).time_at] < MAX_UNIX_S:
        # A programme newer than this code, or a time that no clock can say: kept as it came.
        data = orjson.dumps({"bytes": found.data.hex()}).decode()
        return Row(signature, found.ordinal, slot, place, time_s, UNKNOWN, None, None, data)
    values = list(event)
    for at, tell in shape.told:
        values[at] = tell(values[at])
    market = None if shape.market_at is None else values[shape.market_at]
    wallet = None if shape.actor_at is None else values[shape.actor_at]
    data = msgspec.json.encode(shape.fields(*values)).decode()
    trade = found.event if isinstance(found.event, Trade) else None
    return Row(
        signature, found.ordinal, slot, place, time_s, shape.name, market, wallet, data, trade
    )


class _Shape(NamedTuple):
    """How an event is told: its fields as JSON has them, and what makes those of some."""

    name: str
    fields: type[Struct]
    told: tuple[tuple[int, Callable[[Any], Any]], ...]
    market_at: int | None
    actor_at: int | None
    time_at: int


@functools.lru_cache(maxsize=10_000)
def _key_text(key: bytes) -> str:
    return str(Pubkey(key))


def _hash_text(text: bytes) -> str:
    """An IPFS hash; whoever resolves a market may put any bytes there."""
    return text.decode() if text.isalnum() else text.hex()


def _shape_of(kind: type[Event]) -> _Shape:
    told: list[tuple[int, Callable[[Any], Any]]] = []
    for at, (name, annotation) in enumerate(get_type_hints(kind, include_extras=True).items()):
        if name == "market_id":
            told.append((at, bytes.hex))
        elif annotation == Key:
            told.append((at, _key_text))
        elif annotation == Text46:
            told.append((at, _hash_text))
    names = kind._fields
    return _Shape(
        name=kind.__name__,
        fields=msgspec.defstruct(kind.__name__, names),
        told=tuple(told),
        market_at=_first(names, "market_id"),
        actor_at=_first(names, *_ACTORS),
        time_at=next(at for at, name in enumerate(names) if name in _TIMES),
    )


def _first(names: tuple[str, ...], *wanted: str) -> int | None:
    return next((names.index(name) for name in wanted if name in names), None)


_SHAPES: dict[type, _Shape] = {kind: _shape_of(kind) for kind in KINDS.values()}
_transactions = Decoder(RawTransaction)
_messages = Decoder(_Message)
