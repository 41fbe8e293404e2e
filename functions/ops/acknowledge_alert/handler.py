"""POST /admin/alerts/{alert_id}/acknowledge: say that somebody has taken an alert up."""

from presage.edge.http import api
from presage.ops.alert_models import Acknowledge, AlertView
from presage.ops.alerts import acknowledge_alert

handler = api("acknowledge_alert", acknowledge_alert, Acknowledge, AlertView)
