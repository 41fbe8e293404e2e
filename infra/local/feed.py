"""A price feed on loopback that speaks Binance and Coinbase, from recorded or made-up ticks.

Protocols: Binance Spot REST `/api/v3/ticker/24hr` and `/api/v3/klines` (1s); Coinbase Exchange
REST `/products/{id}/ticker`. Only what had been received by the clock's now is served, and of two
ticks of one moment the one received later wins. A tick of second T is the kline that opens at
T - 1 s; a second without a tick is a kline without trades that carries the price.
"""

import csv
import gzip
import threading
import time
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl

import orjson
import uvicorn

from infra.local.asgi import Application, Receive, Scope, Send, answer_lifespan, respond
from infra.local.ports import LOOPBACK, free_port, wait_accepting

SECOND_MS = 1_000
DAY_MS = 86_400_000
DEFAULT_LIMIT = 500
MAX_LIMIT = 1_000
_START_TIMEOUT_S = 10.0
_NO_PRICE = Decimal(0)


@dataclass(frozen=True, order=True)
class FeedTick:
    """One price: when it was received, when it was observed (unix ms), and the exact value."""

    recv_ms: int
    feed_ms: int
    value: Decimal


class FeedError(Exception):
    """A request the venue would refuse; the status and the venue's own body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        self.status = status
        self.body = body
        super().__init__(str(body))


def read_ticks(path: Path) -> list[FeedTick]:
    """The rows of a csv.gz with feed_ts_ms, full_accuracy_value (scaled by 1e18) and recv_ms.

    Raises:
        ValueError: a row or column is not of that shape.
    """
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        try:
            return [
                FeedTick(
                    recv_ms=int(row["recv_ms"]),
                    feed_ms=int(row["feed_ts_ms"]),
                    value=Decimal(f"{int(row['full_accuracy_value'])}E-18"),
                )
                for row in csv.DictReader(lines)
            ]
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path}: no column {error}") from error


class TickStore:
    """What a clock may know of the ticks. Asking for an earlier time than before starts over."""

    def __init__(self, ticks: Iterable[FeedTick]) -> None:
        self._by_receipt = sorted(ticks)
        self._shown = 0
        self._seen_ms = 0
        self._moments: list[int] = []
        self._values: dict[int, Decimal] = {}

    def advance(self, now_ms: int) -> None:
        """Show everything received by `now_ms`."""
        if now_ms < self._seen_ms:
            self._shown = 0
            self._moments.clear()
            self._values.clear()
        self._seen_ms = now_ms
        while self._shown < len(self._by_receipt):
            tick = self._by_receipt[self._shown]
            if tick.recv_ms > now_ms:
                return
            if tick.feed_ms not in self._values:
                insort(self._moments, tick.feed_ms)
            self._values[tick.feed_ms] = tick.value
            self._shown += 1

    def last(self) -> tuple[int, Decimal] | None:
        """The newest tick: its moment and its value."""
        if not self._moments:
            return None
        return self._moments[-1], self._values[self._moments[-1]]

    def first_ms(self) -> int | None:
        """The oldest tick's moment."""
        return self._moments[0] if self._moments else None

    def within(self, after_ms: int, until_ms: int) -> list[Decimal]:
        """The values of `after_ms < moment <= until_ms`, in order of time."""
        low, high = bisect_right(self._moments, after_ms), bisect_right(self._moments, until_ms)
        return [self._values[moment] for moment in self._moments[low:high]]

    def at(self, moment_ms: int) -> Decimal | None:
        """The value that stood at a moment, however old it was."""
        index = bisect_right(self._moments, moment_ms)
        return self._values[self._moments[index - 1]] if index else None

    def since(self, moment_ms: int) -> Decimal | None:
        """The first value at or after a moment."""
        index = bisect_left(self._moments, moment_ms)
        return self._values[self._moments[index]] if index < len(self._moments) else None


