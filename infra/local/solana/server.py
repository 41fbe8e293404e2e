"""The cluster over HTTP: JSON-RPC at `/`, Helius' API at `/v0/webhooks`, switches at `/_local/`."""

import asyncio
import contextlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import orjson

from infra.local.asgi import (
    JSON_HEADERS,
    BodyTooLargeError,
    DisconnectedError,
    Receive,
    Scope,
    Send,
    end_if_failed,
    read_body,
    respond,
)
from infra.local.clock import simulated
from infra.local.solana.chain import Chain, faults_of, shown_faults
from infra.local.solana.helius import API_PATH, DeliveryFaults, Helius
from infra.local.solana.rpc import INVALID_REQUEST, PARSE_ERROR, Rpc, RpcError

MAX_BODY_BYTES = 1_000_000
MAX_BATCH = 100


@dataclass
class Server:
    """The ASGI application."""

    chain: Chain
    helius: Helius
    state_file: Path | None = None

    def __post_init__(self) -> None:
        self._rpc = Rpc(self.chain)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request, or the server's start and stop."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        try:
            body = await read_body(receive, MAX_BODY_BYTES)
        except DisconnectedError:
            return
        except BodyTooLargeError:
            await respond(send, 413, b'{"error": "too large"}')
            return
        path: str = scope["path"]
        if path.startswith("/_local/"):
            status, answer = await self._control(path.removeprefix("/_local/"), body)
        elif path.startswith(API_PATH):
            query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
            given = orjson.loads(body) if body else {}
            status, answer = self.helius.api(scope["method"], path, query.get("api-key", ""), given)
        else:
            await self._serve_rpc(body, send)
            return
        await respond(send, status, orjson.dumps(answer))

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        loop = None if simulated() else asyncio.create_task(self.helius.run())
        if loop is not None:
            loop.add_done_callback(end_if_failed)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if loop is not None:
            loop.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await loop
        if self.state_file is not None:
            scratch = self.state_file.with_name(f"{self.state_file.name}.new")
            saved = self.chain.saved() | {"hooks": self.helius.hooks}
            scratch.write_bytes(orjson.dumps(saved))
            scratch.replace(self.state_file)
        await self.helius.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve_rpc(self, body: bytes, send: Send) -> None:
        try:
            asked = orjson.loads(body)
        except orjson.JSONDecodeError:
            await respond(send, 200, orjson.dumps(_failure(None, PARSE_ERROR, "Parse error")))
            return
        faults, methods = self.chain.faults, _methods(asked)
        if faults.slow_s:
            await asyncio.sleep(faults.slow_s)
        if faults.status and any(faults.strikes("times", method) for method in methods):
            headers = [*JSON_HEADERS]
            if faults.status == 429:  # noqa: PLR2004 - Too Many Requests
                headers.append((b"retry-after", str(faults.retry_after_s).encode()))
            refused = _failure(None, -32005, "The node does not serve this now.")
            await respond(send, faults.status, orjson.dumps(refused), headers)
            return
        if isinstance(asked, list):
            answer: Any = [self._one(one) for one in asked[:MAX_BATCH]]
        else:
            answer = self._one(asked)
        if any(faults.strikes("lose_answers", method) for method in methods):
            await respond(send, 504, b"upstream timed out", [(b"content-type", b"text/html")])
            return
        await respond(send, 200, orjson.dumps(answer))

    def _one(self, asked: Any) -> dict[str, Any]:  # noqa: ANN401 - a stranger's JSON
        if not isinstance(asked, dict) or not isinstance(asked.get("method"), str):
            return _failure(None, INVALID_REQUEST, "Invalid request")
        params = asked.get("params") or []
        if not isinstance(params, list):
            params = [params]
        head = {"jsonrpc": "2.0", "id": asked.get("id")}
        try:
            return head | {"result": self._rpc.answer(asked["method"], params)}
        except RpcError as error:
            return head | {"error": error.shown}

    async def _control(self, command: str, body: bytes) -> tuple[int, Any]:
        given = orjson.loads(body) if body else {}
        shown: dict[str, Any]
        try:
            match command:
                case "faults":
                    self.chain.faults = faults_of(given)
                    shown = shown_faults(self.chain.faults)
                case "deliveries":
                    self.helius.faults = DeliveryFaults(**given)
                    shown = asdict(self.helius.faults)
                case "deliver" | "flush":
                    shown = asdict(await self.helius.deliver(everything=command == "flush"))
                case "slots":
                    self.chain.slots.skip(int(given.get("advance", 0)))
                    self.chain.hold_slot = bool(given.get("hold", self.chain.hold_slot))
                    shown = self._state()
                case "state":
                    shown = self._state()
                case _:
                    return 404, {"error": f"{command} not found"}
        except TypeError as error:
            return 400, {"error": str(error)}
        return 200, shown

    def _state(self) -> dict[str, Any]:
        self.chain.settle()
        slots = self.chain.slots
        return {
            "slot": slots.now,
            "blockHeight": slots.height(slots.now),
            "landed": len(self.chain.bank.records),
            "authority": str(self.chain.authority.pubkey()),
            "pendingDeliveries": len(self.helius.pending),
        }


def _methods(asked: Any) -> list[str]:  # noqa: ANN401 - a stranger's JSON
    requests = asked if isinstance(asked, list) else [asked]
    return [str(one.get("method")) for one in requests if isinstance(one, dict)] or [""]


def _failure(request_id: Any, code: int, message: str) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}}
