"""The local cluster's RPC: what it takes, what it answers at each commitment, how it fails."""

import base64
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from infra.local.clock import set_clock
from infra.local.stack import PROGRAM_ID
from presage.chain import accounts, instructions, programme
from presage.chain.accounts import MarketAccount
from tests.cluster import AUTHORITY, SOL, Cluster, RpcFailureError

from .qstash_driver import START_MS
from .solana_scene import Scene

CONFIRMED = {"commitment": "confirmed"}
FINALIZED = {"commitment": "finalized"}
PROCESSED = {"commitment": "processed"}


@pytest.fixture
def sound(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, without a test's faults in the end."""
    yield cluster
    cluster.control("faults")


def pay(payer: Keypair, to: Pubkey, lamports: int = SOL) -> Instruction:
    return transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=lamports))


def refusal(cluster: Cluster, transaction: VersionedTransaction, **options: Any) -> RpcFailureError:
    with pytest.raises(RpcFailureError) as caught:
        cluster.submit(transaction, **options)
    return caught.value


def status(cluster: Cluster, signature: str, *, search: bool = True) -> dict[str, Any] | None:
    [found] = cluster.value(
        "getSignatureStatuses", [signature], {"searchTransactionHistory": search}
    )
    return found  # type: ignore[no-any-return]


@pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "v0"])
def test_a_transfer(cluster: Cluster, legacy: bool) -> None:
    payer, to = cluster.wallet(), Pubkey.new_unique()
    budget = (set_compute_unit_limit(1_000), set_compute_unit_price(2_000_000))
    transaction = cluster.signed(payer, *budget, pay(payer, to), legacy=legacy)
    signature = cluster.submit(transaction)
    assert signature == str(transaction.signatures[0])
    fee = 5_000 + 2_000
    assert cluster.balance(to) == SOL
    assert cluster.balance(payer.pubkey()) == 9 * SOL - fee
    landed = cluster.transaction(signature)
    assert landed["version"] == ("legacy" if legacy else 0)
    assert landed["transaction"]["signatures"] == [signature]
    keys = landed["transaction"]["message"]["accountKeys"]
    assert keys[:2] == [str(payer.pubkey()), str(to)]
    meta = landed["meta"]
    assert (meta["err"], meta["fee"], meta["computeUnitsConsumed"]) == (None, fee, 450)
    assert (meta["preBalances"][:2], meta["postBalances"][:2]) == (
        [10 * SOL, 0],
        [9 * SOL - fee, SOL],
    )
    assert meta["logMessages"][-2:] == [
        "Program 11111111111111111111111111111111 invoke [1]",
        "Program 11111111111111111111111111111111 success",
    ]
    raw = cluster.rpc(
        "getTransaction",
        signature,
        CONFIRMED | {"encoding": "base64", "maxSupportedTransactionVersion": 0},
    )
    assert base64.b64decode(raw["transaction"][0]) == bytes(transaction)
    if not legacy:
        with pytest.raises(RpcFailureError, match="-32015"):
            cluster.rpc("getTransaction", signature, CONFIRMED)


def test_signatures_are_checked(cluster: Cluster) -> None:
    payer, thief = cluster.wallet(), Keypair()
    good = cluster.signed(payer, pay(payer, thief.pubkey()))
    stolen = VersionedTransaction(good.message, [payer])
    forged = VersionedTransaction.populate(good.message, [thief.sign_message(b"anything")])
    unsigned = VersionedTransaction.populate(good.message, [Signature.default()])
    for bad in (forged, unsigned):
        for skips in (True, False):
            assert refusal(cluster, bad, skipPreflight=skips).code == -32003
    assert cluster.balance(thief.pubkey()) == 0
    cluster.submit(stolen)  # the same bytes as the good one


