"""Questions that only a human may answer."""

import uuid
from collections.abc import Mapping

import orjson

from presage import metrics
from presage.call import Call
from presage.db import connection
from presage.db.queries import beside

_queries = beside(__file__)


def open_for_market(
    call: Call, market_id: uuid.UUID, reason: str, data: Mapping[str, object]
) -> None:
    """Ask a human to resolve a market, once; a repeat changes nothing."""
    params = {
        "kind": "resolution",
        "subject": str(market_id),
        "market_id": market_id,
        "reason": reason,
        "data": orjson.dumps(dict(data)).decode(),
        "now": call.now,
    }
    connection.run(call, [(_queries["open_escalation"], None, params)])
    metrics.count("Escalations", kind="resolution")
