"""Helius over the local cluster: what it delivers, how it retries, its faults, its admin API."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from infra.local.clock import set_clock
from infra.local.stack import PROGRAM_ID
from presage.chain import instructions, programme
from tests.cluster import (
    AUTHORITY,
    CID,
    HELIUS_API_KEY,
    SOL,
    WEBHOOK_SECRET,
    B,
    Cluster,
)

from .qstash_driver import START_MS
from .receiver import Receiver, Reply

WEBHOOK_ID = "00000000-0000-4000-8000-000000000001"
ADMIN = {"admin": AUTHORITY.pubkey()}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        yield server


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster whose webhook is pointed at each test's receiver."""
    clock_file = tmp_path_factory.mktemp("helius") / "clock"
    set_clock(clock_file, START_MS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZMART_PROGRAM_ID", PROGRAM_ID)
        with Cluster(clock_file, webhook="http://127.0.0.1:9/") as cluster:
            yield cluster


@pytest.fixture
def helius(shared: Cluster, receiver: Receiver) -> Cluster:
    """The cluster, its webhook delivering to the test's receiver, nothing on its way."""
    admin(shared, "PATCH", WEBHOOK_ID, active=False)
    shared.control("flush")
    shared.control("deliveries")
    admin(shared, "PUT", WEBHOOK_ID, webhookURL=f"{receiver.url}/webhooks/helius")
    admin(shared, "PATCH", WEBHOOK_ID, active=True)
    return shared


def admin(cluster: Cluster, method: str, name: str = "", **body: object) -> Any:
    url = f"{cluster.url}/v0/webhooks{'/' if name else ''}{name}?api-key={HELIUS_API_KEY}"
    response = cluster.http.request(method, url, json=body or None)
    response.raise_for_status()
    return response.json()


def pause(cluster: Cluster) -> str:
    """A small transaction of the programme."""
    return cluster.run("emergency_pause", AUTHORITY, ADMIN)


def delivered(receiver: Receiver) -> list[list[str]]:
    """The signatures of each delivery."""
    return [
        [one["transaction"]["signatures"][0] for one in json.loads(arrival.body)]
        for arrival in receiver.arrivals
    ]


def move(cluster: Cluster, seconds: float) -> None:
    assert cluster.clock_file is not None
    now = int(cluster.clock_file.read_text())
    set_clock(cluster.clock_file, now + round(seconds * 1_000))


def test_a_delivery(helius: Cluster, receiver: Receiver) -> None:
    wallet = helius.wallet()
    market_id = programme.chain_market_id(uuid.uuid4())
    market = programme.market_address(market_id)
    build = instructions.build(
        "create_market",
        {"creator": wallet.pubkey(), "market": market},
        market_id=market_id,
        b_parameter=B,
        initial_liquidity=SOL,
        ipfs_question_hash=CID,
    )
    transaction = helius.signed(wallet, build, legacy=True)
    signature = helius.submit(transaction)
    assert receiver.arrivals == []
    assert helius.control("flush") == {"delivered": 1, "failed": 0, "dropped": 0, "pending": 0}
    [arrival] = receiver.arrivals  # the airdrop does not mention the programme
    assert (arrival.method, arrival.path) == ("POST", "/webhooks/helius")
    assert arrival.headers["authorization"] == WEBHOOK_SECRET
    assert arrival.headers["content-type"] == "application/json"
    [sent] = json.loads(arrival.body)
    landed = helius.transaction(signature)
    assert sorted(sent) == [
        *("blockTime", "indexWithinBlock", "meta", "slot", "transaction", "version"),
    ]
    assert (sent["slot"], sent["blockTime"]) == (landed["slot"], landed["blockTime"])
    assert (sent["indexWithinBlock"], sent["version"]) == (0, "legacy")
    assert sent["transaction"]["signatures"] == [signature]
    message = sent["transaction"]["message"]
    assert message["addressTableLookups"] is None
    assert message["accountKeys"] == landed["transaction"]["message"]["accountKeys"]
    meta = sent["meta"]
    assert meta["logMessages"] == landed["meta"]["logMessages"]
    assert meta["loadedAddresses"] == {"readonly": [], "writable": []}
    assert [len(one["instructions"]) for one in meta["innerInstructions"]] == [2]
    assert meta["err"] is None


def test_failed_transactions_are_delivered_too(helius: Cluster, receiver: Receiver) -> None:
    wallet = helius.wallet()
    pausing = instructions.build("emergency_pause", {"admin": wallet.pubkey()})
    helius.send(wallet, pausing, skip_preflight=True)
    helius.control("flush")
    [sent] = json.loads(receiver.arrivals[0].body)
    assert sent["meta"]["err"] == {"InstructionError": [0, {"Custom": 6029}]}
    assert sent["version"] == 0


def test_a_refused_delivery_is_tried_three_more_times(helius: Cluster, receiver: Receiver) -> None:
    receiver.script = lambda _: Reply(202)  # only 200 counts
    signature = pause(helius)
    assert helius.control("deliver")["failed"] == 1
    assert helius.control("deliver")["failed"] == 0
    for pending in (1, 1, 0):
        move(helius, 60)
        counts = helius.control("deliver")
        assert (counts["failed"], counts["pending"]) == (1, pending)
    assert counts["dropped"] == 1
    assert delivered(receiver) == [[signature]] * 4
    receiver.script = lambda _: Reply()
    pause(helius)
    assert helius.control("deliver")["delivered"] == 1


def test_a_webhook_that_keeps_failing_is_switched_off(helius: Cluster, receiver: Receiver) -> None:
    receiver.script = lambda _: Reply(500)
    for _ in range(20):
        pause(helius)
    helius.control("deliver")
    assert admin(helius, "GET", WEBHOOK_ID)["active"] is False
    pause(helius)
    receiver.script = lambda _: Reply()
    assert helius.control("flush")["delivered"] == 0
    assert admin(helius, "PATCH", WEBHOOK_ID, active=True)["active"] is True
    missed = pause(helius)
    assert helius.control("flush")["delivered"] == 1
    assert delivered(receiver)[-1] == [missed]


def test_faults_of_deliveries(helius: Cluster, receiver: Receiver) -> None:
    def sent(count: int) -> list[str]:
        return [pause(helius) for _ in range(count)]

    helius.control("deliveries", duplicate=100, batch=1)
    [one] = sent(1)
    helius.control("flush")
    assert delivered(receiver) == [[one], [one]]
    receiver.arrivals.clear()
    helius.control("deliveries", batch=3)
    four = sent(4)
    helius.control("flush")
    assert delivered(receiver) == [four[:3], four[3:]]
    receiver.arrivals.clear()
    helius.control("deliveries", order="reverse", batch=2)
    four = sent(4)
    helius.control("flush")
    assert delivered(receiver) == [four[:1:-1], four[1::-1]]
    receiver.arrivals.clear()
    helius.control("deliveries", order="shuffle", seed=3)
    ten = sent(10)
    helius.control("flush")
    shuffled = [name for names in delivered(receiver) for name in names]
    assert (sorted(shuffled), shuffled == ten) == (sorted(ten), False)
    receiver.arrivals.clear()
    helius.control("deliveries", drop=100)
    sent(2)
    assert helius.control("flush")["delivered"] == 0
    helius.control("deliveries", delay_s=30)
    sent(1)
    assert helius.control("deliver")["pending"] == 1
    move(helius, 30)
    assert helius.control("deliver")["delivered"] == 1
    helius.control("deliveries", truncate_logs=2)
    sent(1)
    helius.control("flush")
    [cut] = json.loads(receiver.arrivals[-1].body)
    assert cut["meta"]["logMessages"][2:] == ["Log truncated"]


def test_webhooks_are_managed(helius: Cluster, receiver: Receiver) -> None:
    url = f"{helius.url}/v0/webhooks"
    refused = helius.http.get(url, params={"api-key": "wrong"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, -32401)
    wallet = Keypair()
    made = admin(
        helius,
        "POST",
        webhookURL=f"{receiver.url}/other",
        webhookType="raw",
        accountAddresses=[str(wallet.pubkey())],
        authHeader="Bearer other",
    )
    assert made["active"] is True
    assert {one["webhookID"] for one in admin(helius, "GET")} == {WEBHOOK_ID, made["webhookID"]}
    helius.rpc("requestAirdrop", str(wallet.pubkey()), SOL)
    helius.control("flush")
    [arrival] = receiver.arrivals
    assert (arrival.path, arrival.headers["authorization"]) == ("/other", "Bearer other")
    assert admin(helius, "DELETE", made["webhookID"]) == {"success": True}
    gone = helius.http.get(f"{url}/{made['webhookID']}", params={"api-key": HELIUS_API_KEY})
    assert gone.status_code == 404
    vague = helius.http.patch(
        f"{url}/{WEBHOOK_ID}", params={"api-key": HELIUS_API_KEY}, json={"active": "yes"}
    )
    assert vague.status_code == 400


def test_in_real_time_it_delivers_by_itself(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZMART_PROGRAM_ID", PROGRAM_ID)
    with Cluster(webhook=receiver.url) as cluster:
        signature = cluster.send(
            AUTHORITY, instructions.build("emergency_pause", ADMIN), skip_preflight=True
        )
        receiver.wait_for(2)  # the programme's config came first
        assert delivered(receiver)[1:] == [[signature]]


def test_a_restart_delivers_to_the_new_address(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZMART_PROGRAM_ID", PROGRAM_ID)
    set_clock(tmp_path / "clock", START_MS)
    state = tmp_path / "state"
    with Cluster(tmp_path / "clock", "http://127.0.0.1:9/", state):
        pass
    with Cluster(tmp_path / "clock", receiver.url, state) as cluster:
        [hook] = admin(cluster, "GET")
        assert hook["webhookURL"] == receiver.url
        assert hook["accountAddresses"] == [str(Pubkey.from_string(PROGRAM_ID))]
