"""GET /markets/{market_id}: one market by id or slug, with prices and the top of its book."""

from presage.edge.http import api
from presage.markets.models import GetMarket
from presage.markets.service import get_market
from presage.markets.views import MarketView

handler = api("get_market", get_market, GetMarket, MarketView)
