"""POST /workflows/sweep-fees: move the markets' fees to the platform."""

from presage.edge.workflow import workflow
from presage.ledger.service import sweep_fees

handler = workflow("sweep_fees", sweep_fees)
