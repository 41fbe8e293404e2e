"""POST /orders/batch: the bet slip: place up to twenty orders in one call."""

from presage.edge.http import api
from presage.orders.models import OrdersPlaced, PlaceOrders
from presage.orders.service import place_orders

handler = api("place_orders", place_orders, PlaceOrders, OrdersPlaced)
