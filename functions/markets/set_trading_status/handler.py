"""POST /markets/{market_id}/trading-status: open, post-only, cancel-only or halted."""

from presage.edge.http import api
from presage.markets.lifecycle import set_trading_status
from presage.markets.models import SetTradingStatus
from presage.markets.views import TradingStatusChanged

handler = api("set_trading_status", set_trading_status, SetTradingStatus, TradingStatusChanged)
