"""What was indexed is held against the chain: an emulated cluster, asked by its RPC."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from infra.local.asgi import Receive, Scope, Send, answer_lifespan, read_body, respond
from infra.local.clock import set_clock
from infra.local.deliveries import GENESIS_S, market, of_events, wallet
from infra.local.feed import FeedServer
from infra.reindex import reindex
from presage.chain.accounts import GlobalConfig, MarketAccount, UserPosition
from presage.chain.events import MarketCreated
from presage.chain.programme import MarketState, config_address, position_address
from tests.chain_history import tables
from tests.cluster import AUTHORITY, HELIUS_API_KEY, SOL, Cluster
from tests.harness import NOON_MS, WEBHOOK_SECRET, Platform, Wallet

WEBHOOK_ID = "00000000-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster for the module: each test makes markets of its own."""
    clock_file = tmp_path_factory.mktemp("solana") / "clock"
    set_clock(clock_file, NOON_MS)
    with Cluster(clock_file) as cluster:
        yield cluster


@pytest.fixture
def cluster(running: Cluster, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """The cluster that the platform asks."""
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HELIUS_WEBHOOK_SECRET", WEBHOOK_SECRET)
    running.control("faults")
    # As if everything before this test had been fetched.
    running.advance_slots(40)
    programme = running.environment["ZMART_PROGRAM_ID"]
    for last in running.rpc("getSignaturesForAddress", programme, {"limit": 1}):
        with platform.database.connect() as owner:
            owner.execute(
                "insert into chain_cursors values (%s, %s, %s, now())",
                (programme, last["slot"], last["signature"]),
            )
    return running


@pytest.fixture
def alice(cluster: Cluster) -> Keypair:
    return cluster.wallet(100)


def _reconcile(platform: Platform, status: str = "completed") -> dict[str, int]:
    """One run, its slices too; what it counted."""
    platform.advance(600)
    done = platform.deliver("event_reconciliation").data
    assert done["status"] == status, done
    return dict(done["counts"])


def _delivered(cluster: Cluster, signature: str) -> dict[str, Any]:
    """A transaction as the webhook would bring it."""
    raw = cluster.transaction(signature)
    order = cluster.rpc(
        "getBlock", raw["slot"], {"transactionDetails": "signatures", "commitment": "confirmed"}
    )["signatures"]
    return raw | {"indexWithinBlock": order.index(signature)}


def _rows(platform: Platform, query: str) -> list[tuple[Any, ...]]:
    with platform.database.connect() as owner:
        return owner.execute(query.encode()).fetchall()


def _tables(platform: Platform) -> dict[str, list[tuple[Any, ...]]]:
    with platform.database.connect() as owner:
        return tables(owner)


def _agrees(platform: Platform, cluster: Cluster, address: Pubkey) -> None:
    """A market's row is what its account holds."""
    account = cluster.account(MarketAccount, address)
    [row] = _rows(
        platform,
        "select state, shares_yes, shares_no, b_parameter from chain_markets"  # noqa: S608 - ours
        f" where address = '{address}'",
    )
    state = MarketState(account.state).name
    assert row == (state, account.shares_yes, account.shares_no, account.b_parameter)


def _lose(platform: Platform, signature: str) -> None:
    """Forget a transaction's events, as if its logs had been cut off for good."""
    with platform.database.connect() as owner:
        owner.execute("delete from chain_events where signature = %s", (signature,))
    reindex(platform.database.url())


def test_what_no_delivery_brought_is_fetched(
    platform: Platform, cluster: Cluster, alice: Keypair
) -> None:
    with platform.database.connect() as owner:
        owner.execute("delete from chain_cursors")  # so that it is all of the chain's history
    address = cluster.active_market(alice)
    for number in range(3):
        cluster.buy(alice, address, SOL // 10, outcome=number % 2 == 0)
    cluster.resolve(alice, address)
    cluster.advance_slots(40)
    assert _reconcile(platform)["discrepancies"] == 0
    _agrees(platform, cluster, address)
    states = _rows(platform, f"select state from markets where chain_address = '{address}'")  # noqa: S608
    assert states == [("RESOLVING",)]
    before = _tables(platform)
    # Nothing new is nothing done, and what is new is fetched from where it stopped.
    cluster.control("faults", status=500, times=-1, methods=["getTransaction"])
    _reconcile(platform)
    assert _tables(platform) == before
    cluster.control("faults")
    cluster.dispute(alice, address)
    cluster.advance_slots(40)
    assert _reconcile(platform)["discrepancies"] == 0
    _agrees(platform, cluster, address)
    assert _rows(platform, "select from discrepancies") == []


def test_what_is_fetched_is_what_would_have_been_delivered(
    platform: Platform, cluster: Cluster, alice: Keypair
) -> None:
    address = cluster.active_market(alice)
    cluster.control("slots", hold=True)
    trades = [cluster.buy(alice, address, SOL // 10 + n) for n in range(4)]
    cluster.control("slots", hold=False)
    cluster.advance_slots(40)
    _reconcile(platform)
    fetched = _tables(platform)
    assert len({_delivered(cluster, one)["slot"] for one in trades}) == 1
    delivered = [_delivered(cluster, one) for one in trades]
    assert platform.index(*delivered[::-1]).data == {
        "transactions": 4, "events": 4, "indexed": 0, "failed": 0, "incomplete": 0, "malformed": 0,
        "unknown": 0,
    }  # fmt: skip
    with platform.database.connect() as owner:
        owner.execute("delete from chain_events where signature = any (%s)", (trades,))
    reindex(platform.database.url())
    assert platform.index(*delivered[::-1]).data["indexed"] == 4
    assert _tables(platform) == fetched


def test_what_is_on_its_way_is_no_discrepancy(
    platform: Platform, cluster: Cluster, alice: Keypair
) -> None:
    """Delivered and not final; final and not delivered; neither; in every mixture."""
    address = cluster.active_market(alice)
    signatures = []
    for step in range(6):
        signatures.append(cluster.buy(alice, address, SOL // 10 + step))
        if step % 2:
            platform.index(_delivered(cluster, signatures[-1]))
        if step % 3 == 2:
            cluster.advance_slots(20)
        assert _reconcile(platform)["discrepancies"] == 0
    made = cluster.create_market(alice)
    assert _reconcile(platform)["discrepancies"] == 0
    cluster.resolve(alice, address)
    platform.index(_delivered(cluster, cluster.dispute(alice, address)))
    assert _reconcile(platform)["discrepancies"] == 0
    cluster.advance_slots(40)
    assert _reconcile(platform)["discrepancies"] == 0
    for one in (address, made):
        _agrees(platform, cluster, one)
    assert _rows(platform, "select from discrepancies") == []
    assert _rows(platform, "select from ops_alerts where type = 'state_discrepancy'") == []


def test_the_chain_is_right(
    platform: Platform, cluster: Cluster, alice: Keypair, admin: Wallet
) -> None:
    address = cluster.active_market(alice)
    cluster.buy(alice, address, SOL)
    lost = cluster.buy(alice, address, SOL // 3, outcome=False)
    resolved = cluster.resolve(alice, address)
    cluster.advance_slots(40)
    _reconcile(platform)
    _lose(platform, lost)
    _lose(platform, resolved)
    [(state, yes)] = _rows(
        platform,
        f"select state, shares_yes from chain_markets where address = '{address}'",  # noqa: S608
    )
    assert state == "ACTIVE"
    assert _reconcile(platform)["discrepancies"] == 2
    _agrees(platform, cluster, address)
    found = _rows(platform, "select field, ours, theirs from discrepancies order by id")
    account = cluster.account(MarketAccount, address)
    before = account.b_parameter // 1000
    assert found == [
        ("state", "ACTIVE", "RESOLVING"),
        ("shares_no", str(before), str(account.shares_no)),
    ]
    assert yes == account.shares_yes
    [alert] = platform.call("list_alerts", token=admin.token).data
    assert (alert["type"], alert["severity"]) == ("state_discrepancy", "HIGH")
    shown = platform.call("list_discrepancies", token=admin.token).data
    assert [one["invariant"] for one in shown] == ["chain_account"] * 2
    states = _rows(platform, f"select state from markets where chain_address = '{address}'")  # noqa: S608
    assert states == [("RESOLVING",)]
    # It was said once; it outlives a rebuild; and what turns up late counts no second time.
    assert _reconcile(platform)["discrepancies"] == 0
    expected = _tables(platform)
    reindex(platform.database.url())
    assert _tables(platform) == expected
    platform.index(_delivered(cluster, resolved), _delivered(cluster, lost))
    _agrees(platform, cluster, address)
    cluster.dispute(alice, address)
    cluster.advance_slots(40)
    assert _reconcile(platform)["discrepancies"] == 0
    _agrees(platform, cluster, address)


def test_what_holds_for_every_market_is_compared_too(
    platform: Platform, cluster: Cluster, admin: Wallet
) -> None:
    _reconcile(platform)
    account = cluster.account(GlobalConfig, config_address())
    [row] = _rows(platform, "select dispute_period, protocol_fee_bps, admin from chain_config")
    assert row == (account.dispute_period, account.protocol_fee_bps, str(AUTHORITY.pubkey()))
    assert _rows(platform, "select from discrepancies") == []
    with platform.database.connect() as owner:
        owner.execute(
            "update chain_events set data = data || '{\"dispute_period\": 5}'"
            " where event_type = 'ConfigObserved'"
        )
    assert _reconcile(platform)["discrepancies"] == 1
    [found] = platform.call("list_discrepancies", token=admin.token).data
    assert (found["invariant"], found["subject"]) == ("chain_account", "config.dispute_period")
    rows = _rows(platform, "select dispute_period from chain_config")
    assert rows == [(account.dispute_period,)]


def test_a_node_that_fails_hinders_nothing_for_long(
    platform: Platform, cluster: Cluster, alice: Keypair
) -> None:
    address = cluster.active_market(alice)
    cluster.advance_slots(40)
    for methods in (["getSignaturesForAddress"], ["getTransaction"], ["getMultipleAccounts"]):
        cluster.control("faults", status=503, times=-1, methods=methods)
        assert _reconcile(platform, "partial") is not None
        cluster.control("faults")
        platform.close()
    platform.advance(3_600)
    with platform.database.connect() as owner:
        owner.execute("update dead_letters set next_attempt_at = now() - interval '9 years'")
    _flush_breakers(platform)
    assert _reconcile(platform)["discrepancies"] == 0
    _agrees(platform, cluster, address)
    letters = _rows(platform, "select item, status from dead_letters")
    assert letters == [("rpc", "resolved")]


def _flush_breakers(platform: Platform) -> None:
    """Close the breaker, which Redis keeps open by its own clock."""
    assert platform
    from presage.adapters import redis  # noqa: PLC0415 - the test's alone

    redis.flush([("DEL", f"breaker:solana_rpc:{part}") for part in ("open", "failures", "probe")])


def test_logs_that_were_cut_off_are_fetched_again(
    platform: Platform, cluster: Cluster, alice: Keypair
) -> None:
    address = cluster.active_market(alice)
    trade = cluster.buy(alice, address, SOL)
    cluster.advance_slots(40)
    _reconcile(platform)
    _lose(platform, trade)
    cut = _delivered(cluster, trade)
    cut["meta"] = cut["meta"] | {"logMessages": [*cut["meta"]["logMessages"][:1], "Log truncated"]}
    assert platform.index(cut).data["incomplete"] == 1
    counts = _reconcile(platform)
    assert (counts["whole"], counts["discrepancies"]) == (1, 0)
    _agrees(platform, cluster, address)
    assert _rows(platform, "select from chain_incomplete") == []


class CuttingNode:
    """The cluster's RPC as an ASGI application, which has not kept all of a transaction's logs."""

    def __init__(self, cluster: Cluster, signature: str) -> None:
        self._url, self._signature = cluster.url, signature

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back."""
        if scope["type"] == "lifespan":
            await answer_lifespan(receive, send)
            return
        body = await read_body(receive, 1_000_000)
        async with httpx.AsyncClient() as client:
            answer = (await client.post(self._url, content=body)).json()
        asked = json.loads(body)
        if asked["method"] == "getTransaction" and asked["params"][0] == self._signature:
            answer["result"] = _cut(answer["result"])
        headers = [(b"content-type", b"application/json")]
        await respond(send, 200, json.dumps(answer).encode(), headers)


def _cut(raw: dict[str, Any]) -> dict[str, Any]:
    lines = [*raw["meta"]["logMessages"][:1], "Log truncated"]
    return raw | {"meta": raw["meta"] | {"logMessages": lines}}


def test_what_the_chain_itself_has_cut_off_is_told_by_the_accounts(
    platform: Platform, cluster: Cluster, alice: Keypair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever fills the logs before a trade hides it, and would vote with what is sold."""
    address = cluster.active_market(alice)
    cluster.buy(alice, address, SOL)
    cluster.advance_slots(40)
    _reconcile(platform)
    hidden = cluster.buy(alice, address, SOL // 2, outcome=False)
    assert platform.index(_cut(_delivered(cluster, hidden))).data["incomplete"] == 1
    cluster.advance_slots(40)
    with FeedServer(CuttingNode(cluster, hidden)) as node:
        monkeypatch.setenv("SOLANA_RPC_URL", node.url)
        counts = _reconcile(platform)
        assert (counts["whole"], counts["discrepancies"]) == (1, 1)
        _hold_what_they_hold(platform, cluster, address, alice)
        # What is traded in the open counts on top of it, once.
        seen = cluster.buy(alice, address, SOL // 4, outcome=False)
        cluster.resolve(alice, address)
        cluster.dispute(alice, address)
        platform.index(_delivered(cluster, seen))
        cluster.advance_slots(40)
        assert _reconcile(platform)["discrepancies"] == 0
    _hold_what_they_hold(platform, cluster, address, alice)
    position = cluster.account(UserPosition, position_address(address, alice.pubkey()))
    [(weight,)] = _rows(platform, "select weight from dispute_weights")
    assert weight == abs(position.shares_yes - position.shares_no)
    expected = _tables(platform)
    reindex(platform.database.url(), rows=2)
    assert _tables(platform) == expected


def _hold_what_they_hold(
    platform: Platform, cluster: Cluster, address: Pubkey, wallet: Keypair
) -> None:
    """The market's row and the wallet's are what their accounts hold."""
    _agrees(platform, cluster, address)
    position = cluster.account(UserPosition, position_address(address, wallet.pubkey()))
    held = _rows(
        platform,
        "select shares_yes, shares_no from chain_positions"  # noqa: S608 - ours
        f" where wallet = '{wallet.pubkey()}'",
    )
    assert held == [(position.shares_yes, position.shares_no)]


def test_what_could_not_be_read_is_read_again(platform: Platform, cluster: Cluster) -> None:
    assert cluster
    good = of_events(MarketCreated(market("late"), wallet("a"), 10**11, 0, GENESIS_S))
    platform.index({"slot": "no"})
    with platform.database.connect() as owner:
        # As if the code had not been able to read this one before.
        body = base64.b64encode(json.dumps(good).encode()).decode()
        owner.execute(
            "select keep_dead_letters('event_reconciliation', %s, false, '2026-01-01')",
            (json.dumps([{"item": "malformed:1", "error": "x", "payload": {"base64": body}}]),),
        )
    assert _reconcile(platform, "partial")["read"] == 1
    letters = _rows(
        platform, "select item, status, failures, payload from dead_letters order by item"
    )
    assert [(item[:11], status, failures) for item, status, failures, _ in letters] == [
        ("malformed:1", "resolved", 1),
        (letters[1][0][:11], "pending", 2),
    ]
    assert base64.b64decode(letters[1][3]["base64"]) == b'{"slot": "no"}'
    made = _rows(platform, "select state from markets where slug like 'solana-%'")
    assert made == [("PROPOSED",)]


def test_a_webhook_that_was_switched_off_is_switched_on(
    platform: Platform, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"{cluster.url}/v0/webhooks/{WEBHOOK_ID}"
    key = {"api-key": HELIUS_API_KEY}
    cluster.http.post(
        f"{cluster.url}/v0/webhooks",
        params=key,
        json={"webhookURL": "http://127.0.0.1:9/", "webhookType": "raw"},
    )
    monkeypatch.setenv("HELIUS_WEBHOOK_ID", WEBHOOK_ID)
    found = cluster.http.get(path, params=key)
    if found.status_code != 200:
        made = cluster.http.get(f"{cluster.url}/v0/webhooks", params=key).json()
        monkeypatch.setenv("HELIUS_WEBHOOK_ID", made[0]["webhookID"])
        path = f"{cluster.url}/v0/webhooks/{made[0]['webhookID']}"
    cluster.http.patch(path, params=key, json={"active": False})
    assert _reconcile(platform)["enabled"] == 1
    assert cluster.http.get(path, params=key).json()["active"] is True
    assert _reconcile(platform)["enabled"] == 0
    monkeypatch.setenv("HELIUS_API_KEY", "wrong")
    _reconcile(platform, "partial")


def test_health_tells_whether_the_chain_is_followed(platform: Platform, cluster: Cluster) -> None:
    def told() -> tuple[str, str]:
        health = platform.call("get_health").data
        return health["services"]["eventIndexer"], health["status"]

    assert cluster
    with platform.database.connect() as owner:
        owner.execute("delete from chain_cursors")
    assert told() == ("not_configured", "healthy")
    _reconcile(platform)
    assert told() == ("healthy", "healthy")
    platform.advance(1_799)
    assert told()[0] == "healthy"
    platform.advance(1)
    assert told() == ("unhealthy", "degraded")


def test_without_a_cluster_there_is_nothing_to_do(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOLANA_RPC_URL", "")
    assert _reconcile(platform) == {}
