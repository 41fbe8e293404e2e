"""POST /auth/logout: revoke every session of the caller."""

from presage.edge.http import api
from presage.identity.models import LoggedOut
from presage.identity.service import logout
from presage.schema import Nothing

handler = api("logout", logout, Nothing, LoggedOut)
