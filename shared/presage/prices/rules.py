"""Deciding a market from prices. Pure: ticks in, an answer out."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from presage.adapters.spot_prices import Tick
from presage.markets.models import ResolutionRule


@dataclass(frozen=True)
class Decision:
    """What a rule says: the outcome, or the bound whose price is missing."""

    outcome: Literal["YES", "NO"] | None
    missing: Literal["open", "close"] | None
    reference: Decimal | None


def decide(rule: ResolutionRule, open_tick: Tick | None, close_tick: Tick | None) -> Decision:
    """YES when the price at the close is at least the reference; a gap decides nothing."""
    if close_tick is None:
        return Decision(None, "close", None)
    if rule.reference == "strike":
        reference = rule.strike
    else:
        reference = open_tick.value if open_tick else None
    if reference is None:
        return Decision(None, "open", None)
    return Decision("YES" if close_tick.value >= reference else "NO", None, reference)
