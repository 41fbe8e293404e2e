"""GET /events/{market_id}: a market's events, by its id here or on chain."""

from presage.edge.http import api
from presage.events.models import EventPage, ListMarketEvents
from presage.events.service import list_market_events

handler = api("list_market_events", list_market_events, ListMarketEvents, EventPage)
