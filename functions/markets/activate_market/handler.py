"""POST /markets/{market_id}/activate: aPPROVED to ACTIVE, by its creator or an admin."""

from presage.edge.http import api
from presage.markets.lifecycle import activate_market
from presage.markets.models import MoveMarket
from presage.markets.views import MarketMoved

handler = api("activate_market", activate_market, MoveMarket, MarketMoved)
