"""DELETE /auth/api-keys/{key_id}: end an API key."""

from presage.edge.http import api
from presage.identity.api_keys import revoke_api_key
from presage.identity.key_models import ApiKeyRevoked, KeyPath

handler = api("revoke_api_key", revoke_api_key, KeyPath, ApiKeyRevoked)
