"""POST /trades/dispute: make the transaction that disputes an outcome on Solana."""

from presage.chain.models import OnMarket, UnsignedTransaction
from presage.chain.service import dispute_on_chain
from presage.edge.http import api

handler = api("dispute_on_chain", dispute_on_chain, OnMarket, UnsignedTransaction)
