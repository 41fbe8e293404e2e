"""POST /auth/connect-wallet: exchange a signed message for a session."""

from presage.edge.http import api
from presage.identity.models import Connected, ConnectWallet
from presage.identity.service import connect_wallet

handler = api("connect_wallet", connect_wallet, ConnectWallet, Connected)
