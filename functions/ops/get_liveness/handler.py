"""GET /health/live: whether the function runs at all."""

from presage.edge.http import api
from presage.ops.models import Liveness
from presage.ops.service import get_liveness
from presage.schema import Nothing

handler = api("get_liveness", get_liveness, Nothing, Liveness)
