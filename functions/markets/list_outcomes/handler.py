"""GET /markets/{market_id}/outcomes: outcomes with price and normalised probability."""

from presage.edge.http import api
from presage.markets.models import GetMarket
from presage.markets.service import list_outcomes
from presage.markets.views import OutcomesView

handler = api("list_outcomes", list_outcomes, GetMarket, OutcomesView)
