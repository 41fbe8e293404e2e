"""POST /trades/submit: relay a transaction that was made here and signed."""

from presage.chain.models import SubmitTrade, TradeSubmitted
from presage.chain.service import submit_trade
from presage.edge.http import api

handler = api("submit_trade", submit_trade, SubmitTrade, TradeSubmitted)
