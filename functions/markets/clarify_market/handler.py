"""POST /markets/{market_id}/clarifications: add a dated clarification to a market's rules."""

from presage.edge.http import api
from presage.markets.lifecycle import clarify_market
from presage.markets.models import ClarifyMarket
from presage.markets.views import Clarification

handler = api("clarify_market", clarify_market, ClarifyMarket, Clarification)
