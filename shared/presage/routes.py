"""THE table: what each endpoint is, who may call it, how often, and how long its answer keeps.

An auditor reads this page. A stem names the row, the folder functions/<domain>/<stem>/, the
template block, the event file and the service function. Paths carry no prefix: custom-domain
mappings add /api/v1 and /api.
"""

from dataclasses import dataclass
from typing import Literal, TypedDict, Unpack, cast

from presage.call import Zone

type Auth = Literal["public", "user", "admin", "qstash", "webhook"]
type Scope = Literal["read", "trade", "admin", "session", "none"]
type Idempotency = Literal["safe", "natural", "repeats", "client_order_id", "key", "message_id"]

USUAL_LIMIT_PER_MIN = 1_000
ANONYMOUS_LIMIT_PER_MIN = 100
SERVICE_LIMIT_PER_MIN = 10_000


type Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class _Policy(TypedDict, total=False):
    """What a row may say beyond what it must."""

    status: int
    limit_per_min: int
    limit_by: Literal["ip", "caller"]
    cost_field: str
    login: bool
    cache_s: int
    document: str
    direct: bool
    calls_out: bool


@dataclass(frozen=True, kw_only=True)
class Route:
    """One endpoint.

    Attributes:
        auth: who may call: anyone, a signed-in user, an admin, QStash (and operators), or whoever
            shows the webhook's secret.
        scope: what an API key needs for it; `session` is open to sessions only, `none` to neither.
        idempotency: `safe` reads; `natural` converges when repeated; `repeats` does it again;
            `key` needs an Idempotency-Key header; otherwise the key's name.
        limit_per_min: a limit of this route's own, on top of the general one of its caller.
        limit_by: whose calls that limit counts.
        cost_field: the list in the body whose length a call costs; one without.
        login: it counts in Postgres when Redis is down.
        cache_s: how long its answer is kept, for everybody alike; 0 is never.
        document: the content type of an answer without envelope, in place of JSON or beside it.
        direct: it answers those too who did not come through the front that ORIGIN_SECRET names.
        calls_out: it may ask a service that is not ours, and answer 502 for it.
        slot_s: a workflow's slot: it completes once in each.
        retries: how often QStash tries a workflow again.
    """

    stem: str
    domain: str
    method: Method
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
    document: str = ""
    direct: bool = False
    calls_out: bool = False
    slot_s: int = 0
    retries: int = 3

    @property
    def zone(self) -> Zone:
        """The trust zone: which database role its Lambda has, and but for a webhook its secrets."""
        match self.auth:
            case "qstash" | "webhook":
                return "worker"
            case "admin":
                return "admin"
            case "public" | "user":
                return "api"


def _api(
    stem: str,
    domain: str,
    endpoint: str,
    auth: Auth,
    scope: Scope,
    idempotency: Idempotency,
    summary: str,
    **policy: Unpack[_Policy],
) -> Route:
    method, path = endpoint.split(" ")
    return Route(
        stem=stem,
        domain=domain,
        method=cast("Method", method),
        path=path,
        auth=auth,
        scope=scope,
        idempotency=idempotency,
        summary=summary,
        **policy,
    )


def _workflow(
    stem: str, summary: str, *, slot_s: int, retries: int = 3, domain: str = "workflows"
) -> Route:
    return Route(
        stem=stem,
        domain=domain,
        method="POST",
        path=f"/workflows/{stem.replace('_', '-')}",
        auth="qstash",
        scope="none",
        idempotency="message_id",
        summary=summary,
        slot_s=slot_s,
        retries=retries,
    )


