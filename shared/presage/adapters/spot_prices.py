"""Public spot prices: Binance (ticker and one-second klines) and Coinbase (ticker).

Protocols: Binance Spot REST `/api/v3/ticker/24hr` and `/api/v3/klines`; Coinbase Exchange REST
`/products/{id}/ticker`. Every call has a timeout, two bounded retries with jitter, and a breaker.
"""

import random
import time
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from presage import clock, config
from presage.adapters import breaker
from presage.errors import UnprocessableError, UpstreamError

TIMEOUT_S = 4.0
ATTEMPTS = 3
BACKOFF_S = 0.2
KLINES_PER_CALL = 1_000
_TOO_MANY = 429
_SERVER_ERROR = 500


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
    ticker = _get(
        "binance", f"{config.get('BINANCE_URL')}/api/v3/ticker/24hr", symbol=_pair(symbol)
    )
    try:
        observed_at = clock.from_ms(int(ticker["closeTime"]))
        return Tick("binance", symbol, observed_at, _price(ticker["lastPrice"]))
    except (KeyError, TypeError, ValueError) as error:
        raise UpstreamError("Binance's ticker has another shape.") from error


def coinbase_spot(symbol: str) -> Tick:
    """Coinbase's last trade.

    Raises:
        UpstreamError: it did not answer, or not with a price.
        UnprocessableError: it does not know the symbol.
    """
    product = symbol.replace("/", "-")
    ticker = _get("coinbase", f"{config.get('COINBASE_URL')}/products/{product}/ticker")
    try:
        observed_at = datetime.fromisoformat(ticker["time"])
        return Tick("coinbase", symbol, observed_at, _price(ticker["price"]))
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
    klines = _get(
        "binance",
        f"{config.get('BINANCE_URL')}/api/v3/klines",
        symbol=_pair(symbol),
        interval="1s",
        startTime=clock.to_ms(since) - 1000,
        endTime=clock.to_ms(until) - 1,
        limit=KLINES_PER_CALL,
    )
    try:
        return [
            Tick("binance", symbol, clock.from_ms(int(kline[6]) + 1), _price(kline[4]))
            for kline in klines
            if int(kline[8]) > 0
        ]
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise UpstreamError("Binance's klines have another shape.") from error


def _pair(symbol: str) -> str:
    """BTC/USD as Binance names it: its dollar is USDT."""
    base, quote = symbol.split("/")
    return base + ("USDT" if quote == "USD" else quote)


def _price(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError("not a price") from None
    if not value.is_finite() or value <= 0:
        raise ValueError("not a price")
    return value


def _get(source: str, url: str, **params: str | int) -> Any:  # noqa: ANN401 - the caller checks
    return breaker.guarded(source, lambda: _get_with_retries(source, url, params))


def _get_with_retries(source: str, url: str, params: dict[str, str | int]) -> Any:  # noqa: ANN401
    import httpx

    for attempt in range(1, ATTEMPTS + 1):
        try:
            response = httpx.get(url, params=params, timeout=TIMEOUT_S)
            if response.status_code != _TOO_MANY and response.status_code < _SERVER_ERROR:
                response.raise_for_status()
                return response.json()
        except httpx.HTTPStatusError as error:
            # Ours to mend and no outage: the breaker must not count it.
            raise UnprocessableError(f"{source} does not know what was asked for.") from error
        except (httpx.HTTPError, ValueError) as error:
            if attempt == ATTEMPTS:
                raise UpstreamError(f"{source} did not answer.") from error
        time.sleep(BACKOFF_S * attempt * (1 + random.random()))  # noqa: S311 - jitter
    raise UpstreamError(f"{source} is overloaded.")
