"""update-exchange-rate: what a USDT is worth, from two sources that must agree with the past."""

import statistics
from collections.abc import Callable
from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from presage import config, metrics
from presage.adapters import exchange_rates
from presage.adapters.exchange_rates import Quote
from presage.call import Call
from presage.errors import UnprocessableError, UpstreamError
from presage.ledger.models import GetExchangeRate
from presage.ledger.rates import get_exchange_rate, store_rate
from presage.money import MICROS
from presage.ops import alerts
from presage.workflows.run import Outcome, Run

BASE = "USDT"
STALE_FOR = timedelta(minutes=30)
# More than this at once is taken for a mistake until a human says otherwise.
MAX_MOVE = Decimal("0.05")


def update_exchange_rate(run: Run) -> Outcome:
    """Store the median of what the sources say; keep the old rate when it jumps.

    Sources that contradict each other by as much as a jump prove nothing, and are refused as one.
    An admin who sets the rate by hand moves the mark that the next one is measured by.
    """
    currency = config.get("COLLATERAL_CURRENCY")
    if currency == BASE:
        return Outcome(counts={"quotes": 0, "stored": 0, "refused": 0})
    quotes = _ask(run, currency)
    if not quotes:
        return Outcome(counts={"quotes": 0, "stored": 0, "refused": 0})
    values = [quote.value for quote in quotes]
    median = statistics.median(values)
    last = get_exchange_rate(run.call, GetExchangeRate(currency=BASE)).rate_micros
    before = None if last is None else Decimal(last) / MICROS
    if _differ(min(values), max(values)) or (before is not None and _differ(before, median)):
        _refuse(run.call, currency, before, quotes)
        return Outcome(counts={"quotes": len(quotes), "stored": 0, "refused": 1})
    store_rate(
        run.call,
        BASE,
        int((median * MICROS).to_integral_value(ROUND_HALF_EVEN)),
        source="+".join(sorted(quote.source for quote in quotes)),
        observed_at=min(quote.observed_at for quote in quotes),
    )
    return Outcome(counts={"quotes": len(quotes), "stored": 1, "refused": 0})


def _ask(run: Run, currency: str) -> list[Quote]:
    """What the sources say that answer, and not of long ago; the others are failed items."""
    sources: dict[str, Callable[[], Quote]] = {
        "binance_p2p": lambda: exchange_rates.binance_p2p(currency, run.call.now),
        "coingecko": lambda: exchange_rates.coingecko(currency),
    }
    quotes: list[Quote] = []
    for source, ask in sources.items():
        try:
            quote = ask()
        except (UpstreamError, UnprocessableError) as error:
            metrics.count("RateSourceFailures", source=source)
            run.fail(f"rate:{source}", error)
            continue
        if run.call.now - quote.observed_at > STALE_FOR:
            metrics.count("RateSourceStale", source=source)
            continue
        quotes.append(quote)
    return quotes


def _differ(one: Decimal, other: Decimal) -> bool:
    return abs(other - one) > one * MAX_MOVE


def _refuse(call: Call, currency: str, before: Decimal | None, quotes: list[Quote]) -> None:
    """Tell the operators that the rate stands still: it jumped, or its sources disagree."""
    metrics.count("ExchangeRateRefused")
    alerts.raise_alert(
        call,
        "exchange_rate_jump",
        {"before": str(before), **{quote.source: str(quote.value) for quote in quotes}},
        f"{BASE}/{currency}",
    )
