"""GET /events/search: events by market, or by the start of a wallet or signature."""

from presage.edge.http import api
from presage.events.models import EventPage, SearchEvents
from presage.events.service import search_events

handler = api("search_events", search_events, SearchEvents, EventPage)
