"""POST /workflows/expire-orders: release orders past their expiration."""

from presage.edge.workflow import workflow
from presage.orders.service import expire_orders

handler = workflow("expire_orders", expire_orders)
