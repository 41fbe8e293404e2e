"""POST /workflows/price-snapshot: a price point for every active outcome."""

from presage.edge.workflow import workflow
from presage.markets.upkeep import price_snapshot

handler = workflow("price_snapshot", price_snapshot)
