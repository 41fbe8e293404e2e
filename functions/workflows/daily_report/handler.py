"""POST /workflows/daily-report: write the report of the day before."""

from presage.analytics.reports import daily_report
from presage.edge.workflow import workflow

handler = workflow("daily_report", daily_report)
