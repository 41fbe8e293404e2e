"""POST /auth/api-keys: make an API key, which is shown this once."""

from presage.edge.http import api
from presage.identity.api_keys import create_api_key
from presage.identity.key_models import ApiKeyCreated, CreateApiKey

handler = api("create_api_key", create_api_key, CreateApiKey, ApiKeyCreated)
