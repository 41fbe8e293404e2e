"""GET /markets/{market_id}/snapshots: the raw five-minute price points, newest first."""

from presage.edge.http import api
from presage.markets.models import ListSnapshots
from presage.markets.service import list_market_snapshots
from presage.markets.views import SnapshotView

handler = api("list_market_snapshots", list_market_snapshots, ListSnapshots, SnapshotView)
