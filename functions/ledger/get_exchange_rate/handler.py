"""GET /wallet/exchange-rate: what a deposit in another currency is worth."""

from presage.edge.http import api
from presage.ledger.models import GetExchangeRate
from presage.ledger.rates import get_exchange_rate
from presage.ledger.views import ExchangeRate

handler = api("get_exchange_rate", get_exchange_rate, GetExchangeRate, ExchangeRate)
