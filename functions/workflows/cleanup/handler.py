"""POST /workflows/cleanup: drop what has expired."""

from presage.edge.workflow import workflow
from presage.ops.service import cleanup

handler = workflow("cleanup", cleanup)
