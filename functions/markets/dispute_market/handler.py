"""POST /markets/{market_id}/dispute: dispute a proposed outcome, with a bond."""

from presage.edge.http import api
from presage.markets.lifecycle import dispute_market
from presage.markets.models import DisputeMarket
from presage.markets.views import MarketDisputed

handler = api("dispute_market", dispute_market, DisputeMarket, MarketDisputed)
