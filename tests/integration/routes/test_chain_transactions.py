"""What the platform signs, against a chain and a node that fail: once, and never stuck."""

import threading
import time
import traceback
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from solders.keypair import Keypair
from solders.transaction import VersionedTransaction

from presage import clock
from presage.adapters import breaker, solana_rpc
from presage.chain import compiling, instructions, sending
from presage.chain.accounts import MarketAccount
from presage.chain.confirming import chain_confirm
from presage.errors import SolanaError, UnavailableError, UnprocessableError, UpstreamError
from presage.workflows.run import WORK_S, Run
from tests.cluster import AUTHORITY
from tests.harness import Platform
from tests.integration.routes.chain_sender import PURPOSE, Sender
from tests.proxy import FlushCounter

OPEN_KEY = breaker.open_key(solana_rpc.NAME)


def test_a_transaction_becomes_final(sender: Sender) -> None:
    sent = sender.submit()
    assert (sent.status, sent.attempts, sent.error) == ("sent", 1, None)
    assert sender.landed() == [sent.signature]
    transaction = VersionedTransaction.from_bytes(sent.raw)
    assert str(transaction.signatures[0]) == sent.signature
    limit, price = (bytes(one.data) for one in transaction.message.instructions[:2])
    used = sender.cluster.transaction(sent.signature)["meta"]["computeUnitsConsumed"]
    assert int.from_bytes(limit[1:], "little") == used * 11 // 10 + 1
    assert int.from_bytes(price[1:], "little") == 10_000
    assert sender.confirm().counts == {"confirmed": 1, "live": 1}
    assert sender.submit() == sender.row()  # a live one is not signed again
    sender.cluster.advance_slots(32)
    done = sender.confirm()
    assert (done.counts, done.next_cursor) == ({"finalized": 1, "live": 0}, None)
    assert sender.row().status == "finalized"
    again = sender.submit(8)
    assert again.signature != sent.signature
    assert sender.landed() == [again.signature, sent.signature]


def test_what_the_programme_refuses_is_not_signed(sender: Sender) -> None:
    sender.cluster.aggregate(sender.market, 1, 0)
    approve = {"admin": AUTHORITY.pubkey(), "market": sender.market}
    sender.cluster.run("approve_proposal", AUTHORITY, approve)
    with pytest.raises(UnprocessableError, match="InvalidStateForVoting"):
        sender.submit()
    assert sender.rows() == []


def test_it_comes_again_within_its_minute(sender: Sender) -> None:
    sender.platform.advance(60 - clock.now().second)
    sender.cluster.control("faults", drop=-1)
    sender.submit()
    going_on = sender.confirm()
    assert (going_on.next_cursor, going_on.next_delay_s) == ({}, 5)
    sender.platform.advance(51)
    assert sender.confirm().next_cursor is None  # the next minute's run takes over


def test_dropped_transactions_are_sent_again_as_the_same_bytes(sender: Sender) -> None:
    sender.cluster.control("faults", drop=3)
    sent = sender.submit()
    assert sender.landed() == []
    for attempts in (2, 3):
        assert sender.confirm().counts == {"sent": 1, "live": 1}
        assert (sender.row().attempts, sender.row().raw) == (attempts, sent.raw)
    sender.confirm()
    assert sender.confirm().counts["confirmed"] == 1
    assert sender.landed() == [sent.signature]
    assert sender.rows() == [(sent.signature, "confirmed")]


def test_nothing_is_signed_again_before_a_final_block_is_too_high(sender: Sender) -> None:
    sender.cluster.control("faults", drop=-1)
    first = sender.submit()
    left = first.last_valid_block_height - sender.cluster.control("state")["blockHeight"]
    sender.cluster.advance_slots(left + 1)  # no block can take it, and none is final yet
    assert sender.confirm().counts == {"sent": 1, "live": 1}
    assert sender.submit().id == first.id
    sender.cluster.advance_slots(20)
    assert sender.confirm().counts == {"sent": 1, "live": 1}
    sender.cluster.advance_slots(32)
    assert sender.confirm().counts == {"expired": 1, "live": 0}
    sender.cluster.control("faults")
    second = sender.submit()
    sender.cluster.advance_slots(32)
    sender.confirm()
    assert sender.rows() == [(first.signature, "expired"), (second.signature, "finalized")]
    assert sender.landed() == [second.signature]


