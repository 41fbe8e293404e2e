"""GET /markets/{market_id}/price-history: oHLC and volume bars."""

from presage.edge.http import api
from presage.markets.models import GetPriceHistory
from presage.markets.service import get_price_history
from presage.markets.views import PriceHistory

handler = api("get_price_history", get_price_history, GetPriceHistory, PriceHistory)
