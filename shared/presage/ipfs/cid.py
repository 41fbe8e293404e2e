"""CIDs of what fits into one block: version 1 over raw bytes, version 0 over a UnixFS file.

Protocols: CID (https://github.com/multiformats/cid), multihash with sha2-256, multibase base32
(`b`, RFC 4648 in lower case without padding) and base58btc; DAG-PB (https://ipld.io/specs/codecs/
dag-pb/spec/) with a UnixFS `Data` message of type File (https://specs.ipfs.tech/unixfs/). Of up to
256 KiB Kubo makes the same: with `raw-leaves` version 1, without it version 0.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final, Literal

MAX_BLOCK_BYTES = 262_144
RAW: Final = 0x55
DAG_PB: Final = 0x70
# sha2-256, 32 bytes long.
_MULTIHASH = bytes((0x12, 0x20))
_DIGEST_BYTES = 32
_V0_CHARS = 46
_V1_CHARS = 59
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

type Codec = Literal[0x55, 0x70]


@dataclass(frozen=True)
class Cid:
    """What a CID says: the codec of its block, and the block's SHA-256."""

    version: Literal[0, 1]
    codec: Codec
    digest: bytes

    def __str__(self) -> str:
        """The text that `decode` reads."""
        multihash = _MULTIHASH + self.digest
        if self.version == 0:
            return _base58(multihash)
        encoded = base64.b32encode(bytes((self.version, self.codec)) + multihash)
        return "b" + encoded.decode().rstrip("=").lower()

    def names(self, data: bytes) -> bool:
        """Whether a file of these bytes, in a single block, is what this CID names."""
        block = data if self.codec == RAW else _unixfs_file(data)
        return hmac.compare_digest(hashlib.sha256(block).digest(), self.digest)


def of_raw(data: bytes) -> Cid:
    """The CID, version 1, of bytes as one raw block.

    Raises:
        ValueError: they do not fit into a block.
    """
    return Cid(1, RAW, _digest(data, data))


def of_file(data: bytes) -> Cid:
    """The CID, version 0, of a UnixFS file in one block.

    Raises:
        ValueError: the bytes do not fit into a block.
    """
    return Cid(0, DAG_PB, _digest(data, _unixfs_file(data)))


def decode(text: str) -> Cid:
    """Read a CID of a kind that we make.

    Raises:
        ValueError: it is none, or of another kind.
    """
    if len(text) == _V0_CHARS and text.startswith("Qm"):
        multihash = _from_base58(text)
        version, codec = 0, DAG_PB
    elif len(text) == _V1_CHARS and text.startswith("b") and text.islower():
        try:
            raw = base64.b32decode(text[1:].upper() + "=" * (-len(text[1:]) % 8))
        except binascii.Error as error:
            raise ValueError("this is no base32") from error
        version, codec, multihash = raw[0], raw[1], raw[2:]
    else:
        raise ValueError("this is no CID of ours")
    digest = multihash[len(_MULTIHASH) :]
    if not multihash.startswith(_MULTIHASH) or len(digest) != _DIGEST_BYTES:
        raise ValueError("only SHA-256 is known")
    match version, codec:
        case (0, 0x70):
            cid = Cid(0, DAG_PB, digest)
        case (1, 0x55):
            cid = Cid(1, RAW, digest)
        case (1, 0x70):
            cid = Cid(1, DAG_PB, digest)
        case _:
            raise ValueError("only raw and dag-pb are known")
    if str(cid) != text:  # bits that nobody reads must be zero: one name a thing
        raise ValueError("this is not how a CID is written")
    return cid


def _digest(data: bytes, block: bytes) -> bytes:
    if len(data) > MAX_BLOCK_BYTES:
        raise ValueError(f"{len(data)} bytes do not fit into a block")
    return hashlib.sha256(block).digest()


def _unixfs_file(data: bytes) -> bytes:
    """The DAG-PB node of a file without links: `Data {Type: File, Data, filesize}` as its data."""
    content = b"\x12" + _varint(len(data)) + data if data else b""
    message = b"\x08\x02" + content + b"\x18" + _varint(len(data))
    return b"\x0a" + _varint(len(message)) + message


def _varint(number: int) -> bytes:
    """An unsigned LEB128, protobuf's varint."""
    out = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _base58(data: bytes) -> str:
    """A multihash in base58btc; its first byte is never zero."""
    number, text = int.from_bytes(data), ""
    while number:
        number, digit = divmod(number, len(_BASE58))
        text = _BASE58[digit] + text
    return text


def _from_base58(text: str) -> bytes:
    number = 0
    for char in text:
        digit = _BASE58.find(char)
        if digit < 0:
            raise ValueError("this is no base58")
        number = number * len(_BASE58) + digit
    return number.to_bytes((number.bit_length() + 7) // 8)
