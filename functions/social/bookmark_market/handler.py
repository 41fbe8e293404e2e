"""POST /markets/{market_id}/bookmark: bookmark a market, or drop the bookmark."""

from presage.edge.http import api
from presage.social.models import Bookmarked, MarketPath
from presage.social.service import bookmark_market

handler = api("bookmark_market", bookmark_market, MarketPath, Bookmarked)
