"""What a request costs in network flushes: the budget of DESIGN, counted on the wire."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from infra.local import deliveries
from presage.chain.events import SharesBought
from presage.ops import alerts
from tests.harness import Platform, Wallet
from tests.proxy import FlushCounter

type Counters = tuple[FlushCounter, FlushCounter]


@pytest.fixture
def counters(
    platform: Platform, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Counters]:
    with (
        FlushCounter(platform.database.server.port) as postgres,
        FlushCounter(urlsplit(redis_url).port or 0) as redis,
    ):
        for name, url in platform.database.urls.items():
            parts = urlsplit(url)
            through = parts._replace(
                netloc=parts.netloc.replace(f":{parts.port}", f":{postgres.port}")
            )
            monkeypatch.setenv(name, through.geturl())
        monkeypatch.setenv("UPSTASH_REDIS_REST_URL", f"http://127.0.0.1:{redis.port}")
        platform.close()
        yield postgres, redis
        platform.close()


@pytest.fixture
def market(platform: Platform, admin: Wallet, trader: Wallet) -> str:
    return platform.active_market(admin, trader)


@pytest.fixture
def trader(platform: Platform) -> Wallet:
    wallet = platform.sign_in()
    platform.fund(wallet, 1_000_000_000)
    return wallet


def _cost(counters: Counters) -> tuple[int, int]:
    spent = counters[0].flushes, counters[1].flushes
    for counter in counters:
        counter.reset()
    return spent


def test_a_warm_order_is_one_flush_each(
    platform: Platform, trader: Wallet, market: str, counters: Counters
) -> None:
    assert platform.order(trader, market, side="BUY", price=0.4, size=1).status == 201
    _cost(counters)
    for price in (0.41, 0.42, 0.43):
        assert platform.order(trader, market, side="BUY", price=price, size=1).status == 201
        assert _cost(counters) == (1, 1)


PRIVATE_READS = [
    *("list_orders", "list_positions", "get_session", "get_profile"),
    "list_tickets",
    *("get_wallet", "list_ledger", "list_deposits", "list_withdrawals", "get_exchange_rate"),
]


@pytest.mark.parametrize("stem", PRIVATE_READS)
def test_a_warm_private_read_is_one_flush_each(
    stem: str, platform: Platform, trader: Wallet, counters: Counters
) -> None:
    assert platform.call(stem, token=trader.token).status == 200
    _cost(counters)
    assert platform.call(stem, token=trader.token).status == 200
    assert _cost(counters) == (1, 1)


def test_a_warm_read_by_key_is_one_flush_each(
    platform: Platform, trader: Wallet, counters: Counters
) -> None:
    key = platform.api_key(trader, "read")
    assert platform.call("get_wallet", token=key).status == 200
    _cost(counters)
    assert platform.call("get_wallet", token=key).status == 200
    assert _cost(counters) == (1, 1)


ADMIN_READS = [
    *("list_users", "list_audit_log", "list_alerts", "list_escalations"),
    *("list_workflow_runs", "list_discrepancies", "get_admin_metrics", "list_reports"),
]


@pytest.mark.parametrize("stem", ADMIN_READS)
def test_a_warm_admin_read_is_one_flush_each(
    stem: str, platform: Platform, admin: Wallet, counters: Counters
) -> None:
    assert platform.call(stem, token=admin.token).status == 200
    _cost(counters)
    assert platform.call(stem, token=admin.token).status == 200
    assert _cost(counters) == (1, 1)


PUBLIC_READS: list[tuple[str, dict[str, str]]] = [
    ("list_events", {"query": "limit"}),
    ("search_events", {"query": "q"}),
    ("list_market_events", {"market_id": "0" * 64}),
    ("list_events_by_type", {"type": "MarketCreated"}),
]
QUERIES = {"limit": {"limit": 1}, "q": {"q": "7h3gXfBf"}}


@pytest.mark.parametrize(("stem", "asked"), PUBLIC_READS)
def test_a_read_of_events_is_one_flush_each(
    stem: str, asked: dict[str, str], platform: Platform, counters: Counters
) -> None:
    path: dict[str, Any] = {name: value for name, value in asked.items() if name != "query"}
    query = QUERIES.get(asked.get("query", ""))
    costs = []
    for _ in range(2):
        assert platform.call(stem, query=query, **path).status == 200
        costs.append(_cost(counters))
    assert costs[1] == (1, 1)


def test_a_delivery_is_a_few_flushes_however_much_it_holds(
    platform: Platform, counters: Counters
) -> None:
    """A beginning, COPY's request and its data, and the rest: see ADR 9."""
    costs = []
    for first, last in ((0, 1), (1, 3), (3, 300), (0, 300)):
        made = [
            deliveries.of_events(
                SharesBought(
                    *(deliveries.market("m"), deliveries.wallet("w")), outcome=True, shares=1,
                    cost=1, new_price_yes=1, timestamp=deliveries.GENESIS_S,
                ),
                name=f"t {n}",
            )
            for n in range(first, last)
        ]  # fmt: skip
        assert platform.index(*made).status == 200
        costs.append(_cost(counters))
    assert costs[1:3] == [(4, 0)] * 2
    # All of it was known: what the key refuses is looked for.
    assert costs[3] == (6, 0)


