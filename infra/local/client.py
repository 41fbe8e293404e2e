"""A small client of the platform's HTTP API for local programs: replay, demo, seed.

Signs in as a wallet does (EIP-4361 by /auth/nonce and /auth/connect-wallet), keeps its connection
alive, and counts what it did: requests, refusals of orders, errors, latencies.
"""

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Protocol, Self

import httpx
import orjson
from coincurve import PrivateKey

from presage.identity.siwe import checksum_address, keccak256

TIMEOUT_S = 35.0  # the gateway answers 503 by itself after 30
# Refusals that are business, not faults: funds, state or idempotency, a FOK that cannot fill.
REFUSALS = frozenset(
    {HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}
)


class ApiError(Exception):
    """The platform's answer was an error; `code` is one of its published codes."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status = status
        self.code = code
        super().__init__(f"{status} {code}: {message}")


class OrderRefusedError(ApiError):
    """An order was refused for a business reason (402, 409 or 422)."""


@dataclass
class Traffic:
    """What clients did. Latencies are of placed or refused orders, in milliseconds.

    `changes` counts the splits, merges and conversions of shares.
    """

    requests: int = 0
    orders: int = 0
    fills: int = 0
    errors: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    samples: list[str] = field(default_factory=list)
    order_ms: list[float] = field(default_factory=list)

    def percentile_ms(self, percent: int) -> float:
        """The latency that `percent` of the orders did not exceed; 0 without orders."""
        ordered = sorted(self.order_ms)
        return round(ordered[(len(ordered) - 1) * percent // 100], 2) if ordered else 0.0

    def fault(self, what: str) -> None:
        """Count an error, keeping the first few as samples."""
        self.errors += 1
        if len(self.samples) < 20:  # noqa: PLR2004 - enough to see what went wrong
            self.samples.append(what)


class Signer(Protocol):
    """A wallet that can sign in."""

    chain: str
    address: str

    def sign(self, text: str) -> str:
        """The wallet's signature of a text."""


class Wallet:
    """A secp256k1 key and its Ethereum address; the same seed makes the same wallet."""

    chain = "evm"

    def __init__(self, seed: str) -> None:
        self._key = PrivateKey(keccak256(seed.encode()))
        public = self._key.public_key.format(compressed=False)[1:]
        self.address = checksum_address("0x" + keccak256(public)[-20:].hex())

    def sign(self, text: str) -> str:
        """An EIP-191 (personal_sign) signature of a text, as 0x hex."""
        body = text.encode()
        prefix = f"\x19Ethereum Signed Message:\n{len(body)}".encode()
        raw = self._key.sign_recoverable(keccak256(prefix + body), hasher=None)
        return "0x" + (raw[:64] + bytes([raw[64] + 27])).hex()


@dataclass(frozen=True)
class PlacedOrder:
    """An accepted order. Prices are in the order's own position; `fills` are (price, size)."""

    id: str
    status: str
    filled: Decimal
    cost: Decimal
    fee: Decimal
    fills: tuple[tuple[Decimal, Decimal, str], ...]


@dataclass(frozen=True)
class Book:
    """YES prices and sizes, best first."""

    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]


