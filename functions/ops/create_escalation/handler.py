"""POST /admin/escalations: bring a question before the other admins."""

from presage.edge.http import api
from presage.ops.alert_models import CreateEscalation, EscalationView
from presage.ops.escalations import create_escalation

handler = api("create_escalation", create_escalation, CreateEscalation, EscalationView)
