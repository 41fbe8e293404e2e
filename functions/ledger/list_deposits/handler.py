"""GET /wallet/deposits: the caller's deposits, newest first."""

from presage.edge.http import api
from presage.ledger.deposits import list_deposits
from presage.ledger.models import ListDeposits
from presage.ledger.views import Deposit

handler = api("list_deposits", list_deposits, ListDeposits, Deposit)
