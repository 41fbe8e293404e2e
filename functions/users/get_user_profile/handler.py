"""GET /users/{wallet}: a wallet's name and figures; the exchange's for its owner."""

from presage.edge.http import api
from presage.users.models import UserProfile, WalletPath
from presage.users.service import get_user_profile

handler = api("get_user_profile", get_user_profile, WalletPath, UserProfile)
