"""GET /markets/{market_id}/outcomes: outcomes with price and normalised probability."""

from presage.edge.http import api
from presage.markets.models import GetMarket, OutcomesView
from presage.markets.service import list_outcomes

handler = api("list_outcomes", list_outcomes, GetMarket, OutcomesView)
