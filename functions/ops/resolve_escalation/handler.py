"""POST /admin/escalations/{escalation_id}/resolve: answer an escalation."""

from presage.edge.http import api
from presage.ops.alert_models import EscalationView, ResolveEscalation
from presage.ops.escalations import resolve_escalation

handler = api("resolve_escalation", resolve_escalation, ResolveEscalation, EscalationView)
