"""GET /markets: markets, searched, filtered and sorted."""

from presage.edge.http import api
from presage.markets.models import ListMarkets
from presage.markets.service import list_markets
from presage.markets.views import MarketSummary

handler = api("list_markets", list_markets, ListMarkets, MarketSummary)
