"""GET /wallet/ledger: every transfer of the caller's money, as JSON or CSV."""

from presage.edge.http import api
from presage.ledger.models import ListLedger
from presage.ledger.statement import list_ledger
from presage.ledger.views import LedgerEntry

handler = api("list_ledger", list_ledger, ListLedger, LedgerEntry)
