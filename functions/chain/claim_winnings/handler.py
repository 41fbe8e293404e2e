"""POST /trades/claim: make the transaction that claims winnings on Solana."""

from presage.chain.models import OnMarket, UnsignedTransaction
from presage.chain.service import claim_winnings
from presage.edge.http import api

handler = api("claim_winnings", claim_winnings, OnMarket, UnsignedTransaction)
