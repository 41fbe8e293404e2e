"""POST /markets/{market_id}/dispute/decision: uphold or refuse a dispute and finalize."""

from presage.edge.http import api
from presage.markets.lifecycle import decide_dispute
from presage.markets.models import DecideDispute
from presage.markets.views import DisputeDecided

handler = api("decide_dispute", decide_dispute, DecideDispute, DisputeDecided)
