"""GET /events: events of the programme, newest first."""

from presage.edge.http import api
from presage.events.models import EventPage, ListEvents
from presage.events.service import list_events

handler = api("list_events", list_events, ListEvents, EventPage)