# A table reads best as one: stem, domain, endpoint / auth, scope, idempotency, summary, the rest.
# fmt: off
_TABLE = (
    # identity
    _api("create_nonce", "identity", "POST /auth/nonce",
         "public", "read", "natural", "The exact message a wallet must sign to come in",
         limit_per_min=30, limit_by="ip", login=True),
    _api("connect_wallet", "identity", "POST /auth/connect-wallet",
         "public", "read", "natural", "Exchange a signed message for a session",
         limit_per_min=10, limit_by="ip", login=True, calls_out=True),
    _api("get_session", "identity", "GET /auth/session",
         "user", "session", "safe", "Who am I, and until when"),
    _api("logout", "identity", "POST /auth/logout",
         "user", "session", "natural", "Revoke every session of the caller"),
    # keys and tickets
    _api("list_api_keys", "identity", "GET /auth/api-keys",
         "user", "session", "safe", "The caller's API keys, newest first"),
    _api("create_api_key", "identity", "POST /auth/api-keys",
         "user", "session", "repeats", "Make an API key, which is shown this once",
         status=201, limit_per_min=10),
    _api("revoke_api_key", "identity", "DELETE /auth/api-keys/{key_id}",
         "user", "session", "natural", "End an API key"),
    _api("create_ws_ticket", "identity", "POST /auth/ws-ticket",
         "user", "read", "repeats", "A ticket for one WebSocket handshake within a minute",
         status=201, limit_per_min=30),
    # administration
    _api("list_users", "identity", "GET /admin/users",
         "admin", "admin", "safe", "Users, newest first, searched and filtered by role"),
    _api("get_user", "identity", "GET /admin/users/{user_id}",
         "admin", "admin", "safe", "One user, with how many sessions and keys are open"),
    _api("update_user", "identity", "PUT /admin/users/{user_id}",
         "admin", "admin", "natural", "Grant or take a role; close an account to new positions"),
    _api("list_audit_log", "identity", "GET /admin/audit-log",
         "admin", "admin", "safe", "What was done by whom, newest first"),
    # settings
    _api("get_profile", "identity", "GET /settings/profile",
         "user", "read", "safe", "How the caller is shown and reached"),
    _api("update_profile", "identity", "PUT /settings/profile",
         "user", "session", "natural", "Change display name, language or email",
         limit_per_min=30, calls_out=True),
    _api("confirm_email", "identity", "GET /settings/email/confirm",
         "public", "read", "natural", "Confirm an email by the link that was mailed to it",
         limit_per_min=30, limit_by="ip"),
    _api("link_polymarket", "identity", "PUT /settings/polymarket",
         "user", "session", "natural", "Store or replace the caller's Polymarket credentials",
         limit_per_min=10),
    _api("unlink_polymarket", "identity", "DELETE /settings/polymarket",
         "user", "session", "natural", "Forget the caller's Polymarket credentials"),
    # markets
    _api("propose_market", "markets", "POST /markets",
         "user", "trade", "repeats", "Propose a market, native or on Solana",
         status=201, limit_per_min=30, calls_out=True),
    _api("approve_market", "markets", "POST /markets/{market_id}/approve",
         "admin", "admin", "natural", "PROPOSED to APPROVED"),
    _api("activate_market", "markets", "POST /markets/{market_id}/activate",
         "user", "trade", "natural", "APPROVED to ACTIVE, by its creator or an admin"),
    _api("cancel_market", "markets", "POST /markets/{market_id}/cancel",
         "admin", "admin", "natural", "PROPOSED or APPROVED to CANCELLED"),
    _api("resolve_market", "markets", "POST /markets/{market_id}/resolve",
         "admin", "admin", "natural", "Propose the outcome of a closed market"),
    _api("dispute_market", "markets", "POST /markets/{market_id}/dispute",
         "user", "trade", "key", "Dispute a proposed outcome, with a bond",
         status=201, limit_per_min=10),
    _api("decide_dispute", "markets", "POST /markets/{market_id}/dispute/decision",
         "admin", "admin", "natural",
         "Uphold or refuse a dispute, which ends it here or has it ended on Solana"),
    _api("finalize_market", "markets", "POST /markets/{market_id}/finalize",
         "admin", "admin", "natural", "RESOLVING to FINALIZED once the dispute window is over"),
    _api("set_trading_status", "markets", "POST /markets/{market_id}/trading-status",
         "admin", "admin", "natural", "Open, post-only, cancel-only or halted"),
    _api("set_tick_range", "markets", "PUT /markets/{market_id}/tick-range",
         "admin", "admin", "natural", "Between which ticks a market's own follows volatility"),
    _api("clarify_market", "markets", "POST /markets/{market_id}/clarifications",
         "admin", "admin", "repeats", "Add a dated clarification to a market's rules", status=201),
    _api("list_markets", "markets", "GET /markets",
         "public", "read", "safe", "Markets, searched, filtered and sorted",
         limit_per_min=60, limit_by="ip", cache_s=60),
    _api("get_market", "markets", "GET /markets/{market_id}",
         "public", "read", "safe", "One market by id or slug, with prices and the top of its book",
         limit_per_min=120, limit_by="ip", cache_s=30),
    _api("get_book", "markets", "GET /markets/{market_id}/book",
         "public", "read", "safe", "Bids and asks of one outcome"),
    _api("list_market_trades", "markets", "GET /markets/{market_id}/trades",
         "public", "read", "safe", "Trades, newest first"),
    _api("get_price_history", "markets", "GET /markets/{market_id}/price-history",
         "public", "read", "safe", "OHLC and volume bars", cache_s=60),
    _api("get_market_stats", "markets", "GET /markets/{market_id}/stats",
         "public", "read", "safe", "Volume, trades, traders, open interest and liquidity",
         cache_s=30),
    _api("create_outcomes", "markets", "POST /markets/{market_id}/outcomes",
         "admin", "admin", "natural", "Turn an untraded market into one of several outcomes",
         status=201),
    _api("list_outcomes", "markets", "GET /markets/{market_id}/outcomes",
         "public", "read", "safe", "Outcomes with price and normalised probability", cache_s=30),
    _api("list_related_markets", "markets", "GET /markets/{market_id}/related",
         "public", "read", "safe", "Four markets like this one", cache_s=120),
    _api("list_market_snapshots", "markets", "GET /markets/{market_id}/snapshots",
         "public", "read", "safe", "The raw five-minute price points, newest first", cache_s=60),
    # orders
    _api("place_order", "orders", "POST /orders",
         "user", "trade", "client_order_id", "Place an order and match it", status=201),
    _api("place_orders", "orders", "POST /orders/batch",
         "user", "trade", "key", "The bet slip: place up to twenty orders in one call",
         status=201, cost_field="orders"),
    _api("list_orders", "orders", "GET /orders",
         "user", "read", "safe", "The caller's orders, newest first"),
    _api("get_order", "orders", "GET /orders/{order_id}",
         "user", "read", "safe", "One order of the caller, with its fills"),
    _api("amend_order", "orders", "PATCH /orders/{order_id}",
         "user", "trade", "natural", "Lower an open order's size, keeping its priority"),
    _api("cancel_order", "orders", "DELETE /orders/{order_id}",
         "user", "trade", "natural", "Cancel an open order"),
    _api("cancel_orders", "orders", "DELETE /orders",
         "user", "trade", "natural", "The kill switch: cancel every open order of a market, or all",
         ),
    # portfolio
    _api("list_positions", "portfolio", "GET /positions",
         "user", "read", "safe", "The caller's positions with profit and loss"),
    _api("split_position", "portfolio", "POST /positions/split",
         "user", "trade", "key", "Pay 1.00 for a YES and a NO, or for a YES of every outcome",
         status=201),
    _api("merge_position", "portfolio", "POST /positions/merge",
         "user", "trade", "key", "Give a YES and a NO, or a YES of every outcome, back for 1.00",
         status=201),
    _api("convert_position", "portfolio", "POST /positions/convert",
         "user", "trade", "key", "A NO of one outcome for a YES of every other", status=201),
    # ledger
    _api("get_wallet", "ledger", "GET /wallet",
         "user", "read", "safe", "Available and locked money"),
    _api("list_ledger", "ledger", "GET /wallet/ledger",
         "user", "read", "safe", "Every transfer of the caller's money, as JSON or CSV",
         document="text/csv; charset=utf-8"),
    _api("create_deposit", "ledger", "POST /wallet/deposits",
         "user", "trade", "key", "Announce money that was sent from outside",
         status=201, limit_per_min=10),
    _api("list_deposits", "ledger", "GET /wallet/deposits",
         "user", "read", "safe", "The caller's deposits, newest first"),
    _api("create_withdrawal", "ledger", "POST /wallet/withdrawals",
         "user", "trade", "key", "Take money out of the balance, to be paid outside",
         status=201, limit_per_min=10),
    _api("list_withdrawals", "ledger", "GET /wallet/withdrawals",
         "user", "read", "safe", "The caller's withdrawals, newest first"),
    _api("get_exchange_rate", "ledger", "GET /wallet/exchange-rate",
         "user", "read", "safe", "What a deposit in another currency is worth"),
    _api("list_all_deposits", "ledger", "GET /admin/deposits",
         "admin", "admin", "safe", "Everybody's deposits; those that wait oldest first"),
    _api("verify_deposit", "ledger", "POST /admin/deposits/{deposit_id}/verify",
         "admin", "admin", "natural", "Credit a deposit that has arrived"),
    _api("reject_deposit", "ledger", "POST /admin/deposits/{deposit_id}/reject",
         "admin", "admin", "natural", "Refuse a deposit that has not arrived"),
    _api("list_all_withdrawals", "ledger", "GET /admin/withdrawals",
         "admin", "admin", "safe", "Everybody's withdrawals; those that wait oldest first"),
    _api("complete_withdrawal", "ledger", "POST /admin/withdrawals/{withdrawal_id}/complete",
         "admin", "admin", "natural", "Record that a withdrawal was paid"),
    _api("reject_withdrawal", "ledger", "POST /admin/withdrawals/{withdrawal_id}/reject",
         "admin", "admin", "natural", "Give a withdrawal's money back"),
    _api("set_exchange_rate", "ledger", "PUT /admin/exchange-rates",
         "admin", "admin", "natural", "Set what another currency is worth, from now on"),
    # votes
    _api("vote_on_proposal", "votes", "POST /votes/proposal",
         "user", "trade", "natural", "Like or dislike a proposed market, once a wallet"),
    _api("vote_on_dispute", "votes", "POST /votes/dispute",
         "user", "trade", "natural", "Support or reject a dispute, by what one held in it"),
    _api("get_votes", "votes", "GET /markets/{market_id}/votes",
         "public", "read", "safe", "How the vote on a market stands", cache_s=5),
    # trading on chain
    _api("buy_shares", "chain", "POST /trades/buy",
         "user", "trade", "repeats", "Quote a buy on Solana and make its transaction",
         limit_per_min=60, calls_out=True),
    _api("sell_shares", "chain", "POST /trades/sell",
         "user", "trade", "repeats", "Quote a sale on Solana and make its transaction",
         limit_per_min=60, calls_out=True),
    _api("claim_winnings", "chain", "POST /trades/claim",
         "user", "trade", "repeats", "Make the transaction that claims winnings on Solana",
         limit_per_min=60, calls_out=True),
    _api("activate_on_chain", "chain", "POST /trades/activate",
         "user", "trade", "repeats", "Make the transaction that opens a market on Solana",
         limit_per_min=60, calls_out=True),
    _api("resolve_on_chain", "chain", "POST /trades/resolve",
         "user", "trade", "repeats", "Pin evidence; make the transaction that proposes an outcome",
         limit_per_min=10, calls_out=True),
    _api("dispute_on_chain", "chain", "POST /trades/dispute",
         "user", "trade", "repeats", "Make the transaction that disputes an outcome on Solana",
         limit_per_min=60, calls_out=True),
    _api("withdraw_liquidity", "chain", "POST /trades/withdraw-liquidity",
         "user", "trade", "repeats", "Make the transaction that takes a creator's liquidity back",
         limit_per_min=60, calls_out=True),
    _api("submit_trade", "chain", "POST /trades/submit",
         "user", "trade", "natural", "Relay a transaction that was made here and signed",
         limit_per_min=60, calls_out=True),
    # social
    _api("bookmark_market", "social", "POST /markets/{market_id}/bookmark",
         "user", "trade", "repeats", "Bookmark a market, or drop the bookmark"),
    _api("follow_market", "social", "POST /markets/{market_id}/follow",
         "user", "trade", "repeats", "Follow a market, change what to be told, or stop"),
    _api("list_bookmarks", "social", "GET /bookmarks",
         "user", "read", "safe", "The caller's bookmarks, newest first"),
    _api("list_follows", "social", "GET /follows",
         "user", "read", "safe", "The markets that the caller follows, newest first"),
    # discussions
    _api("list_discussions", "discussions", "GET /discussions/{id}",
         "public", "read", "safe", "What people say of a market, in threads, newest first",
         limit_per_min=60, limit_by="ip"),
    _api("create_comment", "discussions", "POST /discussions",
         "user", "trade", "repeats", "Say something of a market, or answer",
         status=201, limit_per_min=20),
    _api("delete_comment", "discussions", "DELETE /discussions/{id}",
         "user", "trade", "natural", "Take one's comment back; an admin takes any"),
    _api("like_comment", "discussions", "POST /comments/{comment_id}/like",
         "user", "trade", "repeats", "Like a comment, or like it no more"),
    _api("list_anchors", "discussions", "GET /discussions/{id}/anchors",
         "public", "read", "safe", "A market's snapshots in IPFS, newest first"),
    _api("get_ipfs", "discussions", "GET /ipfs/{cid}",
         "public", "read", "safe", "A published document, checked against its CID",
         limit_per_min=30, limit_by="ip", document="application/json; charset=utf-8",
         calls_out=True),
    # notifications
    _api("list_notifications", "notifications", "GET /notifications",
         "user", "read", "safe", "The caller's notifications, newest first"),
    _api("mark_read", "notifications", "POST /notifications/mark-read",
         "user", "trade", "natural", "Mark notifications as read"),
    # news
    _api("list_news", "news", "GET /news",
         "public", "read", "safe", "What the configured feeds said, newest first", cache_s=60),
    # analytics
    _api("get_leaderboard", "analytics", "GET /leaderboard",
         "public", "read", "safe", "Who earned, traded or was right the most", cache_s=60),
    _api("list_reports", "analytics", "GET /admin/reports",
         "admin", "admin", "safe", "The daily reports, newest first"),
    _api("get_report", "analytics", "GET /admin/reports/{date}",
         "admin", "admin", "safe", "One day's report, as JSON or Markdown",
         document="text/markdown; charset=utf-8"),
    # events
    _api("receive_helius", "events", "POST /webhooks/helius",
         "webhook", "none", "natural", "Index a delivery of raw transactions"),
    _api("receive_events", "events", "POST /webhooks/events",
         "webhook", "none", "natural", "Index a delivery of raw transactions, by its other name"),
    _api("list_events", "events", "GET /events",
         "public", "read", "safe", "Events of the programme, newest first"),
    _api("list_market_events", "events", "GET /events/{market_id}",
         "public", "read", "safe", "A market's events, by its id here or on chain"),
    _api("search_events", "events", "GET /events/search",
         "public", "read", "safe", "Events by market, or by the start of a wallet or signature"),
    _api("list_events_by_type", "events", "GET /events/by-type/{type}",
         "public", "read", "safe", "Events of one type, newest first"),
    _api("list_events_by_date", "events", "GET /events/by-date",
         "public", "read", "safe", "Events between two moments, newest first"),
    # users
    _api("get_user_profile", "users", "GET /users/{wallet}",
         "public", "read", "safe", "A wallet's name and figures; the exchange's for its owner"),
    _api("list_user_positions", "users", "GET /users/{wallet}/positions",
         "public", "read", "safe", "What a wallet holds on chain, and its owner on the exchange"),
    _api("list_user_trades", "users", "GET /users/{wallet}/trades",
         "public", "read", "safe", "A wallet's trades on chain, and its owner's on the exchange"),
    _api("list_user_votes", "users", "GET /users/{wallet}/votes",
         "public", "read", "safe", "A wallet's votes on chain, and its owner's cast here"),
    # ops
    _api("get_health", "ops", "GET /health",
         "public", "read", "safe", "Whether the platform and what it stands on are well"),
    _api("get_liveness", "ops", "GET /health/live",
         "public", "read", "safe", "Whether the function runs at all", direct=True),
    _api("get_openapi", "ops", "GET /openapi.json",
         "public", "read", "safe", "This API as an OpenAPI 3.1 document",
         document="application/vnd.oai.openapi+json;version=3.1"),
    _api("get_docs", "ops", "GET /docs",
         "public", "read", "safe", "This API to read and to try, in a browser",
         document="text/html; charset=utf-8"),
    # operations
    _api("list_alerts", "ops", "GET /admin/alerts",
         "admin", "admin", "safe", "What operators were told, newest first"),
    _api("acknowledge_alert", "ops", "POST /admin/alerts/{alert_id}/acknowledge",
         "admin", "admin", "natural", "Say that somebody has taken an alert up"),
    _api("list_escalations", "ops", "GET /admin/escalations",
         "admin", "admin", "safe", "Questions that only a human may answer, newest first"),
    _api("create_escalation", "ops", "POST /admin/escalations",
         "admin", "admin", "repeats", "Bring a question before the other admins", status=201),
    _api("resolve_escalation", "ops", "POST /admin/escalations/{escalation_id}/resolve",
         "admin", "admin", "natural", "Answer an escalation"),
    _api("create_ticket", "ops", "POST /support/tickets",
         "user", "trade", "repeats", "Ask support", status=201, limit_per_min=5),
    _api("list_tickets", "ops", "GET /support/tickets",
         "user", "read", "safe", "The caller's support tickets, newest first"),
    _api("list_workflow_runs", "ops", "GET /admin/workflow-runs",
         "admin", "admin", "safe", "Runs of workflows, newest first"),
    _api("list_discrepancies", "ops", "GET /admin/discrepancies",
         "admin", "admin", "safe", "What the books say against themselves"),
    _api("get_admin_metrics", "ops", "GET /admin/metrics",
         "admin", "admin", "safe", "How long queues are, what failed, what was traded"),
    # dead letters
    _api("list_dead_letters", "ops", "GET /admin/dead-letters",
         "admin", "admin", "safe", "What workflows could not handle, newest first"),
    _api("retry_dead_letter", "ops", "POST /admin/dead-letters/{letter_id}/retry",
         "admin", "admin", "natural", "Have a dead letter tried again in its next run"),
    _api("discard_dead_letter", "ops", "POST /admin/dead-letters/{letter_id}/discard",
         "admin", "admin", "natural", "Give a dead letter up, and say why"),
    # workflows
    _workflow("group_fast", "Every 5 minutes: fan out the fast tasks", slot_s=300),
    _workflow("group_hourly", "Every hour: fan out the hourly tasks", slot_s=3_600),
    _workflow("group_daily", "Every day at 00:00 UTC: fan out the daily tasks", slot_s=86_400),
    _workflow("execute_crypto", "Fetch prices; propose outcomes of closed markets", slot_s=300),
    _workflow("market_close_check", "Stop trading past the close; release orders", slot_s=300),
    _workflow("vote_aggregation", "Count votes; move what they decide", slot_s=300),
    _workflow("price_snapshot", "A price point for every active outcome", slot_s=300),
    _workflow("market_monitor", "Finalize markets whose window is over", slot_s=60, retries=0),
    _workflow("settle_market", "Pay the holders of final markets", slot_s=60, retries=0),
    _workflow("expire_orders", "Release orders past their expiration", slot_s=60, retries=0),
    _workflow("sweep_outbox", "Make notifications of what was said", slot_s=60, retries=0),
    _workflow("dead_letter_retry", "Send what failed out again", slot_s=60, retries=0),
    _workflow("delivery_failed", "Keep a message that QStash gave up", slot_s=60),
    _workflow("schedule_watchdog", "Notice schedules that stopped", slot_s=60, retries=0),
    _workflow("sweep_fees", "Move the markets' fees to the platform", slot_s=86_400),
    _workflow("cleanup_expired_deposits", "Mark deposits that nobody confirmed", slot_s=86_400),
    _workflow("send_alerts", "Tell operators what is wrong", slot_s=60, retries=0),
    _workflow("check_escalations", "Raise what no human has answered", slot_s=300),
    _workflow("audit_books", "Check every invariant of the money", slot_s=86_400),
    _workflow("cleanup", "Drop what has expired", slot_s=86_400),
    _workflow("rotate_credentials", "Put stored credentials under the present key", slot_s=86_400),
    # the chain
    _workflow("chain_confirm", "See through what was sent to the chain", slot_s=60, retries=0),
    # workflows that compute and fetch
    _workflow("update_exchange_rate", "Fetch what a USDT is worth", slot_s=300),
    _workflow("analytics_daily", "Roll up the statistics of the day", slot_s=3_600),
    _workflow("event_reconciliation", "Compare with the chain; fetch what was missed",
              slot_s=600),
    _workflow("tick_adjustment", "Let ticks follow volatility, after notice", slot_s=3_600),
    _workflow("execute_news", "Fetch the configured news feeds", slot_s=86_400),
    _workflow("leaderboard_refresh", "Rank everybody anew", slot_s=86_400),
    _workflow("discussion_snapshot", "Pin what was said on the day before", slot_s=86_400),
    _workflow("daily_report", "Write the report of the day before", slot_s=86_400),
)
# fmt: on

ROUTES = {route.stem: route for route in _TABLE}
