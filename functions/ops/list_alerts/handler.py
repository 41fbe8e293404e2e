"""GET /admin/alerts: what operators were told, newest first."""

from presage.edge.http import api
from presage.ops.alert_models import AlertView, ListAlerts
from presage.ops.alerts import list_alerts

handler = api("list_alerts", list_alerts, ListAlerts, AlertView)
