"""POST /trades/withdraw-liquidity: make the transaction that takes a creator's liquidity back."""

from presage.chain.models import OnMarket, UnsignedTransaction
from presage.chain.service import withdraw_liquidity
from presage.edge.http import api

handler = api("withdraw_liquidity", withdraw_liquidity, OnMarket, UnsignedTransaction)
