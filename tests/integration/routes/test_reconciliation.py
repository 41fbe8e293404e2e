"""What was indexed is held against the chain: an emulated cluster, asked by its RPC."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair

from infra.local.deliveries import GENESIS_S, market, of_events, wallet
from infra.local.feed import FeedServer
from infra.reindex import reindex
from presage import clock
from presage.chain.accounts import GlobalConfig, MarketAccount
from presage.chain.events import MarketCreated
from presage.chain.programme import config_address
from presage.db.queries import Queries
from presage.events import reconciliation
from presage.workflows import run, runs
from presage.workflows.runs import Delivery
from tests.cluster import AUTHORITY, HELIUS_API_KEY, SOL, Cluster
from tests.harness import Platform, Wallet
from tests.integration.routes.following import (
    Answer,
    OtherNode,
    agrees,
    all_tables,
    delivered,
    flush_breakers,
    lose,
    reconcile,
)

WEBHOOK_ID = "00000000-0000-4000-8000-000000000001"


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
    assert reconcile(platform)["discrepancies"] == 0
    agrees(platform, cluster, address)
    states = platform.rows(f"select state from markets where chain_address = '{address}'")  # noqa: S608
    assert states == [("RESOLVING",)]
    before = all_tables(platform)
    # Nothing new is nothing done, and what is new is fetched from where it stopped.
    cluster.control("faults", status=500, times=-1, methods=["getTransaction"])
    reconcile(platform)
    assert all_tables(platform) == before
    cluster.control("faults")
    cluster.dispute(alice, address)
    cluster.advance_slots(40)
    assert reconcile(platform)["discrepancies"] == 0
    agrees(platform, cluster, address)
    assert platform.rows("select from discrepancies") == []


def test_what_is_fetched_is_what_would_have_been_delivered(
    platform: Platform, cluster: Cluster, alice: Keypair
) -> None:
    address = cluster.active_market(alice)
    cluster.control("slots", hold=True)
    trades = [cluster.buy(alice, address, SOL // 10 + n) for n in range(4)]
    cluster.control("slots", hold=False)
    cluster.advance_slots(40)
    reconcile(platform)
    fetched = all_tables(platform)
    assert len({delivered(cluster, one)["slot"] for one in trades}) == 1
    brought = [delivered(cluster, one) for one in trades]
    assert platform.index(*brought[::-1]).data == {
        "transactions": 4, "events": 4, "indexed": 0, "failed": 0, "incomplete": 0, "malformed": 0,
        "unknown": 0,
    }  # fmt: skip
    with platform.database.connect() as owner:
        owner.execute("delete from chain_events where signature = any (%s)", (trades,))
    reindex(platform.database.url())
    assert platform.index(*brought[::-1]).data["indexed"] == 4
    assert all_tables(platform) == fetched


def test_what_is_on_its_way_is_no_discrepancy(
    platform: Platform, cluster: Cluster, alice: Keypair
) -> None:
    """Delivered and not final; final and not delivered; neither; in every mixture."""
    address = cluster.active_market(alice)
    signatures = []
    for step in range(6):
        signatures.append(cluster.buy(alice, address, SOL // 10 + step))
        if step % 2:
            platform.index(delivered(cluster, signatures[-1]))
        if step % 3 == 2:
            cluster.advance_slots(20)
        assert reconcile(platform)["discrepancies"] == 0
    made = cluster.create_market(alice)
    assert reconcile(platform)["discrepancies"] == 0
    cluster.resolve(alice, address)
    platform.index(delivered(cluster, cluster.dispute(alice, address)))
    assert reconcile(platform)["discrepancies"] == 0
    cluster.advance_slots(40)
    assert reconcile(platform)["discrepancies"] == 0
    for one in (address, made):
        agrees(platform, cluster, one)
    assert platform.rows("select from discrepancies") == []
    assert platform.rows("select from ops_alerts where type = 'state_discrepancy'") == []


def test_the_chain_is_right(
    platform: Platform, cluster: Cluster, alice: Keypair, admin: Wallet
) -> None:
    address = cluster.active_market(alice)
    cluster.buy(alice, address, SOL)
    lost = cluster.buy(alice, address, SOL // 3, outcome=False)
    resolved = cluster.resolve(alice, address)
    cluster.advance_slots(40)
    reconcile(platform)
    lose(platform, lost)
    lose(platform, resolved)
    [(state, yes)] = platform.rows(
        f"select state, shares_yes from chain_markets where address = '{address}'",  # noqa: S608
    )
    assert state == "ACTIVE"
    assert reconcile(platform)["discrepancies"] == 2
    agrees(platform, cluster, address)
    found = platform.rows("select field, ours, theirs from discrepancies order by id")
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
    states = platform.rows(f"select state from markets where chain_address = '{address}'")  # noqa: S608
    assert states == [("RESOLVING",)]
    # It was said once; it outlives a rebuild; and what turns up late counts no second time.
    assert reconcile(platform)["discrepancies"] == 0
    expected = all_tables(platform)
    reindex(platform.database.url())
    assert all_tables(platform) == expected
    platform.index(delivered(cluster, resolved), delivered(cluster, lost))
    agrees(platform, cluster, address)
    cluster.dispute(alice, address)
    cluster.advance_slots(40)
    assert reconcile(platform)["discrepancies"] == 0
    agrees(platform, cluster, address)


def test_a_market_that_takes_the_database_too_long_fails_alone(
    platform: Platform, cluster: Cluster, alice: Keypair, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = [cluster.active_market(alice) for _ in range(2)]
    lost = [cluster.buy(alice, one, SOL) for one in addresses]
    cluster.advance_slots(40)
    reconcile(platform)
    for one in lost:
        lose(platform, one)
    monkeypatch.setenv("WORKER_STATEMENT_TIMEOUT_MS", "500")
    with platform.database.connect() as owner, owner.transaction():
        held = "select market from chain_markets where address = %s for update"
        [(market_id,)] = owner.execute(held, (str(addresses[0]),)).fetchall()
        assert reconcile(platform, "partial")["discrepancies"] == 1
    agrees(platform, cluster, addresses[1])
    left = "select item, status from dead_letters"
    assert platform.rows(left) == [(f"market:{market_id}", "pending")]
    assert reconcile(platform)["discrepancies"] == 1
    agrees(platform, cluster, addresses[0])
    assert platform.rows(left) == [(f"market:{market_id}", "resolved")]


def test_what_holds_for_every_market_is_compared_too(
    platform: Platform, cluster: Cluster, admin: Wallet
) -> None:
    reconcile(platform)
    account = cluster.account(GlobalConfig, config_address())
    [row] = platform.rows("select dispute_period, protocol_fee_bps, admin from chain_config")
    assert row == (account.dispute_period, account.protocol_fee_bps, str(AUTHORITY.pubkey()))
    assert platform.rows("select from discrepancies") == []
    with platform.database.connect() as owner:
        owner.execute(
            "update chain_events set data = data || '{\"dispute_period\": 5}'"
            " where event_type = 'ConfigObserved'"
        )
    assert reconcile(platform)["discrepancies"] == 1
    [found] = platform.call("list_discrepancies", token=admin.token).data
    assert (found["invariant"], found["subject"]) == ("chain_account", "config.dispute_period")
    kept = platform.rows("select dispute_period from chain_config")
    assert kept == [(account.dispute_period,)]


def test_markets_that_are_final_are_not_walked(platform: Platform) -> None:
    with platform.database.connect() as owner:
        owner.execute(
            "insert into chain_markets (market, market_id, address, state)"
            " select lpad(n::text, 64, '0'), gen_random_uuid(), n::text,"
            " case when n % 1000 = 0 then 'ACTIVE' else 'FINALIZED' end"
            " from generate_series(1, 30000) as n"
        )
        owner.execute("analyze chain_markets")
    query = Queries(Path(reconciliation.__file__).parent / "queries.sql")["list_live_markets"]
    with platform.database.connect("presage_worker") as worker:
        worker.prepare_threshold = None  # as the handlers do: planned for the values at hand
        for after in (None, "0" * 59 + "15000"):
            explained = f"explain (analyze, buffers, format json) {query.sql.rstrip(';')}"
            row = worker.execute(explained.encode(), {"after": after, "limit": 100}).fetchone()
            assert row is not None
            plan = row[0][0]["Plan"]
            assert plan["Actual Rows"] == (30 if after is None else 15)
            assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 50


def test_an_account_that_is_missing_is_told_once(
    platform: Platform, cluster: Cluster, alice: Keypair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing mends it: each run finds it again."""
    address = cluster.active_market(alice)
    cluster.advance_slots(40)
    reconcile(platform)

    def change(method: str, params: list[Any], answer: Answer) -> Answer:
        if method == "getMultipleAccounts" and str(address) in params[0]:
            answer["result"]["value"][params[0].index(str(address))] = None
        return answer

    with FeedServer(OtherNode(cluster, change)) as node:
        monkeypatch.setenv("SOLANA_RPC_URL", node.url)
        assert [reconcile(platform)["discrepancies"] for _ in range(8)] == [1, *[0] * 7]
        told = platform.rows("select field, ours, theirs from discrepancies")
        assert told == [("account", "there", "missing")]
        assert platform.rows("select count from ops_alerts") == [(1,)]
        # When admins are shown it no more, it is told again.
        platform.advance(30 * 86_400)
        assert reconcile(platform)["discrepancies"] == 1
    platform.advance(61 * 86_400)
    assert platform.deliver("cleanup").data["counts"]["clean_discrepancies"] == 1
    assert len(platform.rows("select from discrepancies")) == 1