def test_a_transaction_lands_once(cluster: Cluster) -> None:
    payer, to = cluster.wallet(), Pubkey.new_unique()
    transaction = cluster.signed(payer, pay(payer, to))
    cluster.submit(transaction)
    again = refusal(cluster, transaction)
    assert (again.code, again.data and again.data["err"]) == (-32002, "AlreadyProcessed")
    assert cluster.submit(transaction, skipPreflight=True) == str(transaction.signatures[0])
    assert cluster.balance(to) == SOL
    cluster.advance_slots(160)  # the age is looked at first
    late = refusal(cluster, transaction)
    assert (late.code, late.data and late.data["err"]) == (-32002, "BlockhashNotFound")


def test_blockhashes_expire(cluster: Cluster) -> None:
    payer, to = cluster.wallet(), Pubkey.new_unique()
    latest = cluster.value("getLatestBlockhash", CONFIRMED)
    height = cluster.rpc("getBlockHeight", CONFIRMED)
    assert latest["lastValidBlockHeight"] == height + 150
    assert height < cluster.rpc("getSlot", CONFIRMED)
    transaction = cluster.signed(payer, pay(payer, to))
    known = str(transaction.message.recent_blockhash)
    cluster.advance_slots(150)
    assert cluster.value("isBlockhashValid", known, CONFIRMED)
    cluster.advance_slots(1)
    assert not cluster.value("isBlockhashValid", known, PROCESSED)
    late = refusal(cluster, transaction)
    assert (late.code, late.data and late.data["err"]) == (-32002, "BlockhashNotFound")
    cluster.submit(transaction, skipPreflight=True)  # taken, and never heard of again
    assert status(cluster, str(transaction.signatures[0])) is None
    unknown = cluster.signed(payer, pay(payer, to), blockhash=type(cluster.blockhash())(bytes(32)))
    assert (found := refusal(cluster, unknown)).data
    assert found.data["err"] == "BlockhashNotFound"
    assert cluster.balance(to) == 0


def test_money_must_be_there(cluster: Cluster) -> None:
    payer, nobody = cluster.wallet(), Keypair()
    poor = refusal(cluster, cluster.signed(payer, pay(payer, nobody.pubkey(), 100 * SOL)))
    assert poor.data
    assert poor.data["err"] == {"InstructionError": [0, {"Custom": 1}]}
    assert "insufficient lamports" in poor.data["logs"][1]
    broke = refusal(cluster, cluster.signed(nobody, pay(nobody, payer.pubkey(), 1)))
    assert broke.data
    assert broke.data["err"] == "AccountNotFound"
    dust = refusal(cluster, cluster.signed(payer, pay(payer, nobody.pubkey(), 5)))
    assert dust.data
    assert dust.data["err"] == {"InsufficientFundsForRent": {"account_index": 1}}
    unknown = Instruction(Pubkey.new_unique(), b"", [])
    missing = refusal(cluster, cluster.signed(payer, unknown))
    assert missing.data
    assert missing.data["err"] == "ProgramAccountNotFound"


def test_all_instructions_or_none(scene: Scene) -> None:
    cluster, payer, to = scene.cluster, scene.creator, Pubkey.new_unique()
    refused = instructions.build("emergency_pause", {"admin": payer.pubkey()})
    before = cluster.balance(payer.pubkey())
    signature = cluster.send(payer, pay(payer, to), refused, skip_preflight=True)
    assert (cluster.balance(to), cluster.balance(payer.pubkey())) == (0, before - 5_000)
    failed = cluster.transaction(signature)["meta"]
    assert failed["err"] == {"InstructionError": [1, {"Custom": 6029}]}
    assert "Program 11111111111111111111111111111111 success" in failed["logMessages"]
    found = status(cluster, signature)
    assert found
    assert found["err"] == failed["err"]
    admin = {"admin": AUTHORITY.pubkey()}
    pause = instructions.build("emergency_pause", admin)
    cluster.send(AUTHORITY, pause, pay(AUTHORITY, to), pause)
    assert cluster.balance(to) == SOL
    assert not cluster.account(accounts.GlobalConfig, programme.config_address()).is_paused


