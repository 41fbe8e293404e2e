"""POST /trades/activate: make the transaction that opens a market on Solana."""

from presage.chain.models import OnMarket, UnsignedTransaction
from presage.chain.service import activate_on_chain
from presage.edge.http import api

handler = api("activate_on_chain", activate_on_chain, OnMarket, UnsignedTransaction)
