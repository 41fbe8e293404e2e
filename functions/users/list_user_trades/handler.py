"""GET /users/{wallet}/trades: a wallet's trades on chain, and its owner's on the exchange."""

from presage.edge.http import api
from presage.users.models import ListOfUser, UserTrade
from presage.users.service import list_user_trades

handler = api("list_user_trades", list_user_trades, ListOfUser, UserTrade)
