"""PUT /settings/profile: change display name, language or email."""

from presage.edge.http import api
from presage.identity.profile import update_profile
from presage.identity.profile_models import Profile, UpdateProfile

handler = api("update_profile", update_profile, UpdateProfile, Profile)
