"""Health, and the daily clean-up."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Literal

from presage import clock, config, traffic
from presage.adapters import breaker, redis, solana_rpc
from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.discussions import snapshots
from presage.errors import PresageError
from presage.ops.models import Health, HealthMetrics, Liveness, Services, ServiceStatus
from presage.schema import Nothing
from presage.workflows.run import Outcome, Run

_STARTED = time.monotonic()
BUDGET_MS = 1_000
# Three periods of event_reconciliation.
INDEXER_PATIENCE = timedelta(minutes=30)
CLEAN_CHUNK = 5_000
_CLEANINGS = (
    "clean_challenges",
    "clean_sessions",
    "clean_api_keys",
    "clean_ws_tickets",
    "clean_login_attempts",
    "clean_unsigned_transactions",
    "clean_chain_transactions",
    "clean_workflow_runs",
    "clean_outbox",
    "clean_price_feeds",
    "clean_dead_letters",
    "clean_alerts",
    "clean_discrepancies",
    "clean_read_notifications",
    "clean_notifications",
    "clean_order_batches",
    "clean_idempotency_keys",
    "clean_news",
)
_queries = beside(__file__)


@dataclass(frozen=True)
class _Ping:
    active_connections: int
    chain_seen_at: datetime | None


def get_health(call: Call, request: Nothing) -> Health:  # noqa: ARG001 - it has no fields
    """Whether the platform and what it stands on are well, within the clients' own timeouts."""
    call.statement_timeout_ms = BUDGET_MS
    ping = _ping_database(call)
    connections = ping.active_connections if ping else None
    last_minute = clock.to_ms(call.now) - traffic.MINUTE_MS
    counted = redis.flush(
        [("GET", key) for key in (*traffic.keys(last_minute), breaker.open_key(solana_rpc.NAME))]
    )
    requests, errors = (int(value or 0) for value in counted[:2]) if counted else (None, None)
    chain = _chain_status(is_left_alone=bool(counted and counted[2]))
    indexer = _indexer_status(call, ping.chain_seen_at if ping else None)
    is_whole = bool(counted) and "unhealthy" not in {chain, indexer}
    if connections is None:
        call.status = HTTPStatus.SERVICE_UNAVAILABLE
        call.headers["Retry-After"] = "5"
    return Health(
        status=_overall(connections is not None, is_whole=is_whole),
        services=Services(
            database="unhealthy" if connections is None else "healthy",
            redis="healthy" if counted else "unhealthy",
            solana_rpc=chain,
            event_indexer=indexer,
        ),
        metrics=HealthMetrics(
            uptime_seconds=int(time.monotonic() - _STARTED),
            active_connections=connections,
            requests_per_minute=requests,
            error_rate=round(errors / requests, 4) if requests and errors is not None else None,
        ),
    )


def _overall(has_database: bool, *, is_whole: bool) -> Literal["healthy", "degraded", "unhealthy"]:
    if not has_database:
        return "unhealthy"
    return "healthy" if is_whole else "degraded"


def _chain_status(*, is_left_alone: bool) -> ServiceStatus:
    """By the breaker and not by asking: anybody may come here, and the RPC costs money."""
    if not solana_rpc.is_configured():
        return "not_configured"
    return "unhealthy" if is_left_alone else "healthy"


def _indexer_status(call: Call, seen_at: datetime | None) -> ServiceStatus | Literal["starting"]:
    """By when the chain's history was last fetched to its end, which deliveries only hasten."""
    if not (solana_rpc.is_configured() and config.get("ZMART_PROGRAM_ID")):
        return "not_configured"
    if seen_at is None:
        return "starting"
    return "healthy" if call.now - seen_at < INDEXER_PATIENCE else "unhealthy"


def get_liveness(call: Call, request: Nothing) -> Liveness:  # noqa: ARG001 - nothing to look at
    """Answers although everything else may be down."""
    return Liveness()


def cleanup(run: Run) -> Outcome:
    """Drop what has expired, a chunk a statement."""
    counts: dict[str, int] = {}
    for name in _CLEANINGS:
        dropped = CLEAN_CHUNK
        counts[name] = 0
        while dropped == CLEAN_CHUNK and not run.out_of_time:
            dropped = connection.execute(
                run.call, _queries[name], {"now": run.call.now, "limit": CLEAN_CHUNK}
            )
            counts[name] += dropped
    counts["ipfs_anchors"] = snapshots.prune_anchors(run)
    return Outcome(counts=counts, next_cursor={"more": True} if run.out_of_time else None)


def _ping_database(call: Call) -> _Ping | None:
    params = {"programme": config.get("ZMART_PROGRAM_ID")}
    try:
        return connection.fetch_one(call, _queries["ping"], _Ping, params)
    except PresageError:
        return None
