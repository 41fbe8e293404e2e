"""What another currency than the collateral is worth: stored as observed, stale after a day."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from presage import config
from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.ledger.models import GetExchangeRate, SetExchangeRate
from presage.ledger.views import ExchangeRate

# As public.fresh_rate() has it.
FRESH_FOR = timedelta(hours=24)
_queries = beside(__file__)


@dataclass(frozen=True)
class _RateRow:
    base: str
    quote: str
    rate_micros: int
    source: str
    observed_at: datetime

    def view(self, now: datetime) -> ExchangeRate:
        """The rate, and whether anything may still convert at it."""
        return ExchangeRate(
            base=self.base,
            quote=self.quote,
            rate_micros=self.rate_micros,
            source=self.source,
            observed_at=self.observed_at,
            is_stale=self.observed_at < now - FRESH_FOR,
        )


def get_exchange_rate(call: Call, request: GetExchangeRate) -> ExchangeRate:
    """The latest stored rate; its fields are null where there is none."""
    quote = config.get("COLLATERAL_CURRENCY")
    params = {"base": request.currency, "quote": quote}
    row = connection.fetch_one(call, _queries["get_rate"], _RateRow, params)
    if row is not None:
        return row.view(call.now)
    return ExchangeRate(
        base=request.currency,
        quote=quote,
        rate_micros=None,
        source=None,
        observed_at=None,
        is_stale=True,
    )


def set_exchange_rate(call: Call, request: SetExchangeRate) -> ExchangeRate:
    """Set a rate by hand, from now on; what was frozen before stays as it is."""
    return store_rate(
        call, request.currency, request.rate_micros, source="admin", observed_at=call.now
    )


def store_rate(
    call: Call, base: str, rate_micros: int, *, source: str, observed_at: datetime
) -> ExchangeRate:
    """Store what one `base` was worth in the collateral currency, in millionths, when observed.

    Raises:
        ForbiddenError: the caller is neither an admin nor a workflow.
    """
    row = connection.fetch_one(
        call,
        _queries["store_rate"],
        _RateRow,
        {
            "base": base,
            "quote": config.get("COLLATERAL_CURRENCY"),
            "rate_micros": rate_micros,
            "source": source,
            "observed_at": observed_at,
            "request_id": call.request_id,
            "ip": call.ip,
            "now": call.now,
        },
    )
    if row is None:
        raise LookupError("store_rate answers a row or raises")
    return row.view(call.now)