class PriceFeed:
    """The ASGI application. `symbol` is like BTC/USD; `now_ms` is the shared clock."""

    def __init__(self, ticks: Iterable[FeedTick], symbol: str, now_ms: Callable[[], int]) -> None:
        base, quote = symbol.split("/")
        # Binance has no dollar: its pair against USDT stands for it.
        self._pair = base + ("USDT" if quote == "USD" else quote)
        self._product = f"{base}-{quote}"
        self._store = TickStore(ticks)
        self._now_ms = now_ms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request, or the server's start and stop."""
        if scope["type"] == "lifespan":
            await answer_lifespan(receive, send)
            return
        try:
            query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
            status, body = 200, self.answer(scope["path"], query)
        except FeedError as error:
            status, body = error.status, error.body
        await respond(send, status, orjson.dumps(body))

    def answer(self, path: str, query: dict[str, str]) -> Any:  # noqa: ANN401 - JSON
        """The JSON of one GET.

        Raises:
            FeedError: the venue would refuse it.
        """
        now_ms = self._now_ms()
        self._store.advance(now_ms)
        match path.strip("/").split("/"):
            case ["api", "v3", "ticker", "24hr"]:
                self._require_pair(query)
                return self._ticker(now_ms)
            case ["api", "v3", "klines"]:
                self._require_pair(query)
                return self._klines(query, now_ms)
            case ["products", product, "ticker"] if product == self._product:
                return self._coinbase(now_ms)
        raise FeedError(404, {"message": "NotFound"})

    def _require_pair(self, query: dict[str, str]) -> None:
        if "symbol" not in query:
            message = "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."
            raise FeedError(400, {"code": -1102, "msg": message})
        if query["symbol"] != self._pair:
            raise FeedError(400, {"code": -1121, "msg": "Invalid symbol."})

    def _ticker(self, now_ms: int) -> dict[str, Any]:
        moment, last = self._store.last() or (now_ms, _NO_PRICE)
        first = self._store.since(moment - DAY_MS) or last
        values = self._store.within(moment - DAY_MS, moment) or [last]
        change = last - first
        percent = change / first * 100 if first else _NO_PRICE
        return {
            "symbol": self._pair,
            "priceChange": _text(change),
            "priceChangePercent": f"{percent:.3f}",
            "weightedAvgPrice": _text(last),
            "prevClosePrice": _text(first),
            "lastPrice": _text(last),
            "lastQty": "1.00000000",
            "bidPrice": _text(last),
            "bidQty": "1.00000000",
            "askPrice": _text(last),
            "askQty": "1.00000000",
            "openPrice": _text(first),
            "highPrice": _text(max(values)),
            "lowPrice": _text(min(values)),
            "volume": "1.00000000",
            "quoteVolume": _text(last),
            "openTime": moment - DAY_MS,
            "closeTime": moment,
            "firstId": 1,
            "lastId": len(values),
            "count": len(values),
        }

    def _klines(self, query: dict[str, str], now_ms: int) -> list[list[Any]]:
        if query.get("interval") != "1s":
            raise FeedError(400, {"code": -1120, "msg": "Invalid interval."})
        limit = min(_number(query, "limit", DEFAULT_LIMIT), MAX_LIMIT)
        first = self._store.first_ms()
        if first is None:
            return []
        oldest = _opening(first)
        newest = now_ms // SECOND_MS * SECOND_MS
        end = min(_number(query, "endTime", newest), newest) // SECOND_MS * SECOND_MS
        start = max(-(-_number(query, "startTime", 0) // SECOND_MS) * SECOND_MS, oldest)
        if "startTime" not in query:
            start = max(start, end - (limit - 1) * SECOND_MS)
        stop = min(end, start + (limit - 1) * SECOND_MS)
        return [self._kline(open_ms) for open_ms in range(start, stop + 1, SECOND_MS)]

    def _kline(self, open_ms: int) -> list[Any]:
        before = self._store.at(open_ms)
        ticks = self._store.within(open_ms, open_ms + SECOND_MS)
        prices = ticks or [before or _NO_PRICE]
        quantity = f"{len(ticks)}.00000000"
        return [
            open_ms,
            _text(prices[0]),
            _text(max(prices)),
            _text(min(prices)),
            _text(prices[-1]),
            quantity,
            open_ms + SECOND_MS - 1,
            _text(sum(ticks, start=_NO_PRICE)),
            len(ticks),
            quantity,
            _text(sum(ticks, start=_NO_PRICE)),
            "0",
        ]

    def _coinbase(self, now_ms: int) -> dict[str, Any]:
        moment, last = self._store.last() or (now_ms, _NO_PRICE)
        observed = datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds")
        return {
            "ask": _text(last),
            "bid": _text(last),
            "volume": "1.00000000",
            "trade_id": moment // SECOND_MS,
            "price": _text(last),
            "size": "1.00000000",
            "time": observed.replace("+00:00", "Z"),
        }


def _opening(moment_ms: int) -> int:
    """When the kline opens whose last price a tick of this moment is."""
    return -(-moment_ms // SECOND_MS) * SECOND_MS - SECOND_MS


def _text(value: Decimal) -> str:
    return format(value, "f")


def _number(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit():
        message = f"Illegal characters found in parameter '{name}'; legal range is '[0-9]{{1,20}}'."
        raise FeedError(400, {"code": -1100, "msg": message})
    return int(text)


class FeedServer:
    """Serves a feed on a thread of this process: `with FeedServer(feed) as server: server.url`."""

    def __init__(self, feed: Application) -> None:
        self.port = free_port()
        self._server = uvicorn.Server(
            uvicorn.Config(
                feed,
                host=LOOPBACK,
                port=self.port,
                http="httptools",
                ws="none",
                log_level="warning",
                access_log=False,
            )
        )
        self._thread = threading.Thread(target=self._server.run, name="price-feed", daemon=True)

    @property
    def url(self) -> str:
        """What BINANCE_URL and COINBASE_URL are set to."""
        return f"http://{LOOPBACK}:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        if not wait_accepting(self.port, _START_TIMEOUT_S):
            raise TimeoutError(f"the price feed does not answer on port {self.port}")
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        deadline = time.monotonic() + _START_TIMEOUT_S
        while self._thread.is_alive() and time.monotonic() < deadline:
            self._thread.join(0.05)
