"""POST /support/tickets: ask support."""

from presage.edge.http import api
from presage.ops.alert_models import CreateTicket, TicketView
from presage.ops.escalations import create_ticket

handler = api("create_ticket", create_ticket, CreateTicket, TicketView)
