"""POST /auth/nonce: the exact message a wallet must sign to come in."""

from presage.edge.http import api
from presage.identity.models import CreateNonce, Nonce
from presage.identity.service import create_nonce

handler = api("create_nonce", create_nonce, CreateNonce, Nonce)
