"""GET /support/tickets: the caller's support tickets, newest first."""

from presage.edge.http import api
from presage.ops.alert_models import TicketView
from presage.ops.escalations import list_tickets
from presage.schema import CursorRequest

handler = api("list_tickets", list_tickets, CursorRequest, TicketView)
