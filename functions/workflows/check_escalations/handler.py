"""POST /workflows/check-escalations: raise what no human has answered."""

from presage.edge.workflow import workflow
from presage.ops.escalations import check_escalations

handler = workflow("check_escalations", check_escalations)
