"""What votes lead to on chain: tallies, approvals, final outcomes; each once, none too early."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from presage import clock
from presage.adapters import breaker, redis, solana_rpc
from presage.chain import programme, readiness
from presage.votes.aggregation import vote_aggregation
from presage.workflows.run import Outcome, Run
from tests.integration.routes.chain_poll import (
    APPROVAL,
    DAY,
    FINAL,
    LATE,
    SLOT,
    TALLY,
    Poll,
    days_are_over,
    disputed,
)


def test_a_changed_tally_is_told_once(poll: Poll) -> None:
    poll.cast(3, 1)
    poll.count()
    assert poll.sent() == [(TALLY, "sent")]
    poll.count()  # under way
    poll.land()
    for _ in range(4):
        poll.count()  # unchanged, for over a quarter of an hour
    assert poll.sent() == [(TALLY, "finalized")]
    account = poll.account()
    assert (account.proposal_likes, account.proposal_dislikes) == (3, 1)
    poll.cast(0, 1)
    poll.count()
    poll.land()
    assert poll.sent() == [(TALLY, "finalized")] * 2
    assert poll.account().proposal_dislikes == 2
    assert poll.results() == [(3, 1, 7_500, False, TALLY, True), (3, 2, 6_000, False, TALLY, True)]


@pytest.mark.parametrize(
    ("likes", "dislikes", "share_bps", "state"),
    [
        (7, 3, 7_000, "APPROVED"),
        (6, 4, 6_000, "PROPOSED"),
        (9, 0, 10_000, "PROPOSED"),
        (10, 0, 10_000, "APPROVED"),
        (6_999, 3_001, 6_999, "PROPOSED"),
        (7_000, 3_000, 7_000, "APPROVED"),
    ],
)
def test_seventy_percent_of_ten_are_approved_on_chain(
    poll: Poll, likes: int, dislikes: int, share_bps: int, state: str
) -> None:
    poll.cast(likes, dislikes)
    poll.count()
    assert poll.state() == "PROPOSED"
    poll.land()
    assert poll.account().state == programme.MarketState.PROPOSED
    for _ in range(2):
        poll.count()
        poll.land()
    assert poll.state() == state
    approved = state == "APPROVED"
    assert poll.sent() == [(TALLY, "finalized")] + [(APPROVAL, "finalized")] * approved
    assert {result[2:4] for result in poll.results()} == {(share_bps, approved)}


def test_only_the_programmes_admin_approves(poll: Poll) -> None:
    poll.cast(10, 0)
    poll.count()
    poll.land()
    [(admin,)] = poll.select("select admin from chain_config where %s::uuid is not null")
    poll.execute("update chain_config set admin = 'somebody else'")
    poll.count()
    assert poll.sent() == [(TALLY, "finalized")]
    poll.execute("update chain_config set admin = %s", admin)
    poll.count()
    poll.land()
    assert (poll.sent()[1:], poll.state()) == ([(APPROVAL, "finalized")], "APPROVED")


@pytest.mark.parametrize("setting", readiness.NEEDED)
def test_without_a_key_votes_are_counted_and_nothing_is_sent(
    poll: Poll, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll.cast(10, 0)
    with monkeypatch.context() as patch:
        patch.setenv(setting, "")
        for _ in range(3):
            poll.count()
    assert poll.sent() == []
    assert poll.results() == [(10, 0, 10_000, True, None, False)]
    assert poll.select("select error from dead_letters where item = %s::text") == []
    poll.count()
    assert poll.sent() == [(TALLY, "sent")]


def test_a_key_that_is_none_fails_only_what_it_would_sign(
    poll: Poll, monkeypatch: pytest.MonkeyPatch
) -> None:
    native = uuid.UUID(poll.platform.proposed_market(poll.platform.sign_in()))
    here = replace(poll, market_id=native)
    for one in (poll, here):
        one.cast(10, 0)
    with monkeypatch.context() as patch:
        patch.setenv("SOLANA_AUTHORITY_KEY", "no key")
        poll.count()
    failed = [("vote_aggregation", str(poll.market_id), "pending")]
    letters = "select workflow, item, status from dead_letters where %s::uuid is not null"
    assert (here.state(), poll.select(letters)) == ("APPROVED", failed)
    poll.count()
    poll.land()
    assert poll.sent() == [(TALLY, "finalized")]
    poll.platform.dead_letter("vote_aggregation", str(poll.market_id))
    with monkeypatch.context() as patch:  # now it is the approval that waits
        patch.setenv("SOLANA_AUTHORITY_KEY", "no key")
        poll.count()
    assert poll.select(letters) == failed


@pytest.mark.parametrize("setting", readiness.NEEDED)
def test_without_a_key_a_due_market_waits(
    poll: Poll, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    disputed(poll, (60, 40))
    days_are_over(poll)
    before = poll.sent()
    letters = "select status from dead_letters where item = %s::text"
    with monkeypatch.context() as patch:
        patch.setenv(setting, "")
        for _ in range(2):
            poll.monitor()
        assert (poll.sent(), poll.select(letters)) == (before, [])
        poll.platform.dead_letter("market_monitor", str(poll.market_id))
        poll.monitor(after_s=300)
    assert (poll.sent(), poll.select(letters)) == (before, [("pending",)])
    poll.monitor()
    assert poll.sent() == [*before, (FINAL, "sent")]
    assert poll.select(letters) == [("resolved",)]


def _vote_there(poll: Poll, wallet: Keypair, market: Pubkey, *, vote: bool) -> None:
    """A vote on chain."""
    record = programme.vote_address(market, wallet.pubkey(), programme.VoteType.PROPOSAL)
    keys = {"market": market, "vote_record": record, "user": wallet.pubkey()}
    poll.cluster.run("submit_proposal_vote", wallet, keys, vote=vote)


def test_a_vote_on_chain_takes_the_place_of_one_here(poll: Poll) -> None:
    key = poll.cluster.wallet()
    voter = poll.platform.sign_in_with_solana(key)
    body = {"marketId": str(poll.market_id), "vote": "like"}
    cast = poll.platform.call("vote_on_proposal", token=voter.token, body=body)
    assert cast.data["voteCount"] == {"likes": 1, "dislikes": 0}
    for wallet, vote in ((key, False), (poll.cluster.wallet(), True)):
        _vote_there(poll, wallet, poll.market, vote=vote)
    poll.hear()
    poll.platform.advance(6)
    shown = poll.platform.call("get_votes", market_id=poll.market_id).data
    assert (shown["proposal"], shown["votes"]) == ({"likes": 1, "dislikes": 1}, 2)
    poll.count()
    account = poll.account()
    assert (account.proposal_likes, account.proposal_dislikes) == (1, 1)


@pytest.mark.parametrize(
    ("weights", "agree", "outcome"),
    [
        ((60, 40), 6_000, True),
        ((59_999, 40_001), 5_999, False),
        ((3 * 2**66, 2**66), 7_500, True),
        ((2, 2**66), 0, False),
        ((2**66, 2), 9_999, True),
    ],
)
def test_a_dispute_is_sent_once_and_not_before_three_days(
    poll: Poll, weights: tuple[int, int], agree: int, outcome: bool
) -> None:
    disputed(poll, weights)
    before = poll.sent()
    poll.platform.set_clock(poll.account().dispute_initiated_at * 1_000)
    for _ in range(3):
        poll.platform.advance(DAY - SLOT - 120)
        poll.count()
        poll.monitor()
    poll.monitor(after_s=180 + LATE - 1)  # over, but votes may be on their way
    assert (poll.sent(), poll.state()) == (before, "DISPUTED")
    poll.monitor(after_s=1)
    poll.monitor()  # landed, and not heard of yet
    assert poll.sent() == [*before, (FINAL, "sent")]
    poll.land()
    poll.monitor()
    account = poll.account()
    assert (account.dispute_agree, account.dispute_disagree) == (agree, 10_000 - agree)
    assert (account.final_outcome, poll.state()) == (outcome, "FINALIZED")
    assert poll.sent() == [*before, (FINAL, "finalized")]
    sent = [(*result[2:4], result[5]) for result in poll.results() if result[4] == FINAL]
    assert sent == [(agree, agree >= 6_000, True)]


def _waits(poll: Poll) -> tuple[int, int | None]:
    """How often the count has failed, and in how many seconds it comes again."""
    [(failures, next_at)] = poll.select(
        "select failures, next_attempt_at from vote_tallies where market_id = %s"
    )
    return failures, round((next_at - clock.now()).total_seconds()) if next_at else None


def _close_breaker() -> None:
    """As if the breaker's five minutes were over: Redis keeps its own time."""
    redis.flush([("DEL", breaker.open_key(solana_rpc.NAME))])