def test_one_that_lands_in_its_last_block_is_not_signed_again(sender: Sender) -> None:
    sender.cluster.control("faults", land_after_slots=148)
    sent = sender.submit()
    for _ in range(9):
        sender.cluster.control("faults", drop=-1)  # what is sent again is lost
        sender.cluster.advance_slots(20)
        sender.confirm()
    sender.cluster.advance_slots(40)
    sender.confirm()
    assert sender.rows() == [(sent.signature, "finalized")]
    assert sender.landed() == [sent.signature]


@pytest.mark.parametrize(
    "methods", [["getSignatureStatuses"], ["getEpochInfo"], []], ids=["statuses", "height", "all"]
)
def test_a_node_that_lags_makes_nobody_sign_twice(sender: Sender, methods: list[str]) -> None:
    sent = sender.submit()
    sender.cluster.advance_slots(400)  # final long ago, and past its last block
    sender.cluster.control("faults", lag_slots=500, lag_methods=methods)
    for _ in range(3):
        assert sender.confirm().counts == {"sent": 1, "live": 1}
        assert sender.submit().id == sent.id
    sender.cluster.control("faults")
    sender.confirm()
    assert sender.rows() == [(sent.signature, "finalized")]
    assert sender.landed() == [sent.signature]


def test_eight_submit_at_once_and_one_lands(sender: Sender) -> None:
    together = threading.Barrier(8)

    def submit(likes: int) -> str:
        together.wait()
        try:
            return sender.submit(likes).signature
        finally:
            sender.platform.close()

    with ThreadPoolExecutor(8) as pool:
        signatures = set(pool.map(submit, range(8)))
    assert len(signatures) == 1
    assert sender.landed() == list(signatures)


def test_one_that_fails_on_chain_is_told(sender: Sender) -> None:
    sender.cluster.control("faults", land_after_slots=40)
    sent = sender.submit()
    sender.cluster.control("faults")
    sender.cluster.aggregate(sender.market, 9, 1)
    approve = {"admin": AUTHORITY.pubkey(), "market": sender.market}
    sender.cluster.run("approve_proposal", AUTHORITY, approve)
    sender.cluster.control("faults", drop=-1)
    sender.cluster.advance_slots(40)
    assert sender.confirm().counts == {"confirmed": 1, "live": 1}
    assert sender.alerts() == []  # a confirmed block may still be forked away
    sender.cluster.advance_slots(32)
    assert sender.confirm().counts == {"failed": 1, "live": 0}
    assert sender.row().error == "InvalidStateForVoting"
    assert sender.alerts() == [
        ("manual_review_required", f"manual_review_required:{sent.signature}", 1)
    ]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_node_that_recovers_at_once_is_asked_again(sender: Sender, status: int) -> None:
    sender.cluster.control("faults", status=status, times=2)
    assert sender.submit().status == "sent"
    sender.cluster.control("faults", status=status, times=1, methods=["sendTransaction"])
    assert sender.confirm().counts["confirmed"] == 1
    assert sender.alerts() == []


def test_an_answer_that_is_lost_is_no_second_transaction(sender: Sender) -> None:
    sender.cluster.control("faults", lose_answers=1, methods=["sendTransaction"])
    sent = sender.submit()
    assert (sent.status, sent.attempts) == ("built", 0)
    assert sender.landed() == [sent.signature]
    sender.cluster.advance_slots(32)
    assert sender.confirm().counts == {"finalized": 1, "live": 0}
    assert sender.rows() == [(sent.signature, "finalized")]


def test_a_node_that_does_not_answer(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solana_rpc, "TIMEOUT_S", 0.05)
    monkeypatch.setattr(solana_rpc, "BACKOFF_S", 0.01)
    sender.cluster.control("faults", slow_s=0.5)
    with pytest.raises(SolanaError, match=r"did not answer \(ReadTimeout\)"):
        sender.submit()
    assert sender.rows() == []
    sender.cluster.control("faults", slow_s=0.5, drop=-1)
    monkeypatch.setattr(solana_rpc, "TIMEOUT_S", 2.0)
    sender.cluster.control("faults")
    assert sender.submit().status == "sent"


