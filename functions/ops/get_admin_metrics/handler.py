"""GET /admin/metrics: how long queues are, what failed, what was traded."""

from presage.edge.http import api
from presage.ops.oversight import AdminMetrics, get_admin_metrics
from presage.schema import Nothing

handler = api("get_admin_metrics", get_admin_metrics, Nothing, AdminMetrics)
