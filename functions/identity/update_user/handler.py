"""PUT /admin/users/{user_id}: grant or take a role; close an account to new positions."""

from presage.edge.http import api
from presage.identity.admin import update_user
from presage.identity.admin_models import UpdateUser, UserUpdated

handler = api("update_user", update_user, UpdateUser, UserUpdated)
