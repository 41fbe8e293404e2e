"""POST /markets: propose a market."""

from presage.edge.http import api
from presage.markets.lifecycle import propose_market
from presage.markets.models import ProposeMarket
from presage.markets.views import MarketProposed

handler = api("propose_market", propose_market, ProposeMarket, MarketProposed)
