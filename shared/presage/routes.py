"""THE table: what each endpoint is, who may call it, how often, and how long its answer keeps.

An auditor reads this page. A stem names the row, the folder functions/<domain>/<stem>/, the
template block, the event file and the service function. Paths carry no prefix: custom-domain
mappings add /api/v1 and /api.
"""

from dataclasses import dataclass
from typing import Literal

from presage.call import Zone

type Auth = Literal["public", "user", "admin", "qstash"]
type Scope = Literal["read", "trade", "admin", "service"]
type Idempotency = Literal["safe", "natural", "repeats", "client_order_id", "key", "message_id"]

USUAL_LIMIT_PER_MIN = 1_000
ANONYMOUS_LIMIT_PER_MIN = 100


@dataclass(frozen=True, kw_only=True)
class Route:
    """One endpoint.

    Attributes:
        auth: who may call: anyone, a signed-in user, an admin, or QStash (and operators).
        scope: what a key needs for it.
        idempotency: `safe` reads; `natural` converges when repeated; `repeats` does it again;
            `key` needs an Idempotency-Key header; otherwise the key's name.
        limit_per_min: a limit of this route's own, on top of the general one of its caller.
        limit_by: whose calls that limit counts.
        cost_field: the list in the body whose length a call costs; one without.
        login: it counts in Postgres when Redis is down.
        cache_s: how long its answer is kept, for everybody alike; 0 is never.
        slot_s: a workflow's slot: it completes once in each.
        retries: how often QStash tries a workflow again.
    """

    stem: str
    domain: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    auth: Auth
    scope: Scope
    idempotency: Idempotency
    summary: str
    status: int = 200
    limit_per_min: int = 0
    limit_by: Literal["ip", "caller"] = "caller"
    cost_field: str = ""
    login: bool = False
    cache_s: int = 0
    slot_s: int = 0
    retries: int = 3

    @property
    def zone(self) -> Zone:
        """The trust zone: which database role and which secrets its Lambda has."""
        match self.auth:
            case "qstash":
                return "worker"
            case "admin":
                return "admin"
            case "public" | "user":
                return "api"


def _workflow(
    stem: str, summary: str, *, slot_s: int, retries: int = 3, domain: str = "workflows"
) -> Route:
    return Route(
        stem=stem,
        domain=domain,
        method="POST",
        path=f"/workflows/{stem.replace('_', '-')}",
        auth="qstash",
        scope="service",
        idempotency="message_id",
        summary=summary,
        slot_s=slot_s,
        retries=retries,
    )


