"""GET /admin/reports/{date}: one day's report, as JSON or Markdown."""

from presage.analytics.models import Report, ReportPath
from presage.analytics.reports import get_report
from presage.edge.http import api

handler = api("get_report", get_report, ReportPath, Report)
