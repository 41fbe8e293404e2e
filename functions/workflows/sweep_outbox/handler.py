"""POST /workflows/sweep-outbox: make notifications of what was said."""

from presage.edge.workflow import workflow
from presage.notifications.service import sweep_outbox

handler = workflow("sweep_outbox", sweep_outbox)
