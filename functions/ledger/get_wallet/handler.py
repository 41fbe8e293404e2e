"""GET /wallet: available and locked money."""

from presage.edge.http import api
from presage.ledger.models import Wallet
from presage.ledger.service import get_wallet
from presage.schema import Nothing

handler = api("get_wallet", get_wallet, Nothing, Wallet)
