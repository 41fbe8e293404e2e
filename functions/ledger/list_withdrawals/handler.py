"""GET /wallet/withdrawals: the caller's withdrawals, newest first."""

from presage.edge.http import api
from presage.ledger.models import ListWithdrawals
from presage.ledger.views import Withdrawal
from presage.ledger.withdrawals import list_withdrawals

handler = api("list_withdrawals", list_withdrawals, ListWithdrawals, Withdrawal)
