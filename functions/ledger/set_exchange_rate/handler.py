"""PUT /admin/exchange-rates: set what another currency is worth, from now on."""

from presage.edge.http import api
from presage.ledger.models import SetExchangeRate
from presage.ledger.rates import set_exchange_rate
from presage.ledger.views import ExchangeRate

handler = api("set_exchange_rate", set_exchange_rate, SetExchangeRate, ExchangeRate)