def test_a_change_of_rights_tells_redis_after_its_commit(
    platform: Platform, admin: Wallet, trader: Wallet, counters: Counters
) -> None:
    made = platform.call(
        "create_api_key", token=trader.token, body={"name": "bot", "scopes": ["read"]}
    )
    platform.call("list_users", token=admin.token)
    platform.call("get_session", token=trader.token)
    _cost(counters)
    body = {"name": "bot", "scopes": ["read"]}
    assert platform.call("create_api_key", token=trader.token, body=body).status == 201
    assert _cost(counters) == (1, 1)
    assert platform.call("create_ws_ticket", token=trader.token).status == 201
    assert _cost(counters) == (1, 1)
    key_id = made.data["id"]
    assert platform.call("revoke_api_key", token=trader.token, key_id=key_id).status == 200
    assert _cost(counters) == (1, 2)
    changed = platform.call(
        "update_user", token=admin.token, user_id=trader.user_id, body={"role": "admin"}
    )
    assert changed.status == 200
    assert _cost(counters) == (1, 2)


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("get_book", "market_id"),
        ("list_market_trades", "market_id"),
        ("list_discussions", "id"),
        ("list_anchors", "id"),
    ],
)
def test_a_public_read_is_one_flush_each(
    stem: str, name: str, platform: Platform, market: str, counters: Counters
) -> None:
    platform.call("get_liveness")
    platform.call(stem, **{name: market})  # type: ignore[arg-type]
    _cost(counters)
    assert platform.call(stem, **{name: market}).status == 200  # type: ignore[arg-type]
    assert _cost(counters) == (1, 1)


@pytest.mark.parametrize(
    "stem", ["get_user_profile", "list_user_positions", "list_user_trades", "list_user_votes"]
)
def test_a_read_of_a_wallet_is_one_flush_each(
    stem: str, platform: Platform, trader: Wallet, counters: Counters
) -> None:
    platform.call(stem, token=trader.token, wallet=trader.address)
    _cost(counters)
    assert platform.call(stem, token=trader.token, wallet=trader.address).status == 200
    assert _cost(counters) == (1, 1)


@pytest.mark.parametrize("stem", ["list_news", "get_leaderboard"])
def test_a_page_for_everybody_is_read_once_a_minute(
    stem: str, platform: Platform, counters: Counters
) -> None:
    platform.call("get_liveness")
    _cost(counters)
    platform.call(stem)
    assert _cost(counters)[1] == 2  # filled, as below; the first read opens the connection too
    assert platform.call(stem).status == 200
    assert _cost(counters) == (0, 1)


@pytest.mark.parametrize("stem", ["get_market", "get_market_stats", "get_price_history"])
def test_a_cached_read_is_one_redis_flush(
    stem: str, platform: Platform, market: str, counters: Counters
) -> None:
    # What was read within the clocks' skew of the market's last move is not kept.
    platform.advance(2)
    platform.call("get_book", market_id=market)
    _cost(counters)
    platform.call(stem, market_id=market)
    # Filling the cache takes a second Redis flush, once in the answer's lifetime (ADR 0002).
    assert _cost(counters) == (1, 2)
    assert platform.call(stem, market_id=market).status == 200
    assert _cost(counters) == (0, 1)


