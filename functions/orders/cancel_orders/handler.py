"""DELETE /orders: the kill switch: cancel every open order of a market, or all."""

from presage.edge.http import api
from presage.orders.models import CancelOrders, OrdersCancelled
from presage.orders.service import cancel_orders

handler = api("cancel_orders", cancel_orders, CancelOrders, OrdersCancelled)
