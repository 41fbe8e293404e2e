"""A crowd of keep-alive HTTP clients in a process of its own.

`python -m infra.bench.load --port N` signs its clients in, prints their user ids as one JSON line,
then carries out each line of JSON (a `Load`) and prints what it measured, until its input ends.
Every client has a loopback address of its own, because the platform limits requests by address.
"""

import argparse
import asyncio
import random
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from infra.local.client import Wallet
from infra.local.ports import LOOPBACK

_OK = range(200, 300)
_TIMEOUT_S = 35.0


@dataclass(frozen=True, kw_only=True)
class Load:
    """`requests` of each of the first `clients`, a random pause of that mean between them."""

    market: str
    clients: int
    requests: int
    pause_ms: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Latencies in milliseconds by kind of request; failures by what was answered."""

    seconds: float
    latencies_ms: dict[str, list[float]]
    errors: dict[str, int]


class Client:
    """One connection, kept alive, and the session it signed in for."""

    def __init__(self, port: int, number: int) -> None:
        self._port = port
        self._address = f"127.0.{1 + number // 250}.{1 + number % 250}"
        self._wallet = Wallet(f"bench load {number}")
        self._authorization = b""
        self.user_id = ""

    async def connect(self) -> None:
        """Open the connection."""
        self._reader, self._writer = await asyncio.open_connection(
            LOOPBACK, self._port, local_addr=(self._address, 0)
        )

    async def sign_in(self) -> None:
        """Open a session as a wallet does."""
        asked = {"address": self._wallet.address, "chain": "evm"}
        message = (await self._data("/auth/nonce", asked))["message"]
        connected = await self._data(
            "/auth/connect-wallet",
            {
                "address": self._wallet.address,
                "message": message,
                "signature": self._wallet.sign(message),
            },
        )
        self._authorization = f"Authorization: Bearer {connected['token']}\r\n".encode()
        self.user_id = connected["session"]["user"]["id"]

    async def _data(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        status, content = await self.send("POST", path, body)
        if status not in _OK:
            raise RuntimeError(f"{path} answered {status}: {content[:200]!r}")
        data: dict[str, Any] = orjson.loads(content)["data"]
        return data

    async def send(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> tuple[int, bytes]:
        """One request; its status and content."""
        content = orjson.dumps(body) if body is not None else b""
        head = f"{method} /api/v1{path} HTTP/1.1\r\nHost: {LOOPBACK}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        self._writer.write(head.encode() + self._authorization + b"\r\n" + content)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        lines = answer.split(b"\r\n")
        length = next(
            int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length")
        )
        return int(lines[0].split(b" ")[1]), await self._reader.readexactly(length)

    async def run(self, load: Load, number: int, found: Measured) -> None:
        """This client's part of a load."""
        rng = random.Random(load.seed * 1_000 + number)  # noqa: S311 - a flow, no secret
        await asyncio.sleep(rng.random() * load.pause_ms / 1000)
        for turn in range(load.requests):
            kind, method, path, body = _next(rng, load, number, turn)
            began = time.perf_counter()
            status, content = await asyncio.wait_for(self.send(method, path, body), _TIMEOUT_S)
            found.latencies_ms[kind].append((time.perf_counter() - began) * 1000)
            if status not in _OK:
                name = f"{kind} {status} {content[:120].decode(errors='replace')}"
                found.errors[name] = found.errors.get(name, 0) + 1
            if load.pause_ms:
                await asyncio.sleep(rng.expovariate(1000 / load.pause_ms))


# What a front end asks for, in hundredths; orders first.
_MIX = {
    "order": 20,
    "book": 20,
    "market": 20,
    "stats": 10,
    "history": 10,
    "positions": 10,
    "wallet": 10,
}


def _next(
    rng: random.Random, load: Load, number: int, turn: int
) -> tuple[str, str, str, dict[str, Any] | None]:
    """The next request: its kind, method, path and body."""
    (kind,) = rng.choices(list(_MIX), list(_MIX.values()))
    if kind == "order":
        order = {
            "marketId": load.market,
            "side": "BUY",
            "position": "YES" if number % 2 == 0 else "NO",
            "price": f"{min(99, max(1, round(rng.gauss(49, 4)))) / 100:.2f}",
            "size": rng.randint(1, 10),
            "clientOrderId": f"load-{load.seed}-{turn}",
        }
        return kind, "POST", "/orders", order
    market = f"/markets/{load.market}"
    paths = {
        "book": f"{market}/book",
        "market": market,
        "stats": f"{market}/stats",
        "history": f"{market}/price-history",
        "positions": f"/positions?market_id={load.market}",
        "wallet": "/wallet",
    }
    return kind, "GET", paths[kind], None


async def _carry_out(clients: list[Client], load: Load) -> Measured:
    found = Measured(seconds=0, latencies_ms={kind: [] for kind in _MIX}, errors=Counter())
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number, client in enumerate(clients[: load.clients]):
            group.create_task(client.run(load, number, found))
    return Measured(
        seconds=time.perf_counter() - began,
        latencies_ms=found.latencies_ms,
        errors=dict(found.errors),
    )


async def _serve(port: int, count: int) -> None:
    clients = [Client(port, number) for number in range(count)]
    for client in clients:
        await client.connect()
        await client.sign_in()
    _say([client.user_id for client in clients])
    while line := await asyncio.to_thread(sys.stdin.readline):
        _say(asdict(await _carry_out(clients, Load(**orjson.loads(line)))))


def _say(what: object) -> None:
    print(orjson.dumps(what).decode(), flush=True)


def main() -> None:
    """Serve loads from standard input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--clients", type=int, required=True)
    options = parser.parse_args()
    asyncio.run(_serve(options.port, options.clients))


if __name__ == "__main__":
    main()
