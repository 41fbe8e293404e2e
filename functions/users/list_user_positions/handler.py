"""GET /users/{wallet}/positions: what a wallet holds on chain, and its owner on the exchange."""

from presage.edge.http import api
from presage.users.models import ListOfUser, UserPosition
from presage.users.service import list_user_positions

handler = api("list_user_positions", list_user_positions, ListOfUser, UserPosition)
