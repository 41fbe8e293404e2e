"""POST /trades/resolve: pin evidence; make the transaction that proposes an outcome."""

from presage.chain.models import ResolveOnChain, UnsignedTransaction
from presage.chain.service import resolve_on_chain
from presage.edge.http import api

handler = api("resolve_on_chain", resolve_on_chain, ResolveOnChain, UnsignedTransaction)