def test_a_comment_and_a_like_are_one_flush_each(
    platform: Platform, trader: Wallet, market: str, counters: Counters
) -> None:
    said = platform.comment(trader, market).data["id"]
    _cost(counters)
    assert platform.comment(trader, market, "Hm!", parentId=said).status == 201
    assert _cost(counters) == (1, 1)
    assert platform.call("like_comment", token=trader.token, comment_id=said).status == 200
    assert _cost(counters) == (1, 1)
    assert platform.call("delete_comment", token=trader.token, id=said).status == 200
    assert _cost(counters) == (1, 1)


def test_a_cancel_is_one_flush_each(
    platform: Platform, trader: Wallet, market: str, counters: Counters
) -> None:
    order = platform.order(trader, market, side="BUY", price=0.4, size=1).data["id"]
    _cost(counters)
    assert platform.call("cancel_order", token=trader.token, order_id=order).status == 200
    assert _cost(counters) == (1, 1)


def test_a_change_of_settings_is_one_flush_each(
    platform: Platform, trader: Wallet, counters: Counters
) -> None:
    keys = {"apiKey": "a", "apiSecret": "b", "passphrase": "c"}
    costs = []
    for _ in range(2):
        for stem, body in (
            ("update_profile", {"displayName": "Rahim"}),
            ("link_polymarket", keys),
            ("unlink_polymarket", None),
        ):
            assert platform.call(stem, token=trader.token, body=body).status == 200
            costs.append(_cost(counters))
    # The first of them leaves Redis a copy of the session.
    assert costs[1:] == [(1, 1)] * 5


def test_operators_answers_are_one_flush_each(
    platform: Platform, admin: Wallet, trader: Wallet, counters: Counters
) -> None:
    alerts.raise_alert(platform.as_zone("worker"), "workflow_failed", {}, "cleanup")
    platform.call("list_alerts", token=admin.token)
    platform.call("list_tickets", token=trader.token)
    _cost(counters)
    words = {"title": "My deposit", "message": "It is not there."}
    ticket = platform.call("create_ticket", token=trader.token, body=words).data["id"]
    assert _cost(counters) == (1, 1)
    answer = {"resolution": "Paid."}
    done = platform.call("resolve_escalation", token=admin.token, body=answer, escalation_id=ticket)
    assert (done.status, _cost(counters)) == (200, (1, 1))
    done = platform.call("acknowledge_alert", token=admin.token, alert_id=1)
    assert (done.status, _cost(counters)) == (200, (1, 1))


def test_a_sign_in_with_credentials_looks_the_user_up(
    platform: Platform, counters: Counters
) -> None:
    account = Account.from_key("0x" + "c3" * 32)
    message = platform.call("create_nonce", body={"address": account.address}).data["message"]
    signed = account.sign_message(encode_defunct(text=message)).signature.hex()
    body = {
        "address": account.address,
        "message": message,
        "signature": signed,
        "polymarketApiKey": "a",
        "polymarketApiSecret": "b",
        "polymarketPassphrase": "c",
    }
    _cost(counters)
    assert platform.call("connect_wallet", body=body).status == 200
    assert _cost(counters) == (2, 1)


def test_money_in_and_out_is_one_flush_each(
    platform: Platform, admin: Wallet, trader: Wallet, counters: Counters
) -> None:
    platform.call("list_all_deposits", token=admin.token)
    platform.call("get_wallet", token=trader.token)
    _cost(counters)
    deposit = platform.deposit(trader, senderReference="TXN-1").data["id"]
    assert _cost(counters) == (1, 1)
    platform.call("verify_deposit", token=admin.token, deposit_id=deposit)
    assert _cost(counters) == (1, 1)
    withdrawal = platform.withdraw(trader).data["id"]
    assert _cost(counters) == (1, 1)
    why = {"reason": "The number does not exist."}
    path = {"withdrawal_id": withdrawal}
    platform.call("reject_withdrawal", token=admin.token, body=why, **path)
    assert _cost(counters) == (1, 1)


def test_a_move_of_a_market_tells_the_cache_after_its_commit(
    platform: Platform, admin: Wallet, trader: Wallet, counters: Counters
) -> None:
    market_id = platform.proposed_market(trader)
    platform.call("approve_market", token=admin.token, market_id=platform.proposed_market(trader))
    _cost(counters)
    assert platform.call("approve_market", token=admin.token, market_id=market_id).status == 200
    assert _cost(counters) == (1, 2)