def test_commitments_follow_the_slots(cluster: Cluster) -> None:
    to = str(Pubkey.new_unique())
    cluster.control("slots", hold=True)
    try:
        signature = cluster.rpc("requestAirdrop", to, SOL)
        [found] = cluster.value("getSignatureStatuses", [signature])
        assert (found["confirmationStatus"], found["confirmations"]) == ("processed", 0)
        assert cluster.value("getBalance", to, PROCESSED) == SOL
        assert cluster.value("getBalance", to, CONFIRMED) == 0
        assert cluster.rpc("getSignaturesForAddress", to, CONFIRMED) == []
        assert cluster.rpc("getTransaction", signature, CONFIRMED) is None
        cluster.advance_slots(1)
        assert cluster.value("getBalance", to, CONFIRMED) == SOL
        assert (status(cluster, signature) or {})["confirmationStatus"] == "confirmed"
        cluster.advance_slots(30)
        assert cluster.value("getBalance", to, FINALIZED) == 0
        cluster.advance_slots(1)
        assert cluster.value("getBalance", to) == SOL
        final = status(cluster, signature) or {}
        assert (final["confirmationStatus"], final["confirmations"]) == ("finalized", None)
        cluster.advance_slots(300)
        assert status(cluster, signature, search=False) is None
        assert status(cluster, signature, search=True) is not None
    finally:
        cluster.control("slots", hold=False)


def test_simulation_changes_nothing(scene: Scene) -> None:
    cluster, user = scene.cluster, scene.trader
    market = cluster.active_market(scene.creator)
    keys = cluster.trading_keys(market, user.pubkey())
    buy = instructions.build("buy_shares", keys, outcome=True, target_cost=SOL)
    message = MessageV0.try_compile(user.pubkey(), [buy], [], type(cluster.blockhash()).default())
    unsigned = VersionedTransaction.populate(message, [Signature.default()])
    raw = base64.b64encode(bytes(unsigned)).decode()
    options = {"encoding": "base64", "commitment": "confirmed"}
    found = cluster.value("simulateTransaction", raw, options | {"replaceRecentBlockhash": True})
    assert found["err"] is None
    assert found["logs"][1] == "Program log: Instruction: BuyShares"
    assert found["replacementBlockhash"]["lastValidBlockHeight"] > 0
    before = cluster.account(MarketAccount, market)
    cluster.send(user, buy)
    assert before.total_volume == 0
    landed = cluster.rpc("getSignaturesForAddress", str(market), CONFIRMED)[0]["signature"]
    used = cluster.transaction(landed)["meta"]["computeUnitsConsumed"]
    assert used == found["unitsConsumed"]
    missing = cluster.value("simulateTransaction", raw, options)
    assert (missing["err"], missing["unitsConsumed"]) == ("BlockhashNotFound", 0)
    with pytest.raises(RpcFailureError, match="-32003"):
        cluster.value("simulateTransaction", raw, options | {"sigVerify": True})
    tight = cluster.signed(user, set_compute_unit_limit(used - 1), buy)
    failed = refusal(cluster, tight)
    assert failed.data
    assert failed.data["err"] == {"InstructionError": [1, "ComputationalBudgetExceeded"]}


def test_reading_accounts(scene: Scene) -> None:
    cluster = scene.cluster
    markets = [cluster.create_market(scene.creator) for _ in range(3)]
    keys = [str(key) for key in (*markets, Pubkey.new_unique())]
    encoded = CONFIRMED | {"encoding": "base64"}
    found = cluster.value("getMultipleAccounts", keys, encoded)
    assert [one and one["space"] for one in found] == [488, 488, 488, None]
    with pytest.raises(RpcFailureError, match="-32602"):
        cluster.rpc("getMultipleAccounts", keys * 26)
    by_creator = {"memcmp": {"offset": 8 + 32, "bytes": str(scene.creator.pubkey())}}
    state = {"memcmp": {"offset": 8 + 64, "bytes": base64.b64encode(b"\0").decode(),
                        "encoding": "base64"}}  # fmt: skip
    filters = [{"dataSize": 488}, by_creator, state]
    mine = cluster.rpc("getProgramAccounts", PROGRAM_ID, encoded | {"filters": filters})
    assert {one["pubkey"] for one in mine} == {str(key) for key in markets}
    slices = cluster.rpc(
        "getProgramAccounts",
        PROGRAM_ID,
        encoded | {"filters": filters, "dataSlice": {"offset": 40, "length": 32}},
    )
    assert {one["account"]["data"][0] for one in slices} == {
        base64.b64encode(bytes(scene.creator.pubkey())).decode()
    }


