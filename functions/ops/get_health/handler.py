"""GET /health: whether the platform and what it stands on are well."""

from presage.edge.http import api
from presage.ops.models import Health
from presage.ops.service import get_health
from presage.schema import Nothing

handler = api("get_health", get_health, Nothing, Health)
