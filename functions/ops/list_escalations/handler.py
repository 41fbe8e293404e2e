"""GET /admin/escalations: questions that only a human may answer, newest first."""

from presage.edge.http import api
from presage.ops.alert_models import EscalationView, ListEscalations
from presage.ops.escalations import list_escalations

handler = api("list_escalations", list_escalations, ListEscalations, EscalationView)
