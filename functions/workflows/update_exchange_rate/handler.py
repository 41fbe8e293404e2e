"""POST /workflows/update-exchange-rate: fetch what a USDT is worth."""

from presage.edge.workflow import workflow
from presage.ledger.rate_feed import update_exchange_rate

handler = workflow("update_exchange_rate", update_exchange_rate)
