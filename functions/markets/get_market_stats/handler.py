"""GET /markets/{market_id}/stats: volume, trades, traders, open interest and liquidity."""

from presage.edge.http import api
from presage.markets.models import GetMarket
from presage.markets.service import get_market_stats
from presage.markets.views import MarketStats

handler = api("get_market_stats", get_market_stats, GetMarket, MarketStats)
