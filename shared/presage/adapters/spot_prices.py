"""Public spot prices: Binance (ticker and one-second klines) and Coinbase (ticker).

Protocols: Binance Spot REST `/api/v3/ticker/24hr` and `/api/v3/klines`; Coinbase Exchange REST
`/products/{id}/ticker`.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

from presage import clock, config
from presage.adapters import http_json
from presage.errors import UpstreamError

KLINES_PER_CALL = 1_000


@dataclass(frozen=True)
class Tick:
    """A price of `symbol` (such as BTC/USD) as one source saw it at `observed_at`."""

    source: str
    symbol: str
    observed_at: datetime
    value: Decimal


def binance_spot(symbol: str) -> Tick:
    """Binance's last price.

    Raises:
        UpstreamError: it did not answer, or not with a price.
        UnprocessableError: it does not know the symbol.
    """
    ticker = http_json.ask(
        "binance",
        f"{config.get('BINANCE_URL')}/api/v3/ticker/24hr",
        params={"symbol": _pair(symbol)},
    )
    try:
        observed_at = clock.from_ms(int(ticker["closeTime"]))
        return Tick("binance", symbol, observed_at, exact_price(ticker["lastPrice"]))
    except (KeyError, TypeError, ValueError) as error:
        raise UpstreamError("Binance's ticker has another shape.") from error


def coinbase_spot(symbol: str) -> Tick:
    """Coinbase's last trade.

    Raises:
        UpstreamError: it did not answer, or not with a price.
        UnprocessableError: it does not know the symbol.
    """
    product = symbol.replace("/", "-")
    ticker = http_json.ask("coinbase", f"{config.get('COINBASE_URL')}/products/{product}/ticker")
    try:
        observed_at = datetime.fromisoformat(ticker["time"])
        return Tick("coinbase", symbol, observed_at, exact_price(ticker["price"]))
    except (KeyError, TypeError, ValueError) as error:
        raise UpstreamError("Coinbase's ticker has another shape.") from error


def binance_history(symbol: str, since: datetime, until: datetime) -> list[Tick]:
    """Binance's prices second by second: what stood at the end of each second with a trade.

    A kline without trades only repeats the price before it, so it is no tick. A kline that closes
    at 11:59:59.999 is the price at 12:00:00.

    Raises:
        UpstreamError: it did not answer, or not with klines.
        UnprocessableError: it does not know the symbol.
    """
    klines = http_json.ask(
        "binance",
        f"{config.get('BINANCE_URL')}/api/v3/klines",
        params={
            "symbol": _pair(symbol),
            "interval": "1s",
            "startTime": clock.to_ms(since) - 1000,
            "endTime": clock.to_ms(until) - 1,
            "limit": KLINES_PER_CALL,
        },
    )
    try:
        return [
            Tick("binance", symbol, clock.from_ms(int(kline[6]) + 1), exact_price(kline[4]))
            for kline in klines
            if int(kline[8]) > 0
        ]
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise UpstreamError("Binance's klines have another shape.") from error


def _pair(symbol: str) -> str:
    """BTC/USD as Binance names it: its dollar is USDT."""
    base, quote = symbol.split("/")
    return base + ("USDT" if quote == "USD" else quote)


def exact_price(text: str) -> Decimal:
    """A price as it was written, without a float between.

    Raises:
        ValueError: it is none.
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError("not a price") from None
    if not value.is_finite() or value <= 0:
        raise ValueError("not a price")
    return value
