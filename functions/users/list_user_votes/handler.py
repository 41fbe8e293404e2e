"""GET /users/{wallet}/votes: a wallet's votes on chain, and its owner's cast here."""

from presage.edge.http import api
from presage.users.models import ListOfUser, UserVote
from presage.users.service import list_user_votes

handler = api("list_user_votes", list_user_votes, ListOfUser, UserVote)
