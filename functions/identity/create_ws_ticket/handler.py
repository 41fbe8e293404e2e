"""POST /auth/ws-ticket: a ticket for one WebSocket handshake within a minute."""

from presage.edge.http import api
from presage.identity.key_models import WsTicket
from presage.identity.tickets import create_ws_ticket
from presage.schema import Nothing

handler = api("create_ws_ticket", create_ws_ticket, Nothing, WsTicket)
