"""An IPFS node and a gateway on loopback: pins single blocks, and gives them back, faults included.

Protocols: Kubo RPC `/api/v0/add`, `pin/ls` and `pin/rm`; path gateway `GET /ipfs/{cid}`.
CIDs are computed here on their own, from bits, so that a mistake of the platform's is none of ours.
Run: `python -m infra.local.ipfs --port N`. Blocks are forgotten with the process.
"""

import argparse
import asyncio
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl

import orjson

from infra.local.asgi import Receive, Scope, Send, answer_lifespan, read_body, respond, serve

type Fault = Literal["500", "hang", "tamper", "huge", "redirect", "other cid"]

MAX_BODY_BYTES = 10_000_000
# Kubo's default chunker: what is larger becomes a tree, which nobody here asks for.
BLOCK_BYTES = 262_144
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_PATH = re.compile(r"^/ipfs/([a-zA-Z0-9]+)$")


def raw_cid(data: bytes) -> str:
    """CID version 1 of a raw block: multibase b, 0x01, 0x55, SHA-256 of 32 bytes."""
    bits = "".join(f"{byte:08b}" for byte in b"\x01\x55\x12\x20" + hashlib.sha256(data).digest())
    padded = bits.ljust(-(-len(bits) // 5) * 5, "0")
    return "b" + "".join(_BASE32[int(padded[at : at + 5], 2)] for at in range(0, len(padded), 5))


def file_cid(data: bytes) -> str:
    """CID version 0 of a UnixFS file in one DAG-PB block."""
    size = _varint(len(data))
    message = b"\x08\x02" + (b"\x12" + size + data if data else b"") + b"\x18" + size
    block = b"\x0a" + _varint(len(message)) + message
    rest, text = int.from_bytes(b"\x12\x20" + hashlib.sha256(block).digest()), ""
    while rest:
        rest, digit = divmod(rest, 58)
        text = _BASE58[digit] + text
    return text


def _varint(number: int) -> bytes:
    head = b""
    while number >= 128:  # noqa: PLR2004 - seven bits a byte
        head, number = head + bytes([number % 128 + 128]), number // 128
    return head + bytes([number])


@dataclass
class IpfsNode:
    """The ASGI application. `faults` are taken one a request, by command or `ipfs` for the gateway.

    Several may share their `blocks`: a node and gateways of the same network.
    """

    blocks: dict[str, bytes] = field(default_factory=dict)
    pinned: set[str] = field(default_factory=set)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    peers: set[tuple[str, int]] = field(default_factory=set)
    hang_s: float = 5.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request, or the server's start and stop."""
        if scope["type"] == "lifespan":
            await answer_lifespan(receive, send)
            return
        body = await read_body(receive, MAX_BODY_BYTES)
        path: str = scope["path"]
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        command = "ipfs" if path.startswith("/ipfs/") else path.removeprefix("/api/v0/")
        self.asked.append(command)
        self.peers.add(tuple(scope["client"]))
        faults = self.faults.get(command)
        fault = faults.pop(0) if faults else None
        match fault:
            case "500":
                await respond(
                    send, 500, b"Internal Server Error", [(b"content-type", b"text/plain")]
                )
                return
            case "hang":
                await asyncio.sleep(self.hang_s)
        if command == "ipfs":
            await self._serve(send, path, fault)
            return
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        status, answer = self._run(scope["method"], command, query, headers, body)
        if fault == "other cid":
            answer |= {"Hash": raw_cid(b"another thing")}
        await respond(send, status, orjson.dumps(answer))

    async def _serve(self, send: Send, path: str, fault: Fault | None) -> None:
        found = _PATH.match(path)
        data = self.blocks.get(found[1]) if found else None
        plain = [(b"content-type", b"text/plain")]
        if data is None:
            await respond(send, 404, b"ipfs: could not find the block", plain)
            return
        status, shown, headers = 200, data, list[tuple[bytes, bytes]]()
        match fault:
            case "tamper" if data:
                shown = bytes([data[0] ^ 1, *data[1:]])
            case "huge":
                shown = data + bytes(MAX_BODY_BYTES)
            case "redirect":
                status, headers = 302, [(b"location", path.encode())]
        await respond(
            send, status, shown, [(b"content-type", b"application/octet-stream"), *headers]
        )

    def _run(
        self,
        method: str,
        command: str,
        query: dict[str, str],
        headers: Mapping[str, str],
        body: bytes,
    ) -> tuple[int, dict[str, Any]]:
        if method != "POST":  # as Kubo, whatever the command
            return 405, {"Message": "405 - Method Not Allowed"}
        cid = query.get("arg", "")
        match command:
            case "add":
                return self._add(query, _file_of(headers.get("content-type", ""), body))
            case "pin/rm":
                if cid not in self.pinned:
                    return _failed("not pinned or pinned indirectly")
                self.pinned.remove(cid)
                return 200, {"Pins": [cid]}
            case "pin/ls":
                return 200, {"Keys": {one: {"Type": "recursive"} for one in sorted(self.pinned)}}
        return 404, {"Message": "404 page not found"}

    def _add(self, query: dict[str, str], data: bytes | None) -> tuple[int, dict[str, Any]]:
        if data is None:
            return 400, {"Message": "file argument 'path' is required", "Code": 1, "Type": "error"}
        if len(data) > BLOCK_BYTES:
            return _failed("this emulator makes no trees")
        is_raw = query.get("raw-leaves", query.get("cid-version", "0")) in {"true", "1"}
        if is_raw != (query.get("cid-version", "0") == "1"):
            return _failed("this emulator makes raw blocks of version 1 and files of version 0")
        cid = raw_cid(data) if is_raw else file_cid(data)
        self.blocks[cid] = data
        if query.get("pin", "true") == "true":
            self.pinned.add(cid)
        return 200, {"Name": cid, "Hash": cid, "Size": str(len(data))}


def _failed(message: str) -> tuple[int, dict[str, Any]]:
    """Kubo answers 500 for whatever a command did not like."""
    return 500, {"Message": message, "Code": 0, "Type": "error"}


def _file_of(content_type: str, body: bytes) -> bytes | None:
    """The first part of a multipart body (RFC 7578)."""
    boundary = re.search(r'boundary="?([^";]+)"?', content_type)
    if boundary is None:
        return None
    head, found, rest = body.partition(b"\r\n\r\n")
    end = rest.find(b"\r\n--" + boundary[1].encode())
    named = b'name="' in head and head.startswith(b"--" + boundary[1].encode())
    return rest[:end] if found and named and end >= 0 else None


def main() -> None:
    """Serve until terminated."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--port", type=int, required=True)
    serve(IpfsNode(), parser.parse_args().port)


if __name__ == "__main__":
    main()
