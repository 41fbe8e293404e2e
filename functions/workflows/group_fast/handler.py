"""POST /workflows/group-fast: every 5 minutes: fan out the fast tasks."""

from presage.edge.workflow import workflow
from presage.workflows.groups import fan_out

handler = workflow("group_fast", fan_out)
