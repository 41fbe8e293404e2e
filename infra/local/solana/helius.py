"""Helius over the chain: raw webhooks with their faults, and the admin API for them.

Source: https://docs.helius.dev webhooks. Sent at `confirmed`; anything but 200 is tried again up to
three times a minute apart; a webhook that keeps failing is switched off.
"""

import asyncio
import random
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from infra.local.clock import now_ms
from infra.local.solana.bank import Record
from infra.local.solana.chain import Chain
from infra.local.solana.shapes import delivered

RETRIES = 3
RETRY_MS = 60_000
FAILURES_TO_DISABLE = 20
TIMEOUT_S = 30.0
POLL_S = 0.1
API_PATH = "/v0/webhooks"
_FIELDS = ("webhookURL", "transactionTypes", "accountAddresses", "webhookType", "authHeader")
_MISSING = 404, {"error": "webhook not found"}
_NOT_ALLOWED = 405, {"error": "method not allowed"}


@dataclass
class DeliveryFaults:
    """What goes wrong with deliveries; the chances, in percent, come from a seeded generator.

    `batch` transactions travel in one delivery. `hold` keeps all back until `flush`. Of a delivery
    with truncated logs only the first `truncate_logs` lines are left, and `Log truncated`.
    """

    duplicate: float = 0.0
    drop: float = 0.0
    delay_s: float = 0.0
    order: str = "chain"  # reverse, shuffle
    batch: int = 1
    truncate_logs: int = 0
    hold: bool = False
    seed: int = 1

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311 - repeatable faults

    def strikes(self, percent: float) -> bool:
        """Whether a fault of this chance happens now."""
        return percent > 0 and self.random.random() * 100 < percent


@dataclass
class Pending:
    """One delivery on its way."""

    hook: str
    records: list[Record]
    due_ms: int
    tries: int = 0


@dataclass
class Counts:
    """What a round of deliveries did; `failed` are attempts, `dropped` were given up."""

    delivered: int = 0
    failed: int = 0
    dropped: int = 0
    pending: int = 0


