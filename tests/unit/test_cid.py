"""CIDs against vectors that the world knows, and against the multiformats rules spelt out here."""

import base64
import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.ipfs import cid as cids

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
EMPTY_V0 = "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH"
HELLO_V0 = "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o"
HELLO_V1 = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"
EMPTY_V1 = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"


def test_what_everybody_calls_it() -> None:
    assert str(cids.of_file(b"hello world\n")) == HELLO_V0
    assert str(cids.of_file(b"")) == EMPTY_V0
    assert str(cids.of_raw(b"hello world")) == HELLO_V1
    assert str(cids.of_raw(b"")) == EMPTY_V1


def _raw_by_the_rules(data: bytes) -> str:
    """<base32 "b"> <version 1> <raw 0x55> <sha2-256 0x12> <32 bytes> <digest>, by bits."""
    raw = bytes([1, 0x55, 0x12, 32]) + hashlib.sha256(data).digest()
    bits = "".join(f"{byte:08b}" for byte in raw)
    bits += "0" * (-len(bits) % 5)
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    return "b" + "".join(letters[int(bits[at : at + 5], 2)] for at in range(0, len(bits), 5))


def _leb(number: int) -> bytes:
    groups = [number >> shift & 127 for shift in range(0, max(number.bit_length(), 1), 7)]
    return bytes([group | 128 for group in groups[:-1]] + [groups[-1]])


def _file_by_the_rules(data: bytes) -> str:
    """Protobuf by hand: of UnixFS the fields 1 (varint), 2 (bytes), 3 (varint), of PBNode 1."""
    fields: list[tuple[int, int, int | bytes]] = [
        (1, 0, 2),
        *([(2, 2, data)] if data else []),
        (3, 0, len(data)),
    ]
    message = b""
    for number, kind, value in fields:
        message += _leb(number << 3 | kind)
        message += _leb(value) if isinstance(value, int) else _leb(len(value)) + value
    node = _leb(1 << 3 | 2) + _leb(len(message)) + message
    rest, text = int.from_bytes(bytes([0x12, 32]) + hashlib.sha256(node).digest()), ""
    for power in range(45, -1, -1):
        digit, rest = divmod(rest, 58**power)
        text += ALPHABET[digit]
    return text


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 200_000, 262_144])
def test_every_length_by_the_rules(size: int) -> None:
    data = hashlib.shake_256(str(size).encode()).digest(size)
    assert str(cids.of_raw(data)) == _raw_by_the_rules(data)
    assert str(cids.of_file(data)) == _file_by_the_rules(data)


def test_more_than_a_block_has_no_cid() -> None:
    for make in (cids.of_raw, cids.of_file):
        with pytest.raises(ValueError, match="262145 bytes"):
            make(bytes(262_145))


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_a_cid_names_its_bytes_and_no_others(data: bytes, other: bytes) -> None:
    for made in (cids.of_raw(data), cids.of_file(data)):
        assert cids.decode(str(made)) == made
        assert made.names(data)
        assert made.names(other) == (data == other)


def test_a_dag_pb_cid_of_version_one_names_the_same_file() -> None:
    digest = cids.of_file(b"hello world\n").digest
    raw = bytes([1, 0x70, 0x12, 32]) + digest
    text = "b" + base64.b32encode(raw).decode().rstrip("=").lower()
    assert cids.decode(text).names(b"hello world\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Qm",
        HELLO_V0[:-1],
        HELLO_V0[:-1] + "0",  # not in the alphabet
        "Qm" + "z" * 44,  # more than 34 bytes
        HELLO_V1.upper(),
        "B" + HELLO_V1[1:].upper(),  # base32 upper case is another multibase
        HELLO_V1[:-1] + "f",  # the last letter's unread bits
        HELLO_V1[:-1] + "1",
        "z" + HELLO_V1[1:],
        "b" + base64.b32encode(bytes([1, 0x55, 0x13, 32]) + bytes(32)).decode().rstrip("=").lower(),
        "b" + base64.b32encode(bytes([1, 0x71, 0x12, 32]) + bytes(32)).decode().rstrip("=").lower(),
        "b" + base64.b32encode(bytes([0, 0x70, 0x12, 32]) + bytes(32)).decode().rstrip("=").lower(),
    ],
)
def test_what_is_no_cid_of_ours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"this is|known"):
        cids.decode(text)


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert str(cids.decode(text)) == text
