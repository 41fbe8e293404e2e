"""What USDT costs, on loopback, as Binance P2P and CoinGecko would say it, faults included.

Protocols: Binance C2C `POST /bapi/c2c/v2/friendly/c2c/adv/search`; CoinGecko
`GET /api/v3/simple/price`.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl

import orjson

from infra.local.asgi import Application, Receive, Scope, Send, answer_lifespan, read_body, respond

type Fault = Literal["hang", "429", "500", "malformed", "other shape", "stale", "empty"]

MAX_BODY_BYTES = 10_000
STALE_S = 86_400
_RATE_PATHS = ("/bapi/", "/api/v3/simple/")
_HEAD = [(b"content-type", b"application/json")]


@dataclass
class RateFeed:
    """The ASGI application; a test sets prices and faults as it goes. `hang_s` is a fault's."""

    now_ms: Callable[[], int]
    p2p_prices: list[str] = field(default_factory=lambda: ["122.00", "122.50", "123.00"])
    coingecko_price: float = 122.3
    fiat: str = "BDT"
    faults: dict[str, Fault] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    hang_s: float = 5.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request, or the server's start and stop."""
        if scope["type"] == "lifespan":
            await answer_lifespan(receive, send)
            return
        body = await read_body(receive, MAX_BODY_BYTES)
        match scope["method"], scope["path"]:
            case "POST", "/bapi/c2c/v2/friendly/c2c/adv/search":
                await self._answer(send, "binance_p2p", self._search(orjson.loads(body)))
            case "GET", "/api/v3/simple/price":
                query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
                await self._answer(send, "coingecko", self._simple_price(query))
            case _:
                await respond(send, 404, b'{"status": {"error_code": 404}}')

    async def _answer(self, send: Send, source: str, body: Any) -> None:  # noqa: ANN401 - JSON
        self.asked.append(source)
        match self.faults.get(source):
            case "hang":
                await asyncio.sleep(self.hang_s)
                await respond(send, 200, orjson.dumps(body))
            case "429":
                limited = b'{"status": {"error_code": 429, "error_message": "Rate limited"}}'
                await respond(send, 429, limited, [*_HEAD, (b"retry-after", b"60")])
            case "500":
                await respond(
                    send, 500, b"Internal Server Error", [(b"content-type", b"text/html")]
                )
            case "malformed":
                await respond(send, 200, b'{"code": "000000", "data": [')
            case "other shape":
                await respond(send, 200, b'{"code": "000000", "data": {}, "tether": []}')
            case _:
                await respond(send, 200, orjson.dumps(body))

    def _search(self, asked: dict[str, Any]) -> dict[str, Any]:
        fits = asked.get("asset") == "USDT" and asked.get("fiat") == self.fiat
        prices = self.p2p_prices if fits and self.faults.get("binance_p2p") != "empty" else []
        shown = prices[: int(asked.get("rows", 10))]
        return {
            "code": "000000",
            "message": None,
            "messageDetail": None,
            "data": [self._offer(number, price) for number, price in enumerate(shown)],
            "total": len(prices),
            "success": True,
        }

    def _offer(self, number: int, price: str) -> dict[str, Any]:
        return {
            "adv": {
                "advNo": str(11_500_000_000 + number),
                "classify": "mass",
                "tradeType": "SELL",
                "asset": "USDT",
                "fiatUnit": self.fiat,
                "price": price,
                "surplusAmount": "1000.00",
                "tradableQuantity": "990.00",
                "minSingleTransAmount": "1000.00",
                "maxSingleTransAmount": "100000.00",
                "payTimeLimit": 15,
                "tradeMethods": [{"identifier": "bKash", "tradeMethodName": "bKash"}],
                "fiatSymbol": "৳",
            },
            "advertiser": {
                "userNo": f"s{number:032x}",
                "nickName": f"seller{number}",
                "monthOrderCount": 200,
                "monthFinishRate": 0.98,
                "userType": "merchant",
            },
        }

    def _simple_price(self, query: dict[str, str]) -> dict[str, Any]:
        currency = query.get("vs_currencies", "")
        if query.get("ids") != "tether" or currency != self.fiat.lower():
            return {}
        updated = self.now_ms() // 1000
        if self.faults.get("coingecko") == "stale":
            updated -= STALE_S
        price: dict[str, Any] = {currency: self.coingecko_price}
        if query.get("include_last_updated_at") == "true":
            price["last_updated_at"] = updated
        return {"tether": price}


@dataclass(frozen=True)
class Venues:
    """One address for all outside prices: the rates of a `RateFeed`, all else of another feed."""

    prices: Application
    rates: RateFeed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to the feed that knows its path."""
        is_rate = scope["type"] == "http" and scope["path"].startswith(_RATE_PATHS)
        await (self.rates if is_rate else self.prices)(scope, receive, send)
