"""POST /wallet/withdrawals: take money out of the balance, to be paid outside."""

from presage.edge.http import api
from presage.ledger.models import CreateWithdrawal
from presage.ledger.views import Withdrawal
from presage.ledger.withdrawals import create_withdrawal

handler = api("create_withdrawal", create_withdrawal, CreateWithdrawal, Withdrawal)
