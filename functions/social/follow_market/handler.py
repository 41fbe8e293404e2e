"""POST /markets/{market_id}/follow: follow a market, change what to be told, or stop."""

from presage.edge.http import api
from presage.social.models import Followed, FollowMarket
from presage.social.service import follow_market

handler = api("follow_market", follow_market, FollowMarket, Followed)
