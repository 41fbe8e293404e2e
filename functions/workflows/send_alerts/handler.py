"""POST /workflows/send-alerts: tell operators what is wrong."""

from presage.edge.workflow import workflow
from presage.ops.sending import send_alerts

handler = workflow("send_alerts", send_alerts)