def test_a_long_outage_is_over_when_it_is_over(poll: Poll, monkeypatch: pytest.MonkeyPatch) -> None:
    """5, 10, then every 20 minutes; however long it takes, nobody has to help."""
    monkeypatch.setattr(solana_rpc, "BACKOFF_S", 0.0)
    poll.cast(10, 0)
    poll.cluster.control("faults", status=503)
    for number, minutes in enumerate((5, 10, 20, 20, 20), start=1):
        poll.count()
        assert _waits(poll) == (number, minutes * 60)
        poll.platform.advance(60 * minutes - SLOT - 1)
        poll.platform.deliver("vote_aggregation")
        assert _waits(poll) == (number, SLOT + 1)
        poll.platform.advance(1)
    assert poll.sent() == []
    assert poll.select("select item from dead_letters where item = %s::text") == []
    poll.cluster.control("faults")
    _close_breaker()
    poll.count()
    assert poll.sent() == [(TALLY, "sent")]
    assert _waits(poll) == (0, None)


def _another(poll: Poll) -> Poll:
    """One more market on chain, of the same creator."""
    market_id = uuid.uuid4()
    there = programme.chain_market_id(market_id)
    market = poll.cluster.create_market(poll.creator, market_id=there)
    poll.hear()
    return replace(poll, market_id=market_id, market=market)


