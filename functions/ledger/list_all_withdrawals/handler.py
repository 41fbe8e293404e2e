"""GET /admin/withdrawals: everybody's withdrawals; those that wait oldest first."""

from presage.edge.http import api
from presage.ledger.models import ListWithdrawals
from presage.ledger.views import WithdrawalCase
from presage.ledger.withdrawals import list_all_withdrawals

handler = api("list_all_withdrawals", list_all_withdrawals, ListWithdrawals, WithdrawalCase)
