"""POST /wallet/deposits: announce money that was sent from outside."""

from presage.edge.http import api
from presage.ledger.deposits import create_deposit
from presage.ledger.models import CreateDeposit
from presage.ledger.views import Deposit

handler = api("create_deposit", create_deposit, CreateDeposit, Deposit)
