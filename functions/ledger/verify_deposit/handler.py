"""POST /admin/deposits/{deposit_id}/verify: credit a deposit that has arrived."""

from presage.edge.http import api
from presage.ledger.deposits import verify_deposit
from presage.ledger.models import DepositPath
from presage.ledger.views import DepositCase

handler = api("verify_deposit", verify_deposit, DepositPath, DepositCase)
