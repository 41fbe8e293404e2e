"""POST /markets/{market_id}/approve: pROPOSED to APPROVED."""

from presage.edge.http import api
from presage.markets.lifecycle import approve_market
from presage.markets.models import ApproveMarket
from presage.markets.views import MarketMoved

handler = api("approve_market", approve_market, ApproveMarket, MarketMoved)
