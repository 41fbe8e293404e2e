"""What the health routes answer."""

from typing import Literal

from presage.schema import ResponseModel

type ServiceStatus = Literal["healthy", "unhealthy", "not_configured"]


class Services(ResponseModel):
    """What the platform stands on.

    `solanaRpc` is unhealthy while its breaker is open. `eventIndexer` is starting until the chain's
    history was fetched to its end for the first time.
    """

    database: ServiceStatus
    redis: ServiceStatus
    solana_rpc: ServiceStatus
    event_indexer: ServiceStatus | Literal["starting"]


class HealthMetrics(ResponseModel):
    """A few figures.

    `uptimeSeconds` is this execution environment's; the rates are of the last minute over all
    functions, null when Redis is down.
    """

    uptime_seconds: int
    active_connections: int | None
    requests_per_minute: int | None
    error_rate: float | None


class Health(ResponseModel):
    """Unhealthy without the database; degraded without Redis, the Solana RPC or the indexer."""

    status: Literal["healthy", "degraded", "unhealthy"]
    services: Services
    metrics: HealthMetrics


class Liveness(ResponseModel):
    """The function runs."""

    status: Literal["alive"] = "alive"
