"""POST /trades/sell: quote a sale on Solana and make its transaction."""

from presage.chain.models import QuotedTransaction, SellShares
from presage.chain.service import sell_shares
from presage.edge.http import api

handler = api("sell_shares", sell_shares, SellShares, QuotedTransaction)