_TABLE = (
    # identity
    Route(
        stem="create_nonce",
        domain="identity",
        method="POST",
        path="/auth/nonce",
        auth="public",
        scope="read",
        idempotency="natural",
        summary="The exact message a wallet must sign to come in",
        limit_per_min=30,
        limit_by="ip",
        login=True,
    ),
    Route(
        stem="connect_wallet",
        domain="identity",
        method="POST",
        path="/auth/connect-wallet",
        auth="public",
        scope="read",
        idempotency="natural",
        summary="Exchange a signed message for a session",
        limit_per_min=10,
        limit_by="ip",
        login=True,
    ),
    Route(
        stem="get_session",
        domain="identity",
        method="GET",
        path="/auth/session",
        auth="user",
        scope="read",
        idempotency="safe",
        summary="Who am I, and until when",
    ),
    Route(
        stem="logout",
        domain="identity",
        method="POST",
        path="/auth/logout",
        auth="user",
        scope="read",
        idempotency="natural",
        summary="Revoke every session of the caller",
    ),
    # markets
    Route(
        stem="propose_market",
        domain="markets",
        method="POST",
        path="/markets",
        auth="user",
        scope="trade",
        idempotency="repeats",
        summary="Propose a market",
        status=201,
        limit_per_min=30,
    ),
    Route(
        stem="approve_market",
        domain="markets",
        method="POST",
        path="/markets/{market_id}/approve",
        auth="admin",
        scope="admin",
        idempotency="natural",
        summary="PROPOSED to APPROVED",
    ),
    Route(
        stem="activate_market",
        domain="markets",
        method="POST",
        path="/markets/{market_id}/activate",
        auth="user",
        scope="trade",
        idempotency="natural",
        summary="APPROVED to ACTIVE, by its creator or an admin",
    ),
    Route(
        stem="cancel_market",
        domain="markets",
        method="POST",
        path="/markets/{market_id}/cancel",
        auth="admin",
        scope="admin",
        idempotency="natural",
        summary="PROPOSED or APPROVED to CANCELLED",
    ),
    Route(
        stem="resolve_market",
        domain="markets",
        method="POST",
        path="/markets/{market_id}/resolve",
        auth="admin",
        scope="admin",
        idempotency="natural",
        summary="Propose the outcome of a closed market",
    ),
    Route(
        stem="finalize_market",
        domain="markets",
        method="POST",
        path="/markets/{market_id}/finalize",
        auth="admin",
        scope="admin",
        idempotency="natural",
        summary="RESOLVING to FINALIZED once the dispute window is over",
    ),
    Route(
        stem="set_trading_status",
        domain="markets",
        method="POST",
        path="/markets/{market_id}/trading-status",
        auth="admin",
        scope="admin",
        idempotency="natural",
        summary="Open, post-only, cancel-only or halted",
    ),
    Route(
        stem="clarify_market",
        domain="markets",
        method="POST",
        path="/markets/{market_id}/clarifications",
        auth="admin",
        scope="admin",
        idempotency="repeats",
        summary="Add a dated clarification to a market's rules",
        status=201,
    ),
    Route(
        stem="list_markets",
        domain="markets",
        method="GET",
        path="/markets",
        auth="public",
        scope="read",
        idempotency="safe",
        summary="Markets, searched, filtered and sorted",
        limit_per_min=60,
        limit_by="ip",
        cache_s=60,
    ),
    Route(
        stem="get_market",
        domain="markets",
        method="GET",
        path="/markets/{market_id}",
        auth="public",
        scope="read",
        idempotency="safe",
        summary="One market by id or slug, with prices and the top of its book",
        limit_per_min=120,
        limit_by="ip",
        cache_s=30,
    ),
    Route(
        stem="get_book",
        domain="markets",
        method="GET",
        path="/markets/{market_id}/book",
        auth="public",
        scope="read",
        idempotency="safe",
        summary="Bids and asks of one outcome",
    ),
    Route(
        stem="list_market_trades",
        domain="markets",
        method="GET",
        path="/markets/{market_id}/trades",
        auth="public",
        scope="read",
        idempotency="safe",
        summary="Trades, newest first",
    ),
    Route(
        stem="get_price_history",
        domain="markets",
        method="GET",
        path="/markets/{market_id}/price-history",
        auth="public",
        scope="read",
        idempotency="safe",
        summary="OHLC and volume bars",
        cache_s=60,
    ),
    Route(
        stem="get_market_stats",
        domain="markets",
        method="GET",
        path="/markets/{market_id}/stats",
        auth="public",
        scope="read",
        idempotency="safe",
        summary="Volume, trades, traders, open interest and liquidity",
        cache_s=30,
    ),
    Route(
        stem="create_outcomes",
        domain="markets",
        method="POST",
        path="/markets/{market_id}/outcomes",
        auth="admin",
        scope="admin",
        idempotency="natural",
        summary="Turn an untraded market into one of several outcomes",
        status=201,
    ),
    Route(
        stem="list_outcomes",
        domain="markets",
        method="GET",
        path="/markets/{market_id}/outcomes",
        auth="public",
        scope="read",
        idempotency="safe",
        summary="Outcomes with price and normalised probability",
        cache_s=30,
    ),
    Route(
        stem="list_related_markets",
        domain="markets",
        method="GET",
        path="/markets/{market_id}/related",
        auth="public",
        scope="read",
        idempotency="safe",
        summary="Four markets like this one",
        cache_s=120,
    ),
    Route(
        stem="list_market_snapshots",
        domain="markets",
        method="GET",
        path="/markets/{market_id}/snapshots",
        auth="public",
        scope="read",
        idempotency="safe",
        summary="The raw five-minute price points, newest first",
        cache_s=60,
    ),
    # orders
    Route(
        stem="place_order",
        domain="orders",
        method="POST",
        path="/orders",
        auth="user",
        scope="trade",
        idempotency="client_order_id",
        summary="Place an order and match it",
        status=201,
    ),
    Route(
        stem="place_orders",
        domain="orders",
        method="POST",
        path="/orders/batch",
        auth="user",
        scope="trade",
        idempotency="key",
        summary="The bet slip: place up to twenty orders in one call",
        status=201,
        cost_field="orders",
    ),
    Route(
        stem="list_orders",
        domain="orders",
        method="GET",
        path="/orders",
        auth="user",
        scope="read",
        idempotency="safe",
        summary="The caller's orders, newest first",
    ),
    Route(
        stem="get_order",
        domain="orders",
        method="GET",
        path="/orders/{order_id}",
        auth="user",
        scope="read",
        idempotency="safe",
        summary="One order of the caller, with its fills",
    ),
    Route(
        stem="amend_order",
        domain="orders",
        method="PATCH",
        path="/orders/{order_id}",
        auth="user",
        scope="trade",
        idempotency="natural",
        summary="Lower an open order's size, keeping its priority",
    ),
    Route(
        stem="cancel_order",
        domain="orders",
        method="DELETE",
        path="/orders/{order_id}",
        auth="user",
        scope="trade",
        idempotency="natural",
        summary="Cancel an open order",
    ),
    Route(
        stem="cancel_orders",
        domain="orders",
        method="DELETE",
        path="/orders",
        auth="user",
        scope="trade",
        idempotency="natural",
        summary="The kill switch: cancel every open order of a market, or all",
    ),
    # portfolio and ledger
    Route(
        stem="list_positions",
        domain="portfolio",
        method="GET",
        path="/positions",
        auth="user",
        scope="read",
        idempotency="safe",
        summary="The caller's positions with profit and loss",
    ),
    Route(
        stem="split_position",
        domain="portfolio",
        method="POST",
        path="/positions/split",
        auth="user",
        scope="trade",
        idempotency="key",
        summary="Pay 1.00 for a YES and a NO, or for a YES of every outcome",
        status=201,
    ),
    Route(
        stem="merge_position",
        domain="portfolio",
        method="POST",
        path="/positions/merge",
        auth="user",
        scope="trade",
        idempotency="key",
        summary="Give a YES and a NO, or a YES of every outcome, back for 1.00",
        status=201,
    ),
    Route(
        stem="convert_position",
        domain="portfolio",
        method="POST",
        path="/positions/convert",
        auth="user",
        scope="trade",
        idempotency="key",
        summary="A NO of one outcome for a YES of every other",
        status=201,
    ),
    Route(
        stem="get_wallet",
        domain="ledger",
        method="GET",
        path="/wallet",
        auth="user",
        scope="read",
        idempotency="safe",
        summary="Available and locked money",
    ),
    # ops
    Route(
        stem="get_health",
        domain="ops",
        method="GET",
        path="/health",
        auth="public",
        scope="read",
        idempotency="safe",
        summary="Whether the platform and what it stands on are well",
    ),
    Route(
        stem="get_liveness",
        domain="ops",
        method="GET",
        path="/health/live",
        auth="public",
        scope="read",
        idempotency="safe",
        summary="Whether the function runs at all",
    ),
    # workflows
    _workflow("group_fast", "Every 5 minutes: fan out the fast tasks", slot_s=300),
    _workflow("group_hourly", "Every hour: fan out the hourly tasks", slot_s=3_600),
    _workflow("group_daily", "Every day at 00:00 UTC: fan out the daily tasks", slot_s=86_400),
    _workflow("execute_crypto", "Fetch prices; propose outcomes of closed markets", slot_s=300),
    _workflow("market_close_check", "Stop trading past the close; release orders", slot_s=300),
    _workflow("price_snapshot", "A price point for every active outcome", slot_s=300),
    _workflow("market_monitor", "Finalize markets whose window is over", slot_s=60, retries=0),
    _workflow("settle_market", "Pay the holders of final markets", slot_s=60, retries=0),
    _workflow("expire_orders", "Release orders past their expiration", slot_s=60, retries=0),
    _workflow("sweep_fees", "Move the markets' fees to the platform", slot_s=86_400),
    _workflow("cleanup", "Drop what has expired", slot_s=86_400),
)

ROUTES = {route.stem: route for route in _TABLE}
