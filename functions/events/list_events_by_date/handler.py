"""GET /events/by-date: events between two moments, newest first."""

from presage.edge.http import api
from presage.events.models import EventPage, ListEventsByDate
from presage.events.service import list_events_by_date

handler = api("list_events_by_date", list_events_by_date, ListEventsByDate, EventPage)