def test_paging_through_signatures(cluster: Cluster) -> None:
    payer = cluster.wallet()
    sent = [cluster.send(payer, pay(payer, Pubkey.new_unique())) for _ in range(4)]
    address = str(payer.pubkey())

    def page(**options: object) -> list[str]:
        found = cluster.rpc("getSignaturesForAddress", address, CONFIRMED | options)
        return [one["signature"] for one in found]

    assert page()[:4] == sent[::-1]
    assert page(limit=2) == [sent[3], sent[2]]
    assert page(before=sent[2], limit=2) == [sent[1], sent[0]]
    assert page(until=sent[1]) == [sent[3], sent[2]]
    for bad in ({"limit": 0}, {"limit": 1_001}, {"commitment": "processed"}):
        with pytest.raises(RpcFailureError, match="-32602"):
            page(**bad)
    slot = cluster.transaction(sent[0])["slot"]
    block = cluster.rpc("getBlock", slot, CONFIRMED | {"transactionDetails": "signatures"})
    assert block["signatures"] == [sent[0]]


def test_slots_hold_transactions_in_order(cluster: Cluster) -> None:
    payer = cluster.wallet()
    cluster.control("slots", hold=True)
    sent = [cluster.send(payer, pay(payer, Pubkey.new_unique()), skip_preflight=True)
            for _ in range(3)]  # fmt: skip
    cluster.control("slots", hold=False, advance=1)
    slot = cluster.transaction(sent[0])["slot"]
    block = cluster.rpc("getBlock", slot, CONFIRMED | {"transactionDetails": "signatures"})
    assert block["signatures"] == sent


def test_priority_fees(cluster: Cluster) -> None:
    asked = {"accountKeys": [PROGRAM_ID], "options": {"priorityLevel": "High"}}
    assert cluster.rpc("getPriorityFeeEstimate", asked) == {"priorityFeeEstimate": 100_000.0}
    with pytest.raises(RpcFailureError, match="-32602"):
        cluster.rpc("getPriorityFeeEstimate", {})
    assert len(cluster.rpc("getRecentPrioritizationFees", [PROGRAM_ID])) == 150
    assert cluster.rpc("getHealth") == "ok"
    assert "solana-core" in cluster.rpc("getVersion")


def test_malformed_requests(cluster: Cluster) -> None:
    def code(content: bytes) -> int:
        answer = cluster.http.post(cluster.url, content=content).json()
        return int(answer["error"]["code"])

    assert code(b"{") == -32700
    assert code(b"3") == -32600
    assert code(b'{"jsonrpc":"2.0","id":1,"method":"getNothing"}') == -32601
    assert code(b'{"jsonrpc":"2.0","id":1,"method":"getBalance","params":[7]}') == -32602
    for params in (["!"], ["AAAA"], ["AAAA", {"encoding": "base64"}]):
        with pytest.raises(RpcFailureError, match="-32602"):
            cluster.rpc("sendTransaction", *params)
    batch = [{"jsonrpc": "2.0", "id": n, "method": "getHealth"} for n in range(3)]
    answers = cluster.http.post(cluster.url, json=batch).json()
    assert [(one["id"], one["result"]) for one in answers] == [(0, "ok"), (1, "ok"), (2, "ok")]


