"""POST /workflows/chain-confirm: see through what was sent to the chain."""

from presage.chain.confirming import chain_confirm
from presage.edge.workflow import workflow

handler = workflow("chain_confirm", chain_confirm)
