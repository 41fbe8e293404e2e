"""Tickets for the WebSocket: a browser cannot send a header with its handshake."""

from datetime import timedelta

from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.identity import sessions
from presage.identity.key_models import WsTicket
from presage.schema import Nothing

LIFETIME = timedelta(minutes=1)
_queries = beside(__file__)


def create_ws_ticket(call: Call, request: Nothing) -> WsTicket:  # noqa: ARG001 - it has no fields
    """A ticket of the caller, good once within a minute; only its hash is kept."""
    ticket = sessions.new_token()
    expires_at = call.now + LIFETIME
    params = {
        "ticket_hash": sessions.hash_token(ticket),
        "expires_at": expires_at,
        "request_id": call.request_id,
        "ip": call.ip,
        "now": call.now,
    }
    connection.run(call, [(_queries["create_ws_ticket"], None, params)])
    return WsTicket(ticket=ticket, expires_at=expires_at)
