"""GET /admin/deposits: everybody's deposits; those that wait oldest first."""

from presage.edge.http import api
from presage.ledger.deposits import list_all_deposits
from presage.ledger.models import ListDeposits
from presage.ledger.views import DepositCase

handler = api("list_all_deposits", list_all_deposits, ListDeposits, DepositCase)
