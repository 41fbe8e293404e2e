"""POST /orders: place an order and match it."""

from presage.edge.http import api
from presage.orders.models import OrderPlaced, PlaceOrder
from presage.orders.service import place_order

handler = api("place_order", place_order, PlaceOrder, OrderPlaced)
