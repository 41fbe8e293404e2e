"""Disputes on Solana that votes do not end by themselves: late votes, and none at all."""

from typing import Any

import pytest
from solders.keypair import Keypair

from presage.chain import programme
from tests.harness import Answer, Wallet
from tests.integration.routes.chain_poll import (
    FINAL,
    LATE,
    Poll,
    days_are_over,
    disputed,
    unvoted,
)
from tests.integration.routes.conftest import ADMIN_KEY


def _vote_there(poll: Poll, holder: Keypair, *, vote: bool) -> None:
    """A vote on chain, which is heard of later."""
    record = programme.vote_address(poll.market, holder.pubkey(), programme.VoteType.DISPUTE)
    keys = {"market": poll.market, "vote_record": record, "user": holder.pubkey()}
    poll.cluster.run("submit_dispute_vote", holder, keys, vote=vote)


def _asked(poll: Poll) -> list[tuple[Any, ...]]:
    return poll.select("select status, resolution from escalations where market_id = %s")


def _decide(poll: Poll, admin: Wallet, **body: Any) -> Answer:
    return poll.platform.call(
        "decide_dispute", token=admin.token, market_id=poll.market_id, body=body
    )


@pytest.fixture
def admin(poll: Poll) -> Wallet:
    return poll.platform.sign_in(ADMIN_KEY)


def test_votes_that_are_indexed_late_still_end_it(poll: Poll) -> None:
    """The webhook was down when the days were over; a human was asked, and need not answer."""
    holder, _ = unvoted(poll)
    before = poll.sent()
    _vote_there(poll, holder, vote=True)
    days_are_over(poll)
    for _ in range(2):
        poll.monitor()
    assert (poll.sent(), _asked(poll)) == (before, [("open", None)])
    poll.hear()
    poll.monitor()
    assert poll.sent() == [*before, (FINAL, "sent")]
    poll.land()
    assert (poll.account().dispute_agree, poll.state()) == (10_000, "FINALIZED")
    assert _asked(poll) == [("resolved", "The chain says so.")]


def test_votes_that_are_indexed_late_count_beside_others(poll: Poll) -> None:
    """The webhook failed just before the end, and Helius tells again some minutes later."""
    holder, other = unvoted(poll)
    wallet = poll.platform.sign_in_with_solana(other)
    body = {"marketId": str(poll.market_id), "vote": "reject"}
    assert poll.platform.call("vote_on_dispute", token=wallet.token, body=body).status == 200
    _vote_there(poll, holder, vote=True)
    before = poll.sent()
    days_are_over(poll)
    poll.platform.advance(-LATE)
    for _ in range(4):
        poll.monitor()
    assert poll.sent() == before
    poll.hear()
    poll.monitor()
    assert poll.sent() == [*before, (FINAL, "sent")]
    assert 0 < poll.account().dispute_agree < 10_000


@pytest.mark.parametrize(
    ("body", "agree"),
    [({"upheld": True, "outcome": "YES"}, 10_000), ({"upheld": False}, 0)],
    ids=["upheld", "refused"],
)
def test_an_admin_decides_where_nobody_voted(poll: Poll, body: dict[str, Any], agree: int) -> None:
    unvoted(poll)
    before = poll.sent()
    days_are_over(poll)
    poll.monitor()
    admin = poll.platform.sign_in(ADMIN_KEY)
    decided = _decide(poll, admin, reason="The video shows it.", **body)
    assert (decided.status, decided.data["state"], decided.data["bond"]) == (200, "DISPUTED", 0)
    assert _asked(poll) == [("resolved", "The video shows it.")]
    assert _decide(poll, admin, **body).body["code"] == "INVALID_STATE"
    for _ in range(2):
        poll.monitor()
    assert poll.sent() == [*before, (FINAL, "sent")]
    poll.land()
    account = poll.account()
    assert (account.dispute_agree, account.dispute_disagree) == (agree, 10_000 - agree)
    assert [one for one in poll.results() if one[4] == FINAL] == []  # no votes were counted
    assert (account.final_outcome, poll.state()) == (agree > 0, "FINALIZED")
    log = poll.select(
        "select changes ->> 'is_upheld', changes ->> 'reason' from audit_log"
        " where action = 'decide_dispute' and resource_id = %s::text"
    )
    assert log == [(str(agree > 0).lower(), "The video shows it.")]


def test_nobody_decides_what_votes_decide(poll: Poll, admin: Wallet) -> None:
    disputed(poll, (60, 40))
    early = _decide(poll, admin, upheld=False)
    assert (early.body["code"], early.body["details"]["field"]) == ("INVALID_STATE", "dueAt")
    days_are_over(poll)
    admin = poll.platform.sign_in(ADMIN_KEY)
    refused = _decide(poll, admin, upheld=False)
    assert (refused.status, refused.body["code"]) == (409, "INVALID_STATE")
    assert "votes" in refused.body["error"]


def test_the_programme_only_turns_an_outcome_round(poll: Poll) -> None:
    unvoted(poll)
    days_are_over(poll)
    admin = poll.platform.sign_in(ADMIN_KEY)
    for outcome in ("VOID", "NO"):
        wrong = _decide(poll, admin, upheld=True, outcome=outcome)
        assert (wrong.status, wrong.body["code"]) == (400, "VALIDATION_FAILED")


def test_a_vote_on_chain_after_the_days_does_not_count(poll: Poll) -> None:
    """The programme takes votes until it is told of the end; the one cast here in time stands."""
    supporter, _ = disputed(poll, (60, 40))
    days_are_over(poll)
    before = poll.sent()
    _vote_there(poll, supporter, vote=False)
    poll.hear()
    poll.monitor()
    assert poll.sent() == [*before, (FINAL, "sent")]
    poll.land()
    # Indexing weighs anew: the holder of YES bought the larger part of what is held.
    assert poll.account().dispute_agree > 5_000


def test_a_move_counts_when_the_chain_has_it_for_good(
    poll: Poll, capsys: pytest.CaptureFixture[str]
) -> None:
    disputed(poll, (60, 40))
    days_are_over(poll)
    poll.monitor()
    assert '"Transitions":[1' not in capsys.readouterr().out
    poll.land()
    assert '"Transitions":[1' in capsys.readouterr().out
    poll.monitor()
    assert '"Transitions":[1' not in capsys.readouterr().out
