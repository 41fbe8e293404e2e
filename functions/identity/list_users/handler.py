"""GET /admin/users: users, newest first, searched and filtered by role."""

from presage.edge.http import api
from presage.identity.admin import list_users
from presage.identity.admin_models import ListUsers, UserSummary

handler = api("list_users", list_users, ListUsers, UserSummary)
