"""Price rules: ties, sides, gaps."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pydantic import ValidationError

from presage.adapters.spot_prices import Tick
from presage.markets.models import ResolutionRule
from presage.prices.rules import Decision, decide

OPEN = datetime(2026, 7, 24, 0, 0, tzinfo=UTC)
CLOSE = datetime(2026, 7, 24, 0, 5, tzinfo=UTC)


def _rule(**fields: object) -> ResolutionRule:
    return ResolutionRule.model_validate(
        {"kind": "price_at", "symbol": "BTC/USD", "openAt": OPEN, "closeAt": CLOSE} | fields
    )


def _tick(value: str) -> Tick:
    return Tick("binance", "BTC/USD", CLOSE, Decimal(value))


@pytest.mark.parametrize(
    ("close", "outcome"), [("100", "YES"), ("100.000000000000000001", "YES"), ("99.99", "NO")]
)
def test_a_strike_is_reached_when_met_exactly(close: str, outcome: str) -> None:
    rule = _rule(reference="strike", strike="100")
    assert decide(rule, None, _tick(close)).outcome == outcome


def test_the_price_at_the_open_is_the_reference_without_a_strike() -> None:
    rule = _rule(reference="price_at_open")
    assert decide(rule, _tick("100"), _tick("99")) == Decision("NO", None, Decimal(100))


def test_a_gap_decides_nothing() -> None:
    rule = _rule(reference="price_at_open")
    assert decide(rule, None, _tick("99")) == Decision(None, "open", None)
    assert decide(rule, _tick("99"), None) == Decision(None, "close", None)


@pytest.mark.parametrize(
    "fields",
    [
        {"reference": "strike"},
        {"reference": "strike", "strike": "0"},
        {"reference": "strike", "strike": "NaN"},
        {"reference": "price_at_open", "closeAt": OPEN},
        {"reference": "price_at_open", "symbol": "btc"},
        {"reference": "price_at_open", "openAt": "2026-07-24T00:00:00"},
        {"reference": "moon"},
    ],
)
def test_rules_that_do_not_hold_together_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        _rule(**fields)
