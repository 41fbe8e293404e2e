"""GET /admin/audit-log: what was done by whom, newest first."""

from presage.edge.http import api
from presage.identity.admin import list_audit_log
from presage.identity.admin_models import AuditEntry, ListAuditLog

handler = api("list_audit_log", list_audit_log, ListAuditLog, AuditEntry)
