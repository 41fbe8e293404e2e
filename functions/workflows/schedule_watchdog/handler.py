"""POST /workflows/schedule-watchdog: notice schedules that stopped."""

from presage.edge.workflow import workflow
from presage.ops.watchdog import schedule_watchdog

handler = workflow("schedule_watchdog", schedule_watchdog)
