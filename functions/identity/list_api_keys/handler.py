"""GET /auth/api-keys: the caller's API keys, newest first."""

from presage.edge.http import api
from presage.identity.api_keys import list_api_keys
from presage.identity.key_models import ApiKey, ListApiKeys

handler = api("list_api_keys", list_api_keys, ListApiKeys, ApiKey)
