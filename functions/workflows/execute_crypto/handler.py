"""POST /workflows/execute-crypto: fetch prices; propose outcomes of closed markets."""

from presage.edge.workflow import workflow
from presage.prices.service import execute_crypto

handler = workflow("execute_crypto", execute_crypto)
