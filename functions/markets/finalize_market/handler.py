"""POST /markets/{market_id}/finalize: rESOLVING to FINALIZED once the dispute window is over."""

from presage.edge.http import api
from presage.markets.lifecycle import finalize_market
from presage.markets.models import MoveMarket
from presage.markets.views import MarketMoved

handler = api("finalize_market", finalize_market, MoveMarket, MarketMoved)
