"""What a USDT costs in a fiat currency: Binance P2P and CoinGecko.

Protocols: Binance C2C `POST /bapi/c2c/v2/friendly/c2c/adv/search`, one page of the advertisements
that sell USDT; CoinGecko `GET /api/v3/simple/price?ids=tether`.
"""

import statistics
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

from presage import clock, config
from presage.adapters import http_json
from presage.adapters.spot_prices import exact_price
from presage.errors import UpstreamError

ADVERTISEMENTS = 10
_OK = "000000"


@dataclass(frozen=True)
class Quote:
    """What one USDT cost, as one source saw it at `observed_at`."""

    source: str
    observed_at: datetime
    value: Decimal


def binance_p2p(currency: str, now: datetime) -> Quote:
    """The median price of the first page of people's offers, which have no time but now.

    Raises:
        UpstreamError: it did not answer, or not with offers.
        UnprocessableError: it refuses what was asked.
    """
    answer = http_json.ask(
        "binance_p2p",
        f"{config.get('BINANCE_P2P_URL')}/bapi/c2c/v2/friendly/c2c/adv/search",
        body={
            "asset": "USDT",
            "fiat": currency,
            "tradeType": "BUY",
            "page": 1,
            "rows": ADVERTISEMENTS,
            "payTypes": [],
            "countries": [],
            "publisherType": None,
        },
    )
    try:
        if answer["code"] != _OK:
            raise UpstreamError(f"Binance P2P answers {answer['code']}.")
        offers = [
            exact_price(offer["adv"]["price"])
            for offer in answer["data"]
            if (offer["adv"]["asset"], offer["adv"]["fiatUnit"]) == ("USDT", currency)
        ]
        return Quote("binance_p2p", now, statistics.median(offers))
    except (KeyError, TypeError, ValueError) as error:
        raise UpstreamError("Binance P2P's answer has another shape, or no offers.") from error


def coingecko(currency: str) -> Quote:
    """CoinGecko's price, of the moment that it was last updated.

    Raises:
        UpstreamError: it did not answer, or not with a price.
        UnprocessableError: it refuses what was asked.
    """
    answer = http_json.ask(
        "coingecko",
        f"{config.get('COINGECKO_URL')}/api/v3/simple/price",
        params={
            "ids": "tether",
            "vs_currencies": currency.lower(),
            "include_last_updated_at": "true",
            "precision": "full",
        },
    )
    try:
        price = answer["tether"]
        observed_at = clock.from_ms(int(price["last_updated_at"]) * 1000)
        # A JSON number: its shortest text is what was sent.
        return Quote("coingecko", observed_at, exact_price(str(price[currency.lower()])))
    except (KeyError, TypeError, ValueError, OverflowError, InvalidOperation) as error:
        raise UpstreamError("CoinGecko's answer has another shape.") from error
