"""PATCH /orders/{order_id}: lower an open order's size, keeping its priority."""

from presage.edge.http import api
from presage.orders.models import AmendOrder, OrderAmended
from presage.orders.service import amend_order

handler = api("amend_order", amend_order, AmendOrder, OrderAmended)
