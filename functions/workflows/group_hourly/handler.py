"""POST /workflows/group-hourly: every hour: fan out the hourly tasks."""

from presage.edge.workflow import workflow
from presage.workflows.groups import fan_out

handler = workflow("group_hourly", fan_out)
