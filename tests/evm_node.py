"""An EVM node for tests: JSON-RPC `eth_call` on contract wallets (ERC-1271), and its faults.

The calldata is decoded by eth_abi and the owners' signatures are recovered by eth_account, so it
shares no code with what it tests.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from eth_abi.abi import decode, encode
from eth_account import Account
from eth_utils.crypto import keccak

SELECTOR = keccak(text="isValidSignature(bytes32,bytes)")[:4]
SIGNATURE_BYTES = 65

type Fault = Literal[
    "silent", "server error", "not json", "wrong shape", "rate limited", "internal", "null", "huge"
]
_HEAD = b'{"jsonrpc": "2.0", "id": 1, '
FAULTS: dict[Fault, tuple[int, bytes]] = {
    "server error": (500, b""),
    "not json": (200, b"<html>"),
    "wrong shape": (200, _HEAD + b'"result": {"data": "0x"}}'),
    "null": (200, _HEAD + b'"result": null}'),
    "huge": (200, _HEAD + b'"result": "0x' + b"00" * 200_000 + b'"}'),
    "rate limited": (200, _HEAD + b'"error": {"code": -32005, "message": "slow down"}}'),
    "internal": (200, _HEAD + b'"error": {"code": -32603, "message": "internal"}}'),
}


class RevertedError(Exception):
    """The contract undid itself."""


@dataclass
class EvmNode:
    """Contract wallets by address, each with its owners, all of whom must sign in their order.

    A wallet without owners reverts; an address that is not here has no code.
    """

    wallets: dict[str, list[str]] = field(default_factory=dict)
    fault: Fault | None = None
    calls: list[dict[str, Any]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def serve(self) -> Iterator[str]:
        """The node's URL, while it runs."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            self.released.set()
            server.shutdown()
            thread.join()
            server.server_close()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The JSON-RPC answer to a request."""
        assert request["jsonrpc"] == "2.0"
        head = {"jsonrpc": "2.0", "id": request["id"]}
        if request["method"] != "eth_call":
            return head | {"error": {"code": -32601, "message": "the method does not exist"}}
        call, block = request["params"]
        assert block == "latest"
        self.calls.append(call)
        try:
            returned = self._run(call["to"], bytes.fromhex(call["data"].removeprefix("0x")))
        except RevertedError:
            return head | {"error": {"code": 3, "message": "execution reverted", "data": "0x"}}
        return head | {"result": "0x" + returned.hex()}

    def _run(self, to: str, data: bytes) -> bytes:
        owners = self.wallets.get(to)
        if owners is None:
            return b""
        if not owners or data[:4] != SELECTOR:
            raise RevertedError
        digest, signature = decode(["bytes32", "bytes"], data[4:])
        parts = [
            signature[at : at + SIGNATURE_BYTES] for at in range(0, len(signature), SIGNATURE_BYTES)
        ]
        signed = [Account._recover_hash(digest, signature=part) for part in parts]  # noqa: SLF001
        return encode(["bytes4"], [SELECTOR if signed == owners else b"\xff" * 4])


def _handler(node: EvmNode) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            answer = json.dumps(node.answer(request)).encode()
            if node.fault == "silent":
                node.released.wait(30)
                self.close_connection = True
                return
            status, body = FAULTS[node.fault] if node.fault else (200, answer)
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
