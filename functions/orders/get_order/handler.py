"""GET /orders/{order_id}: one order of the caller, with its fills."""

from presage.edge.http import api
from presage.orders.models import OrderDetail, OrderPath
from presage.orders.service import get_order

handler = api("get_order", get_order, OrderPath, OrderDetail)
