"""GET /orders: the caller's orders, newest first."""

from presage.edge.http import api
from presage.orders.models import ListOrders, OrderView
from presage.orders.service import list_orders

handler = api("list_orders", list_orders, ListOrders, OrderView)
