"""Fetching what no delivery brought, or not whole: what a node tells, and what it cannot tell."""

import base64
import json
import time
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from infra.local.clock import set_clock
from infra.local.feed import FeedServer
from infra.local.stack import PROGRAM_ID
from infra.reindex import reindex
from presage.adapters import solana_history, solana_rpc
from presage.chain.accounts import UserPosition, encode_account
from presage.chain.programme import position_address
from presage.events import backfill, indexing, reconciliation
from presage.events.reconciliation import event_reconciliation
from presage.workflows import run
from tests.cluster import SOL, Cluster
from tests.harness import Platform, Wallet
from tests.integration.routes.following import (
    Answer,
    Change,
    OtherNode,
    agrees,
    all_tables,
    cut_off,
    delivered,
    flush_breakers,
    lose,
    reconcile,
    told,
)


def cutting(*signatures: str) -> Change:
    """The chain itself has not kept all of these transactions' logs."""

    def change(method: str, params: list[Any], answer: Answer) -> Answer:
        if method == "getTransaction" and params[0] in signatures:
            answer["result"] = cut_off(answer["result"])
        return answer

    return change


def forging(signature: str, address: Pubkey, account: object) -> Change:
    """As `cutting`, and the programme was handed an account of somebody's own along."""

    def change(method: str, params: list[Any], answer: Answer) -> Answer:
        if method == "getTransaction" and params[0] == signature:
            raw = answer["result"] = cut_off(answer["result"])
            message, loaded = raw["transaction"]["message"], raw["meta"]["loadedAddresses"]
            place = len([*message["accountKeys"], *loaded["writable"], *loaded["readonly"]])
            loaded["readonly"].append(str(address))
            for one in message["instructions"]:
                if message["accountKeys"][one["programIdIndex"]] == PROGRAM_ID:
                    one["accounts"].append(place)
        elif method == "getMultipleAccounts" and str(address) in params[0]:
            answer["result"]["value"][params[0].index(str(address))] = account
        return answer

    return change


def test_logs_that_were_cut_off_are_fetched_again(
    platform: Platform, cluster: Cluster, alice: Keypair
) -> None:
    address = cluster.active_market(alice)
    trade = cluster.buy(alice, address, SOL)
    cluster.advance_slots(40)
    reconcile(platform)
    lose(platform, trade)
    assert platform.index(cut_off(delivered(cluster, trade))).data["incomplete"] == 1
    counts = reconcile(platform)
    assert (counts["whole"], counts["discrepancies"]) == (1, 0)
    agrees(platform, cluster, address)
    assert platform.rows("select from chain_incomplete") == []


