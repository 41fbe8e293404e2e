"""GET /events/by-type/{type}: events of one type, newest first."""

from presage.edge.http import api
from presage.events.models import EventPage, ListEventsByType
from presage.events.service import list_events_by_type

handler = api("list_events_by_type", list_events_by_type, ListEventsByType, EventPage)