def test_a_node_that_refuses(sound: Cluster) -> None:
    sound.control("faults", status=429, times=2, methods=["getSlot"], retry_after_s=7)
    body = {"jsonrpc": "2.0", "id": 1, "method": "getSlot"}
    answers = [sound.http.post(sound.url, json=body) for _ in range(3)]
    assert [one.status_code for one in answers] == [429, 429, 200]
    assert answers[0].headers["retry-after"] == "7"
    sound.control("faults", status=503)
    assert sound.http.post(sound.url, json=body).status_code == 503
    sound.control("faults", slow_s=0.5)
    with pytest.raises(httpx.ReadTimeout):
        sound.http.post(sound.url, json=body, timeout=0.1)
    assert sound.http.post(f"{sound.url}/_local/faults", json={"no": 1}).status_code == 400


def test_an_answer_that_is_lost(sound: Cluster) -> None:
    payer, to = sound.wallet(), Pubkey.new_unique()
    transaction = sound.signed(payer, pay(payer, to))
    sound.control("faults", lose_answers=1, methods=["sendTransaction"])
    with pytest.raises(httpx.HTTPStatusError, match="504"):
        sound.submit(transaction)
    assert sound.balance(to) == SOL


def test_a_node_that_lags(sound: Cluster) -> None:
    payer, to = sound.wallet(), Pubkey.new_unique()
    sound.advance_slots(20)
    signature = sound.send(payer, pay(payer, to))
    slot = sound.rpc("getSlot", PROCESSED)
    sound.control("faults", lag_slots=10)
    assert sound.rpc("getSlot", PROCESSED) == slot - 10
    assert sound.balance(to) == 0
    assert status(sound, signature) is None
    least = PROCESSED | {"minContextSlot": slot}
    with pytest.raises(RpcFailureError, match="-32016") as refused:
        sound.rpc("getAccountInfo", str(to), least)
    assert refused.value.data == {"contextSlot": slot - 10}
    sound.advance_slots(10)
    assert sound.balance(to) == SOL
    assert sound.value("getAccountInfo", str(to), least)["lamports"] == SOL


def test_transactions_that_are_dropped_or_late(sound: Cluster) -> None:
    payer, to = sound.wallet(), Pubkey.new_unique()
    sound.control("faults", drop=1, land_after_slots=5)
    lost, late, expired = (sound.signed(payer, pay(payer, to, SOL + n)) for n in range(3))
    for one in (lost, late):
        sound.submit(one)
    sound.advance_slots(4)
    assert sound.balance(to) == 0
    sound.advance_slots(1)
    assert sound.balance(to) == SOL + 1
    sound.control("faults", land_after_slots=200)
    sound.submit(expired)
    sound.advance_slots(200)
    assert sound.balance(to) == SOL + 1


def test_in_real_time_slots_pass() -> None:
    with Cluster() as cluster:
        first = cluster.rpc("getSlot", PROCESSED)
        wallet = cluster.wallet()
        deadline = time.monotonic() + 5
        while not cluster.value("getBalance", str(wallet.pubkey()), CONFIRMED):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert cluster.rpc("getSlot", PROCESSED) > first


def test_a_state_file_keeps_the_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZMART_PROGRAM_ID", PROGRAM_ID)
    clock_file, state_file = tmp_path / "clock", tmp_path / "solana.json"
    set_clock(clock_file, START_MS)
    with Cluster(clock_file, state_file=state_file) as cluster:
        wallet = cluster.wallet()
        market = cluster.active_market(wallet)
        signature = cluster.buy(wallet, market, SOL)
        landed, slot = cluster.transaction(signature), cluster.rpc("getSlot")
        before = cluster.account(MarketAccount, market)
        pending = cluster.signed(wallet, pay(wallet, market))
    with Cluster(clock_file, state_file=state_file) as cluster:
        assert cluster.transaction(signature) == landed
        assert cluster.rpc("getSlot") == slot
        assert cluster.account(MarketAccount, market) == before
        cluster.submit(pending)
        cluster.wallet()
        cluster.sell(wallet, market, SOL // 10)