@dataclass
class Helius:
    """The webhooks and their deliveries."""

    chain: Chain
    api_key: str
    faults: DeliveryFaults = field(default_factory=DeliveryFaults)
    hooks: dict[str, dict[str, Any]] = field(default_factory=dict)
    pending: deque[Pending] = field(default_factory=deque)
    _failures: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # The environment's proxies have no business between the emulator and loopback.
        self._client = httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_S)
        self._delivering = asyncio.Lock()
        self.chain.on_landed = self.landed

    async def close(self) -> None:
        """Close the client's connections."""
        await self._client.aclose()

    def landed(self, record: Record) -> None:
        """Queue a landed transaction for every webhook that watches one of its accounts."""
        addresses = set(record.addresses)
        for name, hook in self.hooks.items():
            if hook["active"] and addresses & set(hook["accountAddresses"]):
                self._queue(name, record)

    def _queue(self, name: str, record: Record) -> None:
        if self.faults.strikes(self.faults.drop):
            return
        due = now_ms() + round(self.faults.delay_s * 1_000)
        copies = 2 if self.faults.strikes(self.faults.duplicate) else 1
        for _ in range(copies):
            last = self.pending[-1] if self.pending else None
            if (
                last
                and last.hook == name
                and not last.tries
                and len(last.records) < (self.faults.batch)
            ):
                last.records.append(record)
            else:
                self.pending.append(Pending(name, [record], due))

    async def run(self) -> None:
        """Deliver what is due, for ever (real time)."""
        while True:
            if not self.faults.hold:
                await self.deliver()
            await asyncio.sleep(POLL_S)

    async def deliver(self, *, everything: bool = False) -> Counts:
        """Deliver what is due, or everything although it is held, delayed or to be tried later."""
        async with self._delivering:
            counts = Counts()
            self.chain.settle()
            for one in self._chosen(everything=everything):
                await self._attempt(one, counts)
            counts.pending = len(self.pending)
            return counts

    def _chosen(self, *, everything: bool) -> list[Pending]:
        now, confirmed = now_ms(), self.chain.slots.seen("confirmed")
        chosen = [
            one
            for one in self.pending
            if everything
            or (one.due_ms <= now and all(record.slot <= confirmed for record in one.records))
        ]
        if self.faults.order == "reverse":
            chosen.reverse()
        elif self.faults.order == "shuffle":
            self.faults.random.shuffle(chosen)
        return chosen

    async def _attempt(self, one: Pending, counts: Counts) -> None:
        self.pending.remove(one)
        hook = self.hooks.get(one.hook)
        if hook is None or not hook["active"]:
            counts.dropped += 1
            return
        records = one.records[::-1] if self.faults.order == "reverse" else one.records
        if await self._post(hook, [self._shown(record) for record in records]):
            counts.delivered += 1
            self._failures[one.hook] = 0
            return
        counts.failed += 1
        self._failures[one.hook] = self._failures.get(one.hook, 0) + 1
        if self._failures[one.hook] >= FAILURES_TO_DISABLE:
            hook["active"] = False
        if one.tries >= RETRIES:
            counts.dropped += 1
            return
        one.tries += 1
        one.due_ms = now_ms() + RETRY_MS
        self.pending.append(one)

    def _shown(self, record: Record) -> dict[str, Any]:
        shown = delivered(record)
        lines = shown["meta"]["logMessages"]
        if 0 < self.faults.truncate_logs < len(lines):
            shown["meta"]["logMessages"] = [*lines[: self.faults.truncate_logs], "Log truncated"]
        return shown

    async def _post(self, hook: dict[str, Any], body: list[dict[str, Any]]) -> bool:
        headers = {"Content-Type": "application/json"}
        if hook["authHeader"]:
            headers["Authorization"] = hook["authHeader"]
        try:
            response = await self._client.post(
                hook["webhookURL"], content=orjson.dumps(body), headers=headers
            )
        except (httpx.HTTPError, httpx.InvalidURL):
            return False
        return response.status_code == httpx.codes.OK

    # The admin API

    def api(self, method: str, path: str, api_key: str, body: dict[str, Any]) -> tuple[int, Any]:
        """The answer to a request of `/v0/webhooks`."""
        if api_key != self.api_key:
            error = {"code": -32401, "message": "invalid api key provided"}
            return 401, {"jsonrpc": "2.0", "error": error}
        name = path.removeprefix(API_PATH).strip("/")
        if name:
            return self._of_one(method, name, body) if name in self.hooks else _MISSING
        if method == "POST":
            return 201, self._view(self.create(body))
        return (200, [self._view(one) for one in self.hooks]) if method == "GET" else _NOT_ALLOWED

    def _of_one(self, method: str, name: str, body: dict[str, Any]) -> tuple[int, Any]:
        hook = self.hooks[name]
        match method, body:
            case "GET", _:
                pass
            case "PUT", _:
                hook |= {key: body[key] for key in _FIELDS if key in body}
            case "PATCH", {"active": bool(active)}:
                hook["active"] = active
                self._failures[name] = 0
            case "PATCH", _:
                return 400, {"error": "active must be a boolean"}
            case "DELETE", _:
                del self.hooks[name]
                return 200, {"success": True}
            case _:
                return _NOT_ALLOWED
        return 200, self._view(name)

    def create(self, asked: dict[str, Any], name: str | None = None) -> str:
        """Make a webhook; its id."""
        name = name or str(uuid.uuid4())
        defaults = {
            "webhookURL": "",
            "transactionTypes": ["ANY"],
            "accountAddresses": [],
            "webhookType": "raw",
            "authHeader": "",
        }
        given = {key: asked[key] for key in _FIELDS if key in asked}
        self.hooks[name] = defaults | given | {"active": True}
        return name

    def _view(self, name: str) -> dict[str, Any]:
        return {"webhookID": name, "wallet": "local", "project": "local", **self.hooks[name]}
