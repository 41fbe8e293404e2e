"""DELETE /orders/{order_id}: cancel an open order."""

from presage.edge.http import api
from presage.orders.models import OrderCancelled, OrderPath
from presage.orders.service import cancel_order

handler = api("cancel_order", cancel_order, OrderPath, OrderCancelled)
