"""GET /markets/{market_id}/trades: trades, newest first."""

from presage.edge.http import api
from presage.markets.models import ListTrades
from presage.markets.service import list_market_trades
from presage.markets.views import TradeView

handler = api("list_market_trades", list_market_trades, ListTrades, TradeView)
