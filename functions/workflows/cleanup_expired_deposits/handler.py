"""POST /workflows/cleanup-expired-deposits: mark deposits that nobody confirmed."""

from presage.edge.workflow import workflow
from presage.ledger.deposits import cleanup_expired_deposits

handler = workflow("cleanup_expired_deposits", cleanup_expired_deposits)