def test_three_failures_open_the_breaker_for_five_minutes(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(solana_rpc, "BACKOFF_S", 0.01)
    sent = sender.submit()
    sender.cluster.control("faults", status=503)
    counts = [sender.confirm().counts for _ in range(4)]
    assert counts == [{"unreachable": 1, "live": 1}] * 4
    assert 299 <= int(sender.redis("TTL", OPEN_KEY)) <= 300
    # The third failure opened it, and the fourth found it open.
    told = "manual_review_required:solana_rpc"
    assert sender.alerts() == [("manual_review_required", told, 2)]
    health = sender.platform.call("get_health").data
    assert (health["status"], health["services"]["solanaRpc"]) == ("degraded", "unhealthy")
    sender.cluster.control("faults")
    with pytest.raises(breaker.OpenError):
        sender.submit(market_id=uuid.UUID(_other_market(sender)))
    assert sender.rows() == [(sent.signature, "sent")]
    sender.redis("DEL", OPEN_KEY)  # five minutes later
    sender.cluster.control("faults", status=503)
    sender.confirm()  # the probe fails: open again
    assert sender.redis("GET", OPEN_KEY) == "1"
    sender.redis("DEL", OPEN_KEY)
    sender.cluster.control("faults")
    sender.cluster.advance_slots(32)
    assert sender.confirm().counts == {"finalized": 1, "live": 0}
    health = sender.platform.call("get_health").data
    assert (health["status"], health["services"]["solanaRpc"]) == ("healthy", "healthy")
    assert sender.landed() == [sent.signature]


def test_a_run_whose_time_is_up_asks_nothing_twice(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has begun is over before its Lambda is."""
    monkeypatch.setattr(solana_rpc, "BACKOFF_S", 0.0)
    call = sender.platform.as_zone("worker")
    sender.cluster.control("faults", status=503, times=1)
    assert sender.submit(call=call).status == "sent"
    sender.platform.advance(WORK_S)
    sender.cluster.control("faults", status=503, times=1)
    with pytest.raises(UpstreamError):
        sender.submit(market_id=uuid.UUID(_other_market(sender)), call=call)


def test_a_probe_that_is_under_way_is_not_told_of(sender: Sender) -> None:
    """Who meets it knows no more than what was told when the breaker opened."""
    sender.redis("SET", f"breaker:{solana_rpc.NAME}:failures", "3")
    sender.redis("SET", f"breaker:{solana_rpc.NAME}:probe", "1")
    with pytest.raises(breaker.ProbedError):
        sender.submit()
    assert (sender.alerts(), sender.rows()) == ([], [])


def test_a_node_that_others_found_silent_is_told_of(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look at accounts raises no alert, and nothing is under way."""
    monkeypatch.setattr(solana_rpc, "BACKOFF_S", 0.0)
    sender.cluster.control("faults", status=503)
    for _ in range(3):
        with pytest.raises(UpstreamError):
            solana_rpc.finality()
    assert sender.alerts() == []
    assert sender.confirm().counts == {"unreachable": 1, "live": 0}
    told = "manual_review_required:solana_rpc"
    assert sender.alerts() == [("manual_review_required", told, 1)]


def _other_market(sender: Sender) -> str:
    return sender.platform.proposed_market(sender.platform.sign_in())


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("flush", [1, 2, 3])
def test_who_dies_while_submitting_lands_it_once(
    sender: Sender, flush: int, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wire to Postgres is cut at each flush: before it, or before its answer."""
    platform = sender.platform
    whole = platform.database.url("presage_worker")
    with FlushCounter(platform.database.server.port) as wire:
        through = whole.replace(f":{platform.database.server.port}/", f":{wire.port}/")
        monkeypatch.setenv("DATABASE_URL_WORKER", through)
        platform.close()
        # A connection is made in two flushes.
        wire.arm(2 + flush, after=after)
        with pytest.raises(UnavailableError):
            sender.submit()
        assert wire.is_cut
        platform.close()
    monkeypatch.setenv("DATABASE_URL_WORKER", whole)
    persisted = sender.rows()
    # Who died before the row was there has sent nothing; after it, chain_confirm does it alone.
    assert bool(persisted) is ((flush, after) >= (2, True))
    assert persisted or sender.landed() == []
    if persisted:
        sender.confirm()
    else:
        sender.submit()
    sender.cluster.advance_slots(32)
    sender.confirm()
    [(signature, status)] = sender.rows()
    assert status == "finalized"
    assert sender.landed() == [signature]


def test_in_real_time_a_slice_goes_on_until_nothing_is_left(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("presage.chain.confirming.RESEND_S", 0.1)
    monkeypatch.setattr("presage.chain.sending.RESEND_S", 0.1)
    sender.cluster.control("faults", drop=3)
    sent = sender.submit()
    monkeypatch.delenv("PRESAGE_CLOCK_FILE")

    def finalize() -> None:
        deadline = time.monotonic() + 10
        while not sender.landed() and time.monotonic() < deadline:
            time.sleep(0.02)
        sender.cluster.advance_slots(32)

    with ThreadPoolExecutor(1) as pool:
        chain = pool.submit(finalize)
        call = sender.platform.as_zone("worker")
        slot = clock.floor_to(clock.now(), 60)
        done = chain_confirm(Run(id=uuid.uuid4(), name="chain_confirm", slot=slot, call=call))
        chain.result()
    assert done.counts["finalized"] == 1
    assert done.next_cursor is None
    assert sender.row().attempts >= 4
    assert sender.landed() == [sent.signature]


def test_many_are_seen_through_together(sender: Sender) -> None:
    raw, count = sender.submit().raw, 300
    with sender.platform.database.connect() as owner:
        owner.execute(
            "insert into chain_transactions (id, purpose, signature, raw, last_valid_block_height,"
            " status, next_attempt_at, created_at, updated_at)"
            " select gen_random_uuid(), 'p' || i, 's' || i, %s, 1, 'built', %s, %s, %s"
            " from generate_series(1, %s) as i",
            (raw, *[clock.now()] * 3, count),
        )
    # Their block heights are long past, and nobody has ever heard of them.
    assert sender.confirm().counts == {"expired": count, "confirmed": 1, "live": 1}


@pytest.mark.parametrize("key", ["", "nonsense", "[1,2,3]", "1" * 88])
def test_a_key_that_is_none_is_not_shown(
    sender: Sender, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOLANA_AUTHORITY_KEY", key)
    with pytest.raises(UnavailableError) as caught:
        sender.submit()
    assert not key or key not in str(caught.value)


@pytest.mark.usefixtures("module_platform")
def test_the_nodes_address_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solana_rpc, "BACKOFF_S", 0.0)
    monkeypatch.setenv("SOLANA_RPC_URL", "http://127.0.0.1:9/?api-key=hidden")
    with pytest.raises(SolanaError) as caught:
        solana_rpc.latest_blockhash()
    assert "hidden" not in "".join(traceback.format_exception(caught.value))


def test_a_key_may_be_a_json_array(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOLANA_AUTHORITY_KEY", AUTHORITY.to_json())
    assert sender.submit().status == "sent"


def test_a_transaction_has_its_size(sender: Sender) -> None:
    keys = {"backend_authority": AUTHORITY.pubkey()}
    long = [
        instructions.build(
            PURPOSE, keys | {"market": Keypair().pubkey()}, final_likes=1, final_dislikes=0
        )
        for _ in range(30)
    ]
    call = sender.platform.as_zone("worker")
    with pytest.raises(UnprocessableError, match="bytes: too many"):
        sending.submit(call, "long", None, long)


@pytest.mark.parametrize(
    ("err", "word"),
    [
        ({"InstructionError": [2, {"Custom": 6_007}]}, "InvalidMarketState"),
        ({"InstructionError": [2, {"Custom": 1}]}, "ResultWithNegativeLamports"),
        ({"InstructionError": [2, {"Custom": 9}]}, "Custom 9"),
        ({"InstructionError": [0, "ComputationalBudgetExceeded"]}, "ComputationalBudgetExceeded"),
        ({"InsufficientFundsForRent": {"account_index": 1}}, "InsufficientFundsForRent"),
        ("BlockhashNotFound", "BlockhashNotFound"),
    ],
)
def test_refusals_have_names(err: object, word: str) -> None:
    assert compiling.refusal(err) == word


def test_health_without_a_chain(module_platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOLANA_RPC_URL", raising=False)
    assert module_platform.call("get_health").data["services"]["solanaRpc"] == "not_configured"


def test_the_workflow_moves_what_is_under_way(sender: Sender) -> None:
    sender.submit()
    sender.cluster.advance_slots(32)
    sender.platform.advance(sending.RESEND_S)
    done = sender.platform.deliver("chain_confirm")
    assert (done.status, done.data["counts"]) == (200, {"finalized": 1, "live": 0})
    market = sender.cluster.account(MarketAccount, sender.market)
    assert market.proposal_likes == 7
