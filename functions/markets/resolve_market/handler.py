"""POST /markets/{market_id}/resolve: propose the outcome of a closed market."""

from presage.edge.http import api
from presage.markets.lifecycle import resolve_market
from presage.markets.models import ResolveMarket
from presage.markets.views import MarketMoved

handler = api("resolve_market", resolve_market, ResolveMarket, MarketMoved)
