"""GET /markets/{market_id}/price-history: oHLC and volume bars."""

from presage.edge.http import api
from presage.markets.models import GetPriceHistory, PriceHistory
from presage.markets.service import get_price_history

handler = api("get_price_history", get_price_history, GetPriceHistory, PriceHistory)
