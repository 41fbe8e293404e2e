"""GET /follows: the markets that the caller follows, newest first."""

from presage.edge.http import api
from presage.social.models import Follow, ListKept
from presage.social.service import list_follows

handler = api("list_follows", list_follows, ListKept, Follow)