def test_a_node_that_is_left_alone_is_found_so_once(poll: Poll) -> None:
    """The other proposals on Solana wait, as they are, and native votes are counted."""
    there = [poll, _another(poll), _another(poll)]
    native = uuid.UUID(poll.platform.proposed_market(poll.platform.sign_in()))
    here = replace(poll, market_id=native)
    for one in (*there, here):
        one.cast(10, 0)
        if one is not here:
            poll.platform.dead_letter("vote_aggregation", str(one.market_id))
    redis.flush([("SET", breaker.open_key(solana_rpc.NAME), 1)])
    poll.count()
    claimed = "select market_id from vote_tallies where market_id <> %s"
    assert (len(here.select(claimed)), here.state()) == (1, "APPROVED")
    assert poll.select("select count from ops_alerts where %s::uuid is not null") == [(1,)]
    letters = "select status from dead_letters where item = %s::text"
    assert [one.select(letters) for one in there] == [[("pending",)]] * 3
    _close_breaker()
    poll.count()
    assert [one.sent() for one in there] == [[(TALLY, "sent")]] * 3


def test_an_outage_does_not_keep_a_due_market(poll: Poll, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solana_rpc, "BACKOFF_S", 0.0)
    disputed(poll, (60, 40))
    before = poll.sent()
    poll.platform.advance(3 * DAY)
    poll.cluster.control("faults", status=503)
    for _ in range(8):
        poll.monitor(after_s=20 * 60)
    assert poll.sent() == before
    assert poll.select("select item from dead_letters where item = %s::text") == []
    poll.cluster.control("faults")
    _close_breaker()
    poll.monitor()
    assert poll.sent() == [*before, (FINAL, "sent")]


