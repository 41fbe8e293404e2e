"""GET /markets/{market_id}/votes: how the vote on a market stands."""

from presage.edge.http import api
from presage.votes.models import MarketPath, VotesView
from presage.votes.service import get_votes

handler = api("get_votes", get_votes, MarketPath, VotesView)
