"""POST /workflows/market-monitor: finalize markets whose window is over."""

from presage.edge.workflow import workflow
from presage.markets.upkeep import market_monitor

handler = workflow("market_monitor", market_monitor)