@pytest.mark.parametrize("minutes", [5, 20])
@pytest.mark.parametrize("workflow", ["vote_aggregation", "market_monitor"])
def test_an_outage_settles_no_dead_letter(
    poll: Poll, workflow: str, minutes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither while the node fails nor while it is left alone; what is done then, does."""
    monkeypatch.setattr(solana_rpc, "BACKOFF_S", 0.0)
    if workflow == "vote_aggregation":
        poll.cast(10, 0)
    else:
        disputed(poll, (60, 40))
        poll.platform.advance(3 * DAY)
    before = poll.sent()
    poll.platform.dead_letter(workflow, str(poll.market_id))

    def run() -> list[tuple[str]]:
        poll.platform.advance(minutes * 60)
        assert poll.platform.deliver(workflow).status == 200
        return poll.select("select status from dead_letters where item = %s::text")

    poll.cluster.control("faults", status=503)
    assert [run() for _ in range(4)] == [[("pending",)]] * 4
    poll.cluster.control("faults")
    _close_breaker()
    assert run() == [("resolved",)]
    assert len(poll.sent()) == len(before) + 1


def test_a_tally_that_never_landed_is_sent_again(poll: Poll) -> None:
    poll.cast(5, 5)
    poll.cluster.control("faults", drop=-1)
    poll.count()
    poll.cluster.advance_slots(151)
    poll.land()
    assert poll.sent() == [(TALLY, "expired")]
    poll.cluster.control("faults")
    for _ in range(3):
        poll.count()
    assert poll.sent() == [(TALLY, "expired"), (TALLY, "sent")]
    assert poll.account().proposal_likes == 5


@pytest.mark.parametrize("purpose", [TALLY, FINAL])
def test_a_result_is_kept_with_what_was_signed(poll: Poll, purpose: str) -> None:
    """Whoever signs and then dies has left both; whoever comes after it adds nothing."""
    if purpose == TALLY:
        poll.cast(3, 1)
    else:
        disputed(poll, (60, 40))
        days_are_over(poll)
    before, results = poll.sent(), poll.results()
    poll.execute(
        "create function refuse() returns trigger language plpgsql as"
        " $$ begin raise exception 'no'; end $$"
    )
    poll.execute(
        "create trigger refuse before update on chain_transactions for each row"
        " execute function refuse()"
    )
    try:
        poll.count() if purpose == TALLY else poll.monitor()
    finally:
        poll.execute("drop function refuse() cascade")
    assert poll.sent() == [*before, (purpose, "built")]
    votes = (3, 1, 7_500, False) if purpose == TALLY else (60, 40, 6_000, True)
    assert poll.results() == [*results, (*votes, purpose, True)]
    poll.land()
    poll.platform.advance(20 * 60)
    poll.count()
    poll.monitor()
    assert poll.sent() == [*before, (purpose, "finalized")]
    assert [one for one in poll.results() if one[4]] == [
        *[one for one in results if one[4]],
        (*votes, purpose, True),
    ]


def _run(poll: Poll) -> tuple[Run, Outcome]:
    """A run outside any slot: two may work at once."""
    call = poll.platform.as_zone("worker")
    run = Run(id=uuid.uuid4(), name="vote_aggregation", slot=call.now, call=call)
    return run, vote_aggregation(run)


def test_a_vote_waits_for_one_count(poll: Poll, capsys: pytest.CaptureFixture[str]) -> None:
    """One that is cast while a run is on its way, and counted by it, is not late in the next."""
    call = poll.platform.as_zone("worker")
    poll.platform.advance(5)
    poll.cast(3, 1)
    vote_aggregation(Run(id=uuid.uuid4(), name="vote_aggregation", slot=call.now, call=call))
    assert '"VoteLatency":[0.0]' in capsys.readouterr().out
    poll.land()
    poll.platform.advance(SLOT)
    poll.cast(1, 0)
    capsys.readouterr()
    poll.count(after_s=10)
    assert '"VoteLatency":[10000.0]' in capsys.readouterr().out


def test_two_runs_at_once_send_once(poll: Poll) -> None:
    poll.cast(4, 1)
    poll.cluster.control("faults", slow_s=0.05)
    with poll.platform.threads(2) as pool:
        outcomes = [one for _, one in pool.map(lambda _: _run(poll), range(2))]
    assert sorted((one.counts["sent"], one.counts["busy"]) for one in outcomes) == [(0, 1), (1, 0)]
    assert poll.sent() == [(TALLY, "sent")]
    assert len(poll.results()) == 1


def test_who_lost_its_lease_cannot_write(poll: Poll) -> None:
    """A run that hangs is taken for dead; when it comes back, the other one's word stands."""
    poll.cast(4, 1)
    poll.cluster.control("faults", slow_s=0.2)
    with ThreadPoolExecutor(1) as pool:

        def hang() -> Run:
            try:
                return _run(poll)[0]
            finally:
                poll.platform.close()

        hung = pool.submit(hang)
        deadline = time.monotonic() + 5
        while not poll.select("select fence from vote_tallies where market_id = %s"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        poll.platform.advance(61)
        run, outcome = _run(poll)
        late = hung.result()
    assert (run.failures, outcome.counts["counted"]) == ({}, 1)
    assert [error.split(":")[0] for error in late.failures.values()] == ["ConflictError"]
    assert len(poll.sent()) == len(poll.results()) == 1
    [(fence, failures)] = poll.select(
        "select fence, failures from vote_tallies where market_id = %s"
    )
    assert (fence, failures) == (2, 0)


def test_a_native_market_is_not_the_chains(poll: Poll) -> None:
    """Somebody gives a market on chain the id of one of ours, and wallets vote it down there."""
    native = poll.platform.proposed_market(poll.platform.sign_in())
    there = poll.cluster.create_market(
        poll.creator, market_id=programme.chain_market_id(uuid.UUID(native))
    )
    for _ in range(3):
        _vote_there(poll, poll.cluster.wallet(), there, vote=False)
    poll.hear()
    ours = Poll(poll.platform, poll.cluster, poll.receiver, poll.creator, uuid.UUID(native), there)
    ours.cast(9, 1)
    shown = poll.platform.call("get_votes", market_id=native).data
    assert shown["proposal"] == {"likes": 9, "dislikes": 1}
    ours.count()
    assert (ours.state(), ours.sent()) == ("APPROVED", [])
    [place] = ours.select("select venue, chain_address from markets where id = %s")
    assert place == ("native", None)
    assert ours.account().proposal_total_votes == 0
