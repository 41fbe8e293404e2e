"""POST /admin/deposits/{deposit_id}/reject: refuse a deposit that has not arrived."""

from presage.edge.http import api
from presage.ledger.deposits import reject_deposit
from presage.ledger.models import RejectDeposit
from presage.ledger.views import DepositCase

handler = api("reject_deposit", reject_deposit, RejectDeposit, DepositCase)
