"""POST /workflows/settle-market: pay the holders of final markets."""

from presage.edge.workflow import workflow
from presage.markets.upkeep import settle_market

handler = workflow("settle_market", settle_market)
