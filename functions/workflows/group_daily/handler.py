"""POST /workflows/group-daily: every day at 00:00 UTC: fan out the daily tasks."""

from presage.edge.workflow import workflow
from presage.workflows.groups import fan_out

handler = workflow("group_daily", fan_out)
