"""POST /admin/withdrawals/{withdrawal_id}/complete: record that a withdrawal was paid."""

from presage.edge.http import api
from presage.ledger.models import CompleteWithdrawal
from presage.ledger.views import WithdrawalCase
from presage.ledger.withdrawals import complete_withdrawal

handler = api("complete_withdrawal", complete_withdrawal, CompleteWithdrawal, WithdrawalCase)