def test_a_configuration_that_nobody_can_read_hinders_no_market(
    platform: Platform, cluster: Cluster, alice: Keypair, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = cluster.active_market(alice)
    cluster.advance_slots(40)

    def change(method: str, params: list[Any], answer: Answer) -> Answer:
        if method == "getMultipleAccounts" and params[0] == [str(config_address())]:
            answer["result"]["value"][0]["data"][0] = base64.b64encode(bytes(500)).decode()
        return answer

    with FeedServer(OtherNode(cluster, change)) as node:
        monkeypatch.setenv("SOLANA_RPC_URL", node.url)
        assert reconcile(platform, "partial")["markets"] >= 1
    agrees(platform, cluster, address)
    letters = platform.rows("select item, error from dead_letters")
    assert letters == [("config", "DecodeError: this is no GlobalConfig")]


def test_a_node_that_fails_hinders_nothing_for_long(
    platform: Platform, cluster: Cluster, alice: Keypair
) -> None:
    address = cluster.active_market(alice)
    cluster.advance_slots(40)
    for methods in (["getSignaturesForAddress"], ["getTransaction"], ["getMultipleAccounts"]):
        cluster.control("faults", status=503, times=-1, methods=methods)
        assert reconcile(platform, "partial") is not None
        cluster.control("faults")
        platform.close()
    platform.advance(3_600)
    with platform.database.connect() as owner:
        owner.execute("update dead_letters set next_attempt_at = now() - interval '9 years'")
    flush_breakers(platform)
    assert reconcile(platform)["discrepancies"] == 0
    agrees(platform, cluster, address)
    letters = platform.rows("select item, status from dead_letters")
    assert letters == [("rpc", "resolved")]


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
    assert reconcile(platform, "partial")["read"] == 1
    letters = platform.rows(
        "select item, status, failures, payload from dead_letters order by item"
    )
    assert [(item[:11], status, failures) for item, status, failures, _ in letters] == [
        ("malformed:1", "resolved", 1),
        (letters[1][0][:11], "pending", 2),
    ]
    assert base64.b64decode(letters[1][3]["base64"]) == b'{"slot": "no"}'
    made = platform.rows("select state from markets where slug like 'solana-%'")
    assert made == [("PROPOSED",)]


def test_slices_that_are_still_at_it_are_met_by_no_others(
    platform: Platform, cluster: Cluster
) -> None:
    """However long it takes: each slot would begin a chain of slices, and all fetch the same."""
    name, call = "event_reconciliation", platform.as_zone("worker")
    cluster.control("faults", status=503, times=-1)
    slot = clock.floor_to(call.now, 600)
    told = Delivery(name=name, slot=slot, part=0, message_id="1", group_run_id=None, attempt=1)
    claim = runs.begin(call, told)

    def counted(after_s: int, status: str = "completed") -> dict[str, int]:
        platform.advance(after_s)
        flush_breakers(platform)
        body = {"slot": clock.now().isoformat(), "again": True}
        done = platform.deliver(name, body).data
        assert done["status"] == status, done
        return dict(done["counts"])

    busy = {"enabled": 0, "busy": 1}
    assert counted(1) == busy
    first = run.Run(id=claim.run_id, name=name, slot=slot, call=call)
    runs.finish(first, run.Outcome(counts={}, next_cursor={"after": ""}))
    assert counted(1) == busy
    # What has not come by then does not come any more.
    assert "busy" not in counted(60, "partial")


def test_what_was_not_tried_is_not_done(
    platform: Platform, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a cluster, with a node that is down, and behind more letters than a run reads."""

    def left() -> list[str]:
        kept = platform.rows("select item from dead_letters where status = 'pending' order by id")
        return [item for (item,) in kept]

    made = of_events(MarketCreated(market("late"), wallet("a"), 10**11, 0, GENESIS_S))
    payload = {"base64": base64.b64encode(json.dumps(made).encode()).decode()}
    items = ["config", "malformed:1", "malformed:2", "market:1", "webhook"]
    letters = [{"item": item, "error": "x", "payload": payload} for item in items]
    with platform.database.connect() as owner:
        owner.execute(
            "select keep_dead_letters('event_reconciliation', %s, false, '2026-01-01')",
            (json.dumps(letters),),
        )
    with monkeypatch.context() as patch:
        patch.setenv("SOLANA_RPC_URL", "")
        reconcile(platform)
    assert left() == items
    monkeypatch.setattr(reconciliation, "MALFORMED_PER_RUN", 1)
    cluster.control("faults", status=503, times=-1)
    assert reconcile(platform, "partial")["read"] == 1
    assert left() == ["config", *items[2:], "rpc"]
    cluster.control("faults")
    flush_breakers(platform)
    monkeypatch.setattr(reconciliation, "MALFORMED_PER_RUN", 0)
    reconcile(platform)
    assert left() == ["malformed:2"]


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
    assert reconcile(platform)["enabled"] == 1
    assert cluster.http.get(path, params=key).json()["active"] is True
    assert reconcile(platform)["enabled"] == 0
    monkeypatch.setenv("HELIUS_API_KEY", "wrong")
    reconcile(platform, "partial")


def test_health_tells_whether_the_chain_is_followed(
    platform: Platform, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> tuple[str, str]:
        health = platform.call("get_health").data
        return health["services"]["eventIndexer"], health["status"]

    assert cluster
    with platform.database.connect() as owner:
        owner.execute("delete from chain_cursors")
    assert told() == ("starting", "healthy")
    reconcile(platform)
    assert told() == ("healthy", "healthy")
    with monkeypatch.context() as without:
        without.setenv("SOLANA_RPC_URL", "")
        assert told()[0] == "not_configured"
    platform.advance(1_799)
    assert told()[0] == "healthy"
    platform.advance(1)
    assert told() == ("unhealthy", "degraded")


def test_without_a_cluster_there_is_nothing_to_do(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOLANA_RPC_URL", "")
    assert reconcile(platform) == {}
