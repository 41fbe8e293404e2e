"""Borsh, as far as Anchor programmes need it: structs of numbers, keys, byte arrays and options.

Source: https://borsh.io. Little-endian integers, `bool` and enums one byte, an option is a tag byte
and then the value. A layout is read from the annotations of a NamedTuple, so that a type and its
bytes are written down once.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, get_args, get_type_hints

U8 = Annotated[int, "B"]
U16 = Annotated[int, "H"]
U32 = Annotated[int, "I"]
U64 = Annotated[int, "Q"]
I64 = Annotated[int, "q"]
Bool = Annotated[bool, "?"]
Key = Annotated[bytes, "32s"]
Bytes32 = Annotated[bytes, "32s"]
Text46 = Annotated[bytes, "46s"]
Reserved64 = Annotated[bytes, "64s"]
Reserved119 = Annotated[bytes, "119s"]
OptionBool = Annotated[bool | None, "?", "option"]
OptionU32 = Annotated[int | None, "I", "option"]
OptionI64 = Annotated[int | None, "q", "option"]

type Fields = Mapping[str, Any]  # a field's name and its annotation, in order


class DecodeError(ValueError):
    """The bytes are not of this layout: too short, too long, or no bool where one must be."""


@dataclass(frozen=True)
class _Run:
    """Fields of fixed size that stand next to each other, or one option."""

    packing: struct.Struct
    names: tuple[str, ...]
    bools: tuple[int, ...]  # offsets in the run
    is_option: bool = False


class Layout:
    """How a struct lies in bytes. Values come and go as a tuple, in the order of its fields."""

    def __init__(self, fields: Fields) -> None:
        """Compile the annotations of a struct's fields."""
        self.names = tuple(fields)
        self._runs = tuple(_runs(fields))
        is_one_run = len(self._runs) == 1 and not self._runs[0].is_option
        self._only = self._runs[0] if is_one_run else None

    def encode(self, values: tuple[Any, ...]) -> bytes:
        """The bytes of these values.

        Raises:
            struct.error: a value is out of its type's range.
        """
        given = iter(values)
        parts = []
        for run in self._runs:
            taken = [next(given) for _ in run.names]
            for value, size in zip(taken, _byte_sizes(run.packing.format), strict=True):
                if isinstance(value, bytes) and len(value) != size:
                    raise struct.error(f"{len(value)} bytes where {size} must be")
            if not run.is_option:
                parts.append(run.packing.pack(*taken))
            elif taken[0] is None:
                parts.append(b"\0")
            else:
                parts.append(b"\1" + run.packing.pack(*taken))
        return b"".join(parts)

    def decode(self, data: bytes, offset: int = 0) -> tuple[Any, ...]:
        """The values of exactly these bytes, from `offset` to their end.

        Raises:
            DecodeError: they are not of this layout.
        """
        # Most structs are one run.
        if (run := self._only) and len(data) - offset == run.packing.size:
            _require_bools(run, data, offset)
            return run.packing.unpack_from(data, offset)
        values, end = self.decode_from(data, offset)
        if end != len(data):
            raise DecodeError(f"{len(data) - end} bytes are left over")
        return values

    def decode_from(self, data: bytes, offset: int = 0) -> tuple[tuple[Any, ...], int]:
        """The values that begin at `offset`, and where they end.

        Raises:
            DecodeError: they are not of this layout.
        """
        values: tuple[Any, ...] = ()
        try:
            for run in self._runs:
                if run.is_option:
                    tag = data[offset]
                    offset += 1
                    if tag == 0:
                        values += (None,)
                        continue
                    if tag != 1:
                        raise DecodeError(f"{tag} is no option's tag")
                values += run.packing.unpack_from(data, offset)
                _require_bools(run, data, offset)
                offset += run.packing.size
        except (struct.error, IndexError):
            raise DecodeError("the bytes end too early") from None
        return values, offset


def _require_bools(run: _Run, data: bytes, offset: int) -> None:
    for place in run.bools:
        if data[offset + place] > 1:
            raise DecodeError(f"{data[offset + place]} is no bool")


def layout_of(kind: type[NamedTuple]) -> Layout:
    """The layout of a NamedTuple whose fields are annotated with the types above."""
    return Layout(get_type_hints(kind, include_extras=True))


def _runs(fields: Fields) -> list[_Run]:
    runs: list[_Run] = []
    names: list[str] = []
    codes: list[str] = []

    def close(*, is_option: bool = False) -> None:
        if names:
            bools = [
                struct.calcsize("<" + "".join(codes[:at]))
                for at, code in enumerate(codes)
                if code == "?"
            ]
            packing = struct.Struct("<" + "".join(codes))
            runs.append(_Run(packing, tuple(names), tuple(bools), is_option))
            names.clear()
            codes.clear()

    for name, annotation in fields.items():
        _, code, *option = get_args(annotation)
        if option:
            close()
        names.append(name)
        codes.append(code)
        if option:
            close(is_option=True)
    close()
    return runs


def _byte_sizes(packing: str) -> list[int]:
    """The size of each field of a struct format such as `<32sQ?`; struct would pad silently."""
    sizes = []
    digits = ""
    for char in packing[1:]:
        if char.isdigit():
            digits += char
        else:
            sizes.append(int(digits) if digits else struct.calcsize("<" + char))
            digits = ""
    return sizes