def test_what_the_chain_itself_has_cut_off_is_told_by_the_accounts(
    platform: Platform, cluster: Cluster, alice: Keypair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever fills the logs before a trade hides it, and would vote with what is sold."""
    address = cluster.active_market(alice)
    cluster.buy(alice, address, SOL)
    cluster.advance_slots(40)
    reconcile(platform)
    hidden = cluster.buy(alice, address, SOL // 2, outcome=False)
    assert platform.index(cut_off(delivered(cluster, hidden))).data["incomplete"] == 1
    cluster.advance_slots(40)
    with FeedServer(OtherNode(cluster, cutting(hidden))) as node:
        monkeypatch.setenv("SOLANA_RPC_URL", node.url)
        counts = reconcile(platform)
        assert (counts["whole"], counts["discrepancies"]) == (1, 1)
        _hold_what_they_hold(platform, cluster, address, alice)
        # What is traded in the open counts on top of it, once.
        seen = cluster.buy(alice, address, SOL // 4, outcome=False)
        cluster.resolve(alice, address)
        cluster.dispute(alice, address)
        platform.index(delivered(cluster, seen))
        cluster.advance_slots(40)
        assert reconcile(platform)["discrepancies"] == 0
    _hold_what_they_hold(platform, cluster, address, alice)
    position = cluster.account(UserPosition, position_address(address, alice.pubkey()))
    [(weight,)] = platform.rows("select weight from dispute_weights")
    assert weight == abs(position.shares_yes - position.shares_no)
    expected = all_tables(platform)
    reindex(platform.database.url(), rows=2)
    assert all_tables(platform) == expected


def test_a_claim_that_is_cut_off_is_told_by_the_position(
    platform: Platform, cluster: Cluster, alice: Keypair, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = cluster.active_market(alice)
    cluster.buy(alice, address, SOL)
    cluster.resolve(alice, address)
    assert cluster.clock_file is not None
    set_clock(cluster.clock_file, int(cluster.clock_file.read_text()) + 3 * 86_400_000)
    cluster.finalize(address)
    hidden = cluster.claim(alice, address)
    cluster.advance_slots(40)
    with FeedServer(OtherNode(cluster, cutting(hidden))) as node:
        monkeypatch.setenv("SOLANA_RPC_URL", node.url)
        assert reconcile(platform)["whole"] == 1
    paid = cluster.account(UserPosition, position_address(address, alice.pubkey())).claimed_amount
    claims = "select has_claimed, claimed from chain_positions"
    assert platform.rows(claims) == [(True, paid)]
    reindex(platform.database.url())
    assert platform.rows(claims) == [(True, paid)]
    # Told by its own event after all, it is no second one.
    assert platform.index(delivered(cluster, hidden)).data["indexed"] == 1
    assert platform.rows(claims) == [(True, paid)]


def failing(*signatures: str, says: int | Answer = 500) -> Change:
    """A node that answers so when it is asked for these transactions."""

    def change(method: str, params: list[Any], answer: Answer) -> Answer | int:
        if method != "getTransaction" or params[0] not in signatures:
            return answer
        return says if isinstance(says, int) else {"jsonrpc": "2.0", "id": 1} | says

    return change


def _signatures(cluster: Cluster, address: Pubkey) -> list[str]:
    """What a market's account is named in, newest first."""
    found = cluster.rpc("getSignaturesForAddress", str(address), {"commitment": "finalized"})
    return [one["signature"] for one in found]


def _indexed(platform: Platform) -> set[str]:
    fetched = "select signature from chain_events where signature not like 'observed:%'"
    return {one for (one,) in platform.rows(fetched)}


def test_a_slow_node_is_followed_transaction_by_transaction(
    platform: Platform, cluster: Cluster, alice: Keypair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run ends long before its Lambda does, with what it read until then."""
    address = cluster.active_market(alice)
    cluster.advance_slots(40)
    wanted = _signatures(cluster, address)

    def change(method: str, _: list[Any], answer: Answer) -> Answer:
        time.sleep(0.3 if method == "getTransaction" else 0)
        return answer

    monkeypatch.setattr(run, "WORK_S", 0.55)
    with FeedServer(OtherNode(cluster, change)) as node:
        monkeypatch.setenv("SOLANA_RPC_URL", node.url)
        seen: list[int] = []
        walk: backfill.Walk | None = backfill.Walk()
        while walk is not None and len(seen) < 20:
            seen.append(len(_indexed(platform)))
            walk = backfill.catch_up(_run(platform), walk)
            assert walk is None or walk.before in wanted
    assert 1 < len(set(seen)) < 20
    assert _indexed(platform) == set(wanted)


def _run(
    platform: Platform, slot: datetime | None = None, cursor: Mapping[str, Any] | None = None
) -> run.Run:
    call, name = platform.as_zone("worker"), "event_reconciliation"
    return run.Run(
        id=uuid.uuid4(), name=name, slot=slot or call.now, call=call, cursor=cursor or {}
    )


@pytest.mark.parametrize(
    "says", [500, {"result": None}, {"error": {"code": -32011, "message": "No history."}}]
)
def test_what_a_node_cannot_show_hinders_nothing_and_is_not_forgotten(
    platform: Platform,
    cluster: Cluster,
    alice: Keypair,
    monkeypatch: pytest.MonkeyPatch,
    admin: Wallet,
    says: int | Answer,
) -> None:
    address = cluster.active_market(alice)
    hidden = cluster.buy(alice, address, SOL)
    cluster.resolve(alice, address)
    cluster.advance_slots(40)
    monkeypatch.setattr(solana_rpc, "BACKOFF_S", 0)
    with FeedServer(OtherNode(cluster, failing(hidden, says=says))) as node:
        monkeypatch.setenv("SOLANA_RPC_URL", node.url)
        for attempts in (1, 2):
            counts = reconcile(platform)
            assert (counts["whole"], counts["markets"] >= 1) == (0, True)
            assert platform.rows("select signature, attempts from chain_incomplete") == [
                (hidden, attempts)
            ]
        assert _indexed(platform) >= {*_signatures(cluster, address)} - {hidden}
        # The accounts tell what it did, and it is still asked for, now as a dead letter.
        agrees(platform, cluster, address)
        platform.advance(3_600)
        reconcile(platform)
        assert platform.rows("select from chain_incomplete") == []
        for status, failures in [("pending", 1), ("pending", 2), ("pending", 3)]:
            found = platform.rows("select item, status, failures from dead_letters")
            assert found == [(f"transaction:{hidden}", status, failures)]
            platform.advance(3_600)
            reconcile(platform, "partial")
        [letter] = platform.call("list_dead_letters", token=admin.token).data
        assert letter["status"] == "manual_review"
    # An admin tries once more, when the node is well again.
    monkeypatch.setenv("SOLANA_RPC_URL", cluster.url)
    platform.call("retry_dead_letter", token=admin.token, letter_id=letter["id"])
    assert hidden not in _indexed(platform)
    assert reconcile(platform)["whole"] == 1
    assert hidden in _indexed(platform)
    assert platform.rows("select status from dead_letters") == [("resolved",)]
    agrees(platform, cluster, address)


def test_a_node_that_stops_answering_loses_nothing_that_it_told(
    platform: Platform, cluster: Cluster, alice: Keypair, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = cluster.active_market(alice)
    cluster.advance_slots(40)
    newest, *older = _signatures(cluster, address)
    monkeypatch.setattr(solana_rpc, "BACKOFF_S", 0)
    with FeedServer(OtherNode(cluster, failing(*older))) as node:
        monkeypatch.setenv("SOLANA_RPC_URL", node.url)
        # However many in a row it cannot tell: each run leaves one of them behind.
        for left in (1, 2):
            reconcile(platform, "partial")
            assert _indexed(platform) == {newest}
            waiting = platform.rows("select signature from chain_incomplete order by slot desc")
            assert waiting == [(one,) for one in older[:left]]
            flush_breakers(platform)
    monkeypatch.setenv("SOLANA_RPC_URL", cluster.url)
    reconcile(platform)
    assert _indexed(platform) == {newest, *older}


def _behind(cluster: Cluster, *methods: str, slots: int = 200) -> None:
    """These are answered by a node that has not seen the last slots."""
    cluster.control("faults", lag_slots=slots, lag_methods=methods)


def test_a_history_ends_where_it_ends_and_not_where_a_node_is_behind(
    platform: Platform, cluster: Cluster, alice: Keypair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node to which a page's last transaction is unknown answers that nothing is older."""
    address = cluster.active_market(alice)
    cluster.advance_slots(40)
    wanted = _signatures(cluster, address)
    monkeypatch.setattr(solana_rpc, "BACKOFF_S", 0)
    for module in (backfill, solana_history):
        monkeypatch.setattr(module, "MAX_SIGNATURES", 2)

    def change(method: str, params: list[Any], answer: Answer) -> Answer:
        if method == "getSignaturesForAddress" and "before" not in params[1]:
            _behind(cluster, method)
        return answer

    with FeedServer(OtherNode(cluster, change)) as node:
        monkeypatch.setenv("SOLANA_RPC_URL", node.url)
        reconcile(platform, "partial")
    assert _indexed(platform) == {*wanted[:2]}
    cluster.control("faults")
    monkeypatch.setenv("SOLANA_RPC_URL", cluster.url)
    reconcile(platform)
    assert _indexed(platform) == {*wanted}


def test_what_a_node_behind_does_not_list_is_no_discrepancy(
    platform: Platform, cluster: Cluster, alice: Keypair, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = cluster.active_market(alice)
    cluster.advance_slots(40)
    reconcile(platform)
    cluster.buy(alice, address, SOL)
    cluster.advance_slots(40)
    monkeypatch.setattr(solana_rpc, "BACKOFF_S", 0)
    _behind(cluster, "getSignaturesForAddress", slots=1_000)
    reconcile(platform, "partial")
    assert platform.rows("select from discrepancies") == []
    cluster.control("faults")
    assert reconcile(platform)["discrepancies"] == 0
    agrees(platform, cluster, address)


def test_a_look_from_before_a_hidden_trade_does_not_tell_it(
    platform: Platform, cluster: Cluster, alice: Keypair, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = cluster.active_market(alice)
    cluster.buy(alice, address, SOL)
    cluster.advance_slots(100)
    hidden = cluster.buy(alice, address, SOL // 2, outcome=False)
    cluster.advance_slots(40)
    monkeypatch.setattr(solana_rpc, "BACKOFF_S", 0)
    _behind(cluster, "getMultipleAccounts", slots=50)
    with FeedServer(OtherNode(cluster, cutting(hidden))) as node:
        monkeypatch.setenv("SOLANA_RPC_URL", node.url)
        assert reconcile(platform)["whole"] == 0
        assert platform.rows("select attempts from chain_incomplete") == [(1,)]
        cluster.control("faults")
        assert reconcile(platform)["whole"] == 1
    _hold_what_they_hold(platform, cluster, address, alice)


def test_what_takes_the_database_too_long_fails_alone(
    platform: Platform, cluster: Cluster, alice: Keypair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or reconciliation would stand still at it: what is due first is due first again."""
    address, bob = cluster.active_market(alice), cluster.wallet()
    for wallet in (alice, bob):
        cluster.buy(wallet, address, SOL)
    cluster.advance_slots(40)
    reconcile(platform)
    hidden = {wallet: cluster.buy(wallet, address, SOL // 2) for wallet in (alice, bob)}
    cluster.advance_slots(40)
    monkeypatch.setenv("WORKER_STATEMENT_TIMEOUT_MS", "500")
    with (
        FeedServer(OtherNode(cluster, cutting(*hidden.values()))) as node,
        platform.database.connect() as owner,
    ):
        monkeypatch.setenv("SOLANA_RPC_URL", node.url)
        with owner.transaction():
            held = "select from chain_positions where wallet = %s for update"
            owner.execute(held, (str(alice.pubkey()),))
            counts = reconcile(platform)
        assert (counts["whole"], counts["markets"]) == (1, 1)
        kept = platform.rows("select signature, attempts from chain_incomplete")
        assert kept == [(hidden[alice], 1)]
        _hold_what_they_hold(platform, cluster, address, bob)
        assert reconcile(platform)["whole"] == 1
    _hold_what_they_hold(platform, cluster, address, alice)


def test_a_block_is_asked_for_where_there_are_events(
    platform: Platform, cluster: Cluster, alice: Keypair, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def change(method: str, params: list[Any], answer: Answer) -> Answer:
        asked.append((method, params[0]))
        return answer

    programme = Pubkey.from_string(PROGRAM_ID)
    paid = TransferParams(from_pubkey=alice.pubkey(), to_pubkey=programme, lamports=SOL)
    named = cluster.send(alice, transfer(paid))
    bought = cluster.create_market(alice)
    cluster.advance_slots(40)
    with FeedServer(OtherNode(cluster, change)) as node:
        monkeypatch.setenv("SOLANA_RPC_URL", node.url)
        reconcile(platform)
    assert ("getTransaction", named) in asked
    slots = [slot for method, slot in asked if method == "getBlock"]
    assert slots == [cluster.transaction(one)["slot"] for one in _signatures(cluster, bought)]


def test_how_many_wait_to_be_fetched_is_told(
    platform: Platform, cluster: Cluster, alice: Keypair, capsys: pytest.CaptureFixture[str]
) -> None:
    address = cluster.active_market(alice)
    trades = [cluster.buy(alice, address, SOL) for _ in range(2)]
    platform.index(*[cut_off(delivered(cluster, one)) for one in trades])
    # A node that is down tells nothing of them.
    cluster.control("faults", status=503, times=-1)
    reconcile(platform, "partial")
    assert told(capsys, "TransactionsToFetch") == [2]
    cluster.control("faults")
    flush_breakers(platform)
    cluster.advance_slots(40)
    reconcile(platform)
    assert told(capsys, "TransactionsToFetch") == [0]


def test_however_many_wait_they_are_fetched_while_there_is_time(
    platform: Platform, cluster: Cluster, alice: Keypair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody may fill the queue, which keeps no market waiting."""
    address = cluster.active_market(alice)
    cluster.advance_slots(40)
    reconcile(platform)
    trades = [cluster.buy(alice, address, SOL + n) for n in range(5)]
    platform.index(*[cut_off(delivered(cluster, one)) for one in trades])
    cluster.advance_slots(40)
    monkeypatch.setattr(backfill, "INCOMPLETE_PER_LOOK", 2)
    left = [3]

    def tire(*args: Any) -> int:
        left[0] -= 1
        monkeypatch.setattr(run, "WORK_S", 20 if left[0] else -1)
        return indexing.index(*args)

    monkeypatch.setattr(backfill, "index", tire)
    first = _run(platform)
    done = event_reconciliation(first)
    assert (done.counts["whole"], done.counts["markets"]) == (3, 1)
    assert done.next_cursor is not None
    # The next slice goes on with it, until its slot is nearly over.
    left[0] = 1
    monkeypatch.setattr(run, "WORK_S", 20)
    slot = first.slot - reconciliation.CHAIN
    done = event_reconciliation(_run(platform, slot, done.next_cursor))
    assert (done.counts["whole"], done.next_cursor) == (1, None)
    assert len(platform.rows("select from chain_incomplete")) == 1


def test_letters_that_fail_again_end_a_look(
    platform: Platform, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cluster
    monkeypatch.setattr(backfill, "INCOMPLETE_PER_LOOK", 2)
    letters = [{"item": f"transaction:{n}", "error": "x", "payload": {"slot": 1}} for n in range(4)]
    with platform.database.connect() as owner:
        owner.execute(
            "select keep_dead_letters('event_reconciliation', %s, false, '2026-01-01')",
            (json.dumps(letters),),
        )
    done = event_reconciliation(one := _run(platform))
    assert (done.next_cursor, done.counts["whole"]) == (None, 0)
    assert sorted(one.failures) == ["transaction:0", "transaction:1"]


@pytest.mark.parametrize("is_at_its_place", [True, False])
@pytest.mark.parametrize("is_ours", [True, False])
def test_a_position_is_believed_by_its_place_and_its_owner(
    platform: Platform,
    cluster: Cluster,
    alice: Keypair,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_at_its_place: bool,
    is_ours: bool,
) -> None:
    """Whoever calls the programme hands along what he likes, bytes of a position too."""
    address, thief = cluster.active_market(alice), Keypair().pubkey()
    hidden = cluster.buy(alice, address, SOL)
    cluster.advance_slots(40)
    held = cluster.account(UserPosition, position_address(address, alice.pubkey()))
    data = encode_account(held._replace(user=bytes(thief), shares_yes=2**63))
    owner = PROGRAM_ID if is_ours else str(Keypair().pubkey())
    account = {"data": [base64.b64encode(data).decode(), "base64"], "owner": owner}
    place = position_address(address, thief) if is_at_its_place else Keypair().pubkey()
    with FeedServer(OtherNode(cluster, forging(hidden, place, account))) as node:
        monkeypatch.setenv("SOLANA_RPC_URL", node.url)
        reconcile(platform)
    observed = platform.rows(
        "select wallet from chain_events where event_type = 'PositionObserved'"
    )
    wallets = {str(alice.pubkey())} | ({str(thief)} if is_at_its_place and is_ours else set())
    assert {wallet for (wallet,) in observed} == wallets


def _hold_what_they_hold(
    platform: Platform, cluster: Cluster, address: Pubkey, wallet: Keypair
) -> None:
    """The market's row and the wallet's are what their accounts hold."""
    agrees(platform, cluster, address)
    position = cluster.account(UserPosition, position_address(address, wallet.pubkey()))
    held = platform.rows(
        "select shares_yes, shares_no from chain_positions"  # noqa: S608 - ours
        f" where wallet = '{wallet.pubkey()}'",
    )
    assert held == [(position.shares_yes, position.shares_no)]
