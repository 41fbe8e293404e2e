"""POST /workflows/event-reconciliation: compare with the chain; fetch what was missed."""

from presage.edge.workflow import workflow
from presage.events.reconciliation import event_reconciliation

handler = workflow("event_reconciliation", event_reconciliation)
