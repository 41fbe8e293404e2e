"""GET /markets/{market_id}/trades: trades, newest first."""

from presage.edge.http import api
from presage.markets.models import ListTrades, TradeView
from presage.markets.service import list_market_trades

handler = api("list_market_trades", list_market_trades, ListTrades, TradeView)
