"""GET /auth/session: who am I, and until when."""

from presage.edge.http import api
from presage.identity.models import SessionView
from presage.identity.service import get_session
from presage.schema import Nothing

handler = api("get_session", get_session, Nothing, SessionView)
