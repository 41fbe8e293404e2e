"""POST /workflows/tick-adjustment: let ticks follow volatility, after notice."""

from presage.edge.workflow import workflow
from presage.markets.ticks import tick_adjustment

handler = workflow("tick_adjustment", tick_adjustment)
