"""POST /workflows/analytics-daily: roll up the statistics of the day."""

from presage.analytics.service import analytics_daily
from presage.edge.workflow import workflow

handler = workflow("analytics_daily", analytics_daily)
