"""GET /admin/reports: the daily reports, newest first."""

from presage.analytics.models import ListReports, ReportSummary
from presage.analytics.reports import list_reports
from presage.edge.http import api

handler = api("list_reports", list_reports, ListReports, ReportSummary)
