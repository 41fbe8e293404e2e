"""GET /settings/profile: how the caller is shown and reached."""

from presage.edge.http import api
from presage.identity.profile import get_profile
from presage.identity.profile_models import Profile
from presage.schema import Nothing

handler = api("get_profile", get_profile, Nothing, Profile)
