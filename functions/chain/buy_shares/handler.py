"""POST /trades/buy: quote a buy on Solana and make its transaction."""

from presage.chain.models import BuyShares, QuotedTransaction
from presage.chain.service import buy_shares
from presage.edge.http import api

handler = api("buy_shares", buy_shares, BuyShares, QuotedTransaction)
