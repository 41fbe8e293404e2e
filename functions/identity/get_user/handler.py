"""GET /admin/users/{user_id}: one user, with how many sessions and keys are open."""

from presage.edge.http import api
from presage.identity.admin import get_user
from presage.identity.admin_models import UserDetail, UserPath

handler = api("get_user", get_user, UserPath, UserDetail)
