"""POST /admin/withdrawals/{withdrawal_id}/reject: give a withdrawal's money back."""

from presage.edge.http import api
from presage.ledger.models import RejectWithdrawal
from presage.ledger.views import WithdrawalCase
from presage.ledger.withdrawals import reject_withdrawal

handler = api("reject_withdrawal", reject_withdrawal, RejectWithdrawal, WithdrawalCase)
