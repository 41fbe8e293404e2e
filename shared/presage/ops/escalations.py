"""Questions that only a human may answer."""

import uuid
from collections.abc import Mapping
from typing import Literal

import orjson

from presage import metrics
from presage.call import Call
from presage.db import connection
from presage.db.queries import beside

_queries = beside(__file__)


def ask_support(call: Call, subject: str, reason: str, data: Mapping[str, object]) -> None:
    """Bring something that no code can mend before a human, once a subject."""
    _open(call, kind="support", subject=subject, market_id=None, reason=reason, data=data)


def open_for_market(
    call: Call, market_id: uuid.UUID, reason: str, data: Mapping[str, object]
) -> None:
    """Ask a human to resolve a market, once; a repeat changes nothing."""
    _open(
        call,
        kind="resolution",
        subject=str(market_id),
        market_id=market_id,
        reason=reason,
        data=data,
    )


def _open(
    call: Call,
    *,
    kind: Literal["support", "resolution"],
    subject: str,
    market_id: uuid.UUID | None,
    reason: str,
    data: Mapping[str, object],
) -> None:
    params = {
        "kind": kind,
        "subject": subject,
        "market_id": market_id,
        "reason": reason,
        "data": orjson.dumps(dict(data)).decode(),
        "now": call.now,
    }
    connection.run(call, [(_queries["open_escalation"], None, params)])
    metrics.count("Escalations", kind=kind)
