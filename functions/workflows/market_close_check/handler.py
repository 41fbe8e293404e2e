"""POST /workflows/market-close-check: stop trading past the close; release orders."""

from presage.edge.workflow import workflow
from presage.markets.upkeep import market_close_check

handler = workflow("market_close_check", market_close_check)
