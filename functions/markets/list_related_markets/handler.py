"""GET /markets/{market_id}/related: four markets like this one."""

from presage.edge.http import api
from presage.markets.models import GetMarket
from presage.markets.service import list_related_markets
from presage.markets.views import MarketSummary

handler = api("list_related_markets", list_related_markets, GetMarket, MarketSummary)
