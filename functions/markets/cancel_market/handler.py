"""POST /markets/{market_id}/cancel: pROPOSED or APPROVED to CANCELLED."""

from presage.edge.http import api
from presage.markets.lifecycle import cancel_market
from presage.markets.models import MoveMarket
from presage.markets.views import MarketMoved

handler = api("cancel_market", cancel_market, MoveMarket, MarketMoved)