class ApiClient:
    """One caller of the platform: anonymous, or signed in by `sign_in`."""

    def __init__(self, base_url: str, traffic: Traffic | None = None) -> None:
        self.traffic = traffic or Traffic()
        self.user_id = ""
        self.address = ""
        self.token = ""
        self._http = httpx.Client(base_url=base_url, timeout=TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def sign_in(self, wallet: Signer) -> Self:
        """Open a session for a wallet; later calls carry it."""
        asked = {"address": wallet.address, "chain": wallet.chain}
        message = self.post("/auth/nonce", asked)["message"]
        connected = self.post(
            "/auth/connect-wallet",
            {"address": wallet.address, "message": message, "signature": wallet.sign(message)},
        )
        self.token = connected["token"]
        self._http.headers["Authorization"] = f"Bearer {self.token}"
        # The cookie of the same session would come along unasked.
        self._http.cookies.clear()
        self.user_id = connected["session"]["user"]["id"]
        self.address = wallet.address
        return self

    # Markets

    def propose_market(self, market: Mapping[str, Any]) -> str:
        """Propose a market; its id."""
        return str(self.post("/markets", market)["id"])

    def approve_market(self, market_id: str, fee_bps: int, maker_rebate_bps: int) -> None:
        """Approve a proposal with its fees (admins)."""
        fees = {"feeBps": fee_bps, "makerRebateBps": maker_rebate_bps}
        self.post(f"/markets/{market_id}/approve", fees)

    def activate_market(self, market_id: str) -> None:
        """Open an approved market (its creator or an admin)."""
        self.post(f"/markets/{market_id}/activate", {})

    def create_outcomes(self, market_id: str, probabilities: Mapping[str, str]) -> None:
        """Make an untraded market one of several outcomes, by label, OTHER among them (admins)."""
        outcomes = [
            {"label": label, "probability": probability}
            for label, probability in probabilities.items()
        ]
        self.post(f"/markets/{market_id}/outcomes", {"exhaustive": True, "outcomes": outcomes})

    def resolve_market(self, market_id: str, outcome: str, note: str) -> None:
        """Propose an outcome, VOID for none, with a note as its evidence (admins)."""
        body = {"outcome": outcome, "evidence": {"note": note[:5_000]}}
        self.post(f"/markets/{market_id}/resolve", body)

    def market(self, ref: str) -> dict[str, Any]:
        """One market by id or slug."""
        found: dict[str, Any] = self.get(f"/markets/{ref}")
        return found

    def markets(self, **query: str | int) -> list[dict[str, Any]]:
        """One page of markets."""
        found: list[dict[str, Any]] = self.get("/markets", query)
        return found

    def stats(self, ref: str) -> dict[str, Any]:
        """A market's figures."""
        found: dict[str, Any] = self.get(f"/markets/{ref}/stats")
        return found

    def bars(self, ref: str, interval: str, hours: int = 1) -> list[dict[str, Any]]:
        """A market's YES bars, oldest first."""
        query: dict[str, str | int] = {"interval": interval, "hours": hours}
        found: list[dict[str, Any]] = self.get(f"/markets/{ref}/price-history", query)["bars"]
        return found

    def trades(self, ref: str, limit: int = 20) -> list[dict[str, Any]]:
        """A market's trades, newest first, in YES prices."""
        found: list[dict[str, Any]] = self.get(f"/markets/{ref}/trades", {"limit": limit})
        return found

    def book(self, ref: str, depth: int = 20, outcome: str | None = None) -> Book:
        """The YES book of a binary market, or of one outcome of several."""
        query: dict[str, str | int] = {"depth": depth}
        if outcome is not None:
            query["outcome"] = outcome
        found = self.get(f"/markets/{ref}/book", query)
        return Book(_levels(found["bids"]), _levels(found["asks"]))

    # Trading

    def place_order(self, order: Mapping[str, Any]) -> PlacedOrder:
        """Place an order.

        Raises:
            OrderRefusedError: 402, 409 or 422; counted as a reject and no error.
            ApiError: any other failure.
        """
        began = time.perf_counter()
        try:
            placed = self._send("POST", "/orders", order, refusals=REFUSALS)
        except OrderRefusedError as error:
            self.traffic.rejects[error.code] += 1
            raise
        finally:
            self.traffic.order_ms.append((time.perf_counter() - began) * 1000)
        self._count(placed)
        return PlacedOrder(
            id=placed["id"],
            status=placed["status"],
            filled=Decimal(placed["filledSize"]),
            cost=Decimal(placed["cost"]),
            fee=Decimal(placed["fee"]),
            fills=tuple(
                (Decimal(fill["price"]), Decimal(fill["size"]), str(fill["kind"]))
                for fill in placed["fills"]
            ),
        )

    def place_slip(self, orders: Sequence[Mapping[str, Any]], mode: str, key: str) -> None:
        """Place a bet slip; its refused orders are counted as rejects, not raised.

        Slips are not among the latencies, which are those of single orders.

        Raises:
            OrderRefusedError: 402, 409 or 422 for the slip as a whole; counted as one reject.
            ApiError: any other failure.
        """
        for placed in self._move("/orders/batch", {"mode": mode, "orders": orders}, key)["orders"]:
            if placed["status"] == "rejected":
                self.traffic.rejects[placed["code"]] += 1
            else:
                self._count(placed)

    def change_shares(
        self, kind: str, market_id: str, outcome: str | None, size: str, key: str
    ) -> None:
        """Split, merge or convert shares; no outcome means a complete set. Errors as a slip's."""
        body = {"marketId": market_id, "size": size}
        if outcome is not None:
            body["outcome"] = outcome
        self._move(f"/positions/{kind}", body, key)
        self.traffic.changes[kind] += 1

    def cancel_orders(self, market_id: str) -> int:
        """Cancel every own order in a market; how many were open."""
        query: dict[str, str | int] = {"market_id": market_id}
        return int(self._send("DELETE", "/orders", query=query)["count"])

    def positions(self, market_id: str) -> dict[str, Decimal]:
        """Own shares in a binary market, by YES and NO."""
        found = self.get("/positions", {"market_id": market_id})
        return {row["position"]: Decimal(row["size"]) for row in found["positions"]}

    def holdings(self, market_id: str) -> dict[tuple[int, str], Decimal]:
        """Own shares in a market, by outcome number and YES or NO."""
        # Fifty outcomes have a hundred positions: one page.
        found = self.get("/positions", {"market_id": market_id, "limit": 100})
        return {
            (row["outcome"], row["position"]): Decimal(row["size"]) for row in found["positions"]
        }

    def wallet(self) -> tuple[Decimal, Decimal]:
        """Own money: available, and locked in open orders."""
        found = self.get("/wallet")
        return Decimal(found["available"]), Decimal(found["locked"])

    # HTTP

    def get(self, path: str, query: Mapping[str, str | int] | None = None) -> Any:  # noqa: ANN401 - JSON
        """The data of a GET; decimals are exact.

        Raises:
            ApiError: the platform refused, failed or did not answer.
        """
        return self._send("GET", path, query=query)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """The data of a POST; errors as `get`."""
        return self._send("POST", path, body)

    def put(self, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """The data of a PUT; errors as `get`."""
        return self._send("PUT", path, body)

    def _count(self, placed: Mapping[str, Any]) -> None:
        """An accepted order."""
        self.traffic.orders += 1
        self.traffic.fills += len(placed["fills"])

    def _move(self, path: str, body: Mapping[str, Any], key: str) -> Any:  # noqa: ANN401 - JSON
        """The data of a POST that moves money under an idempotency key."""
        try:
            return self._send("POST", path, body, refusals=REFUSALS, key=key)
        except OrderRefusedError as error:
            self.traffic.rejects[error.code] += 1
            raise

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str | int] | None = None,
        refusals: frozenset[HTTPStatus] = frozenset(),
        key: str = "",
    ) -> Any:  # noqa: ANN401 - JSON
        self.traffic.requests += 1
        content = None if body is None else orjson.dumps(dict(body), default=str)
        headers = {} if body is None else {"Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        try:
            response = self._http.request(
                method, path, content=content, params=query, headers=headers
            )
        except httpx.HTTPError as error:
            self.traffic.fault(f"{method} {path}: {error!r}")
            raise ApiError(0, "TRANSPORT", repr(error)) from error
        if response.status_code < HTTPStatus.BAD_REQUEST:
            return _parse(response)["data"]
        failure = _failure(response)
        if response.status_code in refusals:
            raise OrderRefusedError(failure.status, failure.code, str(failure))
        self.traffic.fault(f"{method} {path}: {failure}")
        raise failure


def _parse(response: httpx.Response) -> dict[str, Any]:

    parsed: dict[str, Any] = json.loads(response.content, parse_float=Decimal)
    return parsed


def _failure(response: httpx.Response) -> ApiError:
    """The envelope's error, or what a gateway said in its own words."""
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        body = {}
    message = body.get("error") or body.get("message") or response.text[:200]
    return ApiError(response.status_code, body.get("code", "GATEWAY"), str(message))


def _levels(rows: list[dict[str, Any]]) -> tuple[tuple[Decimal, Decimal], ...]:
    return tuple((Decimal(row["price"]), Decimal(row["size"])) for row in rows)
