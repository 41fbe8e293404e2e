"""Votes on proposals and disputes: who may, what they weigh, and what they decide."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from presage import clock
from presage.adapters import redis
from presage.votes.aggregation import CHAIN, vote_aggregation
from presage.workflows import runs
from presage.workflows.run import Run
from tests.harness import Answer, Platform, Wallet
from tests.integration.routes.conftest import ADMIN_KEY

DAY = 86_400


@pytest.fixture
def trader(platform: Platform) -> Wallet:
    return platform.sign_in()


def _vote(
    platform: Platform, voter: Wallet, market: str, vote: str = "like", ip: str = "127.0.0.1"
) -> Answer:
    stem = "vote_on_proposal" if vote in {"like", "dislike"} else "vote_on_dispute"
    body = {"marketId": market, "vote": vote}
    return platform.call(stem, token=voter.token, body=body, ip=ip)


def _state(platform: Platform, market: str) -> str:
    return str(platform.call("get_market", market_id=market).data["state"])


def _votes(platform: Platform, market: str) -> Any:
    platform.advance(6)  # past what is kept of the last answer
    return platform.call("get_votes", market_id=market).data


def _many(platform: Platform, market: str, likes: int, dislikes: int) -> None:
    """Votes of wallets that exist in the database only."""
    with platform.database.connect() as owner:
        owner.execute(
            "with wallets as ("
            "  insert into users (id, address, chain, created_at)"
            "  select gen_random_uuid(), 'w' || i || %(market)s, 'solana', now()"
            "  from generate_series(1, %(all)s) as i returning id, address)"
            " insert into votes (id, market_id, user_id, wallet, kind, vote, created_at)"
            " select gen_random_uuid(), %(market)s::uuid, w.id, w.address, 'proposal',"
            "   row_number() over () <= %(likes)s, now() from wallets as w",
            {"market": market, "all": likes + dislikes, "likes": likes},
        )


def _results(platform: Platform, market: str) -> list[tuple[Any, ...]]:
    with platform.database.connect() as owner:
        return owner.execute(
            "select kind, yes::integer, no::integer, percentage_bps, passed"
            " from aggregation_results where market_id = %s order by id",
            (market,),
        ).fetchall()


def test_a_wallet_votes_once(platform: Platform, trader: Wallet) -> None:
    market = platform.proposed_market(trader)
    first = _vote(platform, trader, market)
    assert first.data["voteCount"] == {"likes": 1, "dislikes": 0}
    again = _vote(platform, trader, market)
    assert again.data == first.data
    assert again.headers["idempotent-replayed"] == "true"
    other = _vote(platform, trader, market, "dislike")
    assert (other.status, other.body["code"], other.body["details"]["field"]) == (
        409,
        "CONFLICT",
        "vote",
    )
    second = _vote(platform, platform.sign_in_with_solana(), market, "dislike")
    assert second.data["voteCount"] == {"likes": 1, "dislikes": 1}


def test_ten_tries_and_no_more(platform: Platform, trader: Wallet) -> None:
    market = platform.proposed_market(trader)
    statuses = [_vote(platform, trader, market).status for _ in range(12)]
    assert statuses == [200] * 10 + [429] * 2
    assert _vote(platform, trader, platform.proposed_market(trader)).status == 200


def test_only_proposed_markets_take_likes(
    platform: Platform, admin: Wallet, trader: Wallet
) -> None:
    market = platform.proposed_market(trader)
    platform.call("approve_market", token=admin.token, market_id=market)
    assert _vote(platform, trader, market).body["code"] == "INVALID_STATE"
    assert _vote(platform, trader, market, "support").body["code"] == "INVALID_STATE"
    assert _vote(platform, trader, str(uuid.uuid4())).status == 404


def test_a_hundred_votes_at_once_are_all_counted(platform: Platform, trader: Wallet) -> None:
    market = platform.proposed_market(trader)
    voters = []
    for _ in range(20):
        voters += [platform.sign_in_with_solana() for _ in range(5)]
        platform.advance(61)  # ten sign-ins a minute and address
    with platform.threads(8) as pool:
        answers = list(
            pool.map(
                lambda n: _vote(platform, voters[n], market, ip=f"10.1.0.{n}"), range(len(voters))
            )
        )
    assert {answer.status for answer in answers} == {200}
    assert _votes(platform, market)["proposal"] == {"likes": 100, "dislikes": 0}
    platform.deliver("vote_aggregation")
    assert _state(platform, market) == "APPROVED"
    keys = [f"vote_tally:{market}:proposal:{side}" for side in ("yes", "no")]
    assert redis.flush([("GET", key) for key in keys]) == ["100", "0"]


@pytest.mark.parametrize(
    ("likes", "dislikes", "share_bps", "state"),
    [
        (7, 3, 7_000, "APPROVED"),
        (6, 4, 6_000, "PROPOSED"),
        (9, 0, 10_000, "PROPOSED"),
        (10, 0, 10_000, "APPROVED"),
        (6_999, 3_001, 6_999, "PROPOSED"),
        (7_000, 3_000, 7_000, "APPROVED"),
        (69_999, 30_001, 6_999, "PROPOSED"),
    ],
)
def test_seventy_percent_of_ten(
    platform: Platform, trader: Wallet, likes: int, dislikes: int, share_bps: int, state: str
) -> None:
    market = platform.proposed_market(trader)
    _many(platform, market, likes, dislikes)
    platform.deliver("vote_aggregation")
    assert _state(platform, market) == state
    assert _results(platform, market) == [
        ("proposal", likes, dislikes, share_bps, state == "APPROVED")
    ]
    shown = _votes(platform, market)
    assert (shown["percentageBps"], shown["thresholdBps"], shown["votes"]) == (
        share_bps,
        7_000,
        likes + dislikes,
    )


def test_an_unchanged_tally_is_left_alone(platform: Platform, trader: Wallet) -> None:
    market = platform.proposed_market(trader)
    _vote(platform, trader, market)
    counted = []
    for _ in range(2):
        counted.append(platform.deliver("vote_aggregation").data["counts"]["counted"])
        platform.advance(300)
    _vote(platform, platform.sign_in_with_solana(), market, "dislike")
    counted.append(platform.deliver("vote_aggregation").data["counts"]["counted"])
    assert counted == [1, 0, 1]
    assert _results(platform, market) == [
        ("proposal", 1, 0, 10_000, False),
        ("proposal", 1, 1, 5_000, False),
    ]


def test_a_market_with_no_votes_shows_none(platform: Platform, trader: Wallet) -> None:
    market = platform.proposed_market(trader)
    shown = platform.call("get_votes", market_id=market).data
    assert 0 < shown.pop("timeRemainingSeconds") <= 300
    assert shown == {
        "marketId": market,
        "kind": "proposal",
        "isOpen": True,
        "proposal": {"likes": 0, "dislikes": 0},
        "dispute": None,
        "votes": 0,
        "percentageBps": 0,
        "thresholdBps": 7_000,
        "passed": False,
        "votingEndsAt": None,
    }
    assert platform.call("get_votes", market_id=uuid.uuid4()).status == 404


def test_a_lost_or_wrong_tally_in_redis_is_made_anew(platform: Platform, trader: Wallet) -> None:
    market = platform.proposed_market(trader)
    _vote(platform, trader, market)
    yes, no = (f"vote_tally:{market}:proposal:{side}" for side in ("yes", "no"))
    redis.flush([("DEL", yes), ("SET", no, "7")])
    assert _votes(platform, market)["proposal"] == {"likes": 1, "dislikes": 0}
    assert redis.flush([("GET", yes), ("GET", no)]) == ["1", "0"]


@contextmanager
def _uncountable(platform: Platform, market: str) -> Iterator[None]:
    """Have the count of one market fail."""
    with platform.database.connect() as owner:
        owner.execute(
            "create or replace function refuse() returns trigger language plpgsql as"
            " $$ begin raise exception 'no'; end $$"
        )
        owner.execute(
            "create trigger refuse before insert on aggregation_results for each row"
            f" when (new.market_id = '{market}') execute function refuse()".encode()
        )
    try:
        yield
    finally:
        with platform.database.connect() as owner:
            owner.execute("drop trigger refuse on aggregation_results")


def test_a_failing_count_comes_again_later_and_alone(platform: Platform, trader: Wallet) -> None:
    markets = sorted(platform.proposed_market(trader) for _ in range(2))
    for market in markets:
        _many(platform, market, 10, 0)
    with _uncountable(platform, markets[0]), platform.database.connect() as owner:
        platform.deliver("vote_aggregation")
        waits = owner.execute(
            "select failures, next_attempt_at - %s::timestamptz, leased_until from vote_tallies"
            " where market_id = %s",
            (platform.as_zone("worker").now, markets[0]),
        ).fetchone()
        assert waits is not None
        assert (waits[0], round(waits[1].total_seconds()), waits[2]) == (1, 300, None)
    assert [_state(platform, market) for market in markets] == ["PROPOSED", "APPROVED"]
    platform.advance(600)
    platform.deliver("vote_aggregation")
    platform.advance(60)
    assert _state(platform, markets[0]) == "APPROVED"


def _letter(platform: Platform) -> Any:
    with platform.database.connect() as owner:
        return owner.execute("select status, failures, retries from dead_letters").fetchone()


def test_seconds_between_two_runs_settle_no_dead_letter(platform: Platform, trader: Wallet) -> None:
    """A letter's minute is a whole one: the run which takes it may be earlier in its own."""
    market = platform.proposed_market(trader)
    _many(platform, market, 10, 0)
    start = clock.now_ms() // 300_000 * 300_000 + 300_000
    seen = []
    with _uncountable(platform, market):
        for minutes, seconds in ((0, 9), (5, 3), (15, 1), (35, 0)):
            platform.set_clock(start + minutes * 60_000 + seconds * 1_000)
            assert platform.deliver("vote_aggregation").status == 200
            seen.append(_letter(platform))
    retried = [("pending", 1, 0), ("pending", 2, 1), ("pending", 3, 2)]
    assert seen == [*retried, ("manual_review", 4, 3)]


def test_a_dead_letter_that_an_admin_retries_is_tried(
    platform: Platform, trader: Wallet, admin: Wallet
) -> None:
    market = platform.proposed_market(trader)
    _many(platform, market, 10, 0)
    with _uncountable(platform, market):
        for _ in range(2):  # the second puts it off for ten minutes
            platform.deliver("vote_aggregation")
            platform.advance(300)
        [letter] = platform.call("list_dead_letters", token=admin.token).data
        platform.call("retry_dead_letter", token=admin.token, letter_id=letter["id"])
        platform.deliver("vote_aggregation")
        assert _letter(platform) == ("pending", 3, 1)
        platform.advance(300)
        platform.call("retry_dead_letter", token=admin.token, letter_id=letter["id"])
    platform.deliver("vote_aggregation")
    assert (_letter(platform)[0], _state(platform, market)) == ("resolved", "APPROVED")


@dataclass(kw_only=True)
class Hurried(Run):
    """A run whose time is up after so many looks at it."""

    looks: int

    @property
    def out_of_time(self) -> bool:
        """Whether that was the last."""
        self.looks -= 1
        return self.looks < 0


@pytest.mark.parametrize("is_late", [False, True])
def test_what_a_slice_does_not_come_to_is_left_for_another(
    platform: Platform, trader: Wallet, *, is_late: bool
) -> None:
    markets = sorted(platform.proposed_market(trader) for _ in range(2))
    for market in markets:
        _many(platform, market, 10, 0)
    platform.dead_letter("vote_aggregation", markets[1])
    platform.advance(301)

    def aggregate(looks: int) -> tuple[Any, int]:
        now = clock.now()
        run = Hurried(
            id=uuid.uuid4(),
            name="vote_aggregation",
            slot=now - CHAIN if is_late else now - timedelta(minutes=1),
            call=platform.as_zone("worker"),
            looks=looks,
        )
        outcome = vote_aggregation(run)
        runs.finish(run, outcome)
        return outcome.next_cursor, outcome.counts["counted"]

    def letter() -> Any:
        with platform.database.connect() as owner:
            return owner.execute("select status from dead_letters").fetchone()

    # The second market's turn does not come: it is no answer that the page was short.
    assert aggregate(2) == (None if is_late else {"after": markets[0]}, 1)
    assert letter() == ("pending",)
    assert aggregate(9) == (None, 1)
    assert letter() == ("resolved",)
    assert [_state(platform, market) for market in markets] == ["APPROVED"] * 2


def _disputed(
    platform: Platform, admin: Wallet, lots: dict[str, tuple[int, int]]
) -> tuple[str, dict[str, Wallet]]:
    """A disputed market whose holders have these shares (YES, NO), and the holders by name."""
    holders = {name: platform.sign_in() for name in lots}
    maker = platform.sign_in()
    for wallet in (*holders.values(), maker):
        platform.fund(wallet, 1_000_000_000)
    market = platform.active_market(admin, maker)
    for name, (yes, no) in lots.items():
        for outcome, size in (("YES", yes), ("NO", no)):
            if size:
                against = "NO" if outcome == "YES" else "YES"
                platform.order(maker, market, side="BUY", outcome=against, price=0.5, size=size)
                platform.order(
                    holders[name], market, side="BUY", outcome=outcome, price=0.5, size=size
                )
    platform.advance(DAY)
    platform.call("resolve_market", token=admin.token, market_id=market, body={"outcome": "NO"})
    assert platform.dispute(next(iter(holders.values())), market).status == 201
    return market, holders


def test_a_vote_weighs_what_was_held_when_the_dispute_began(
    platform: Platform, admin: Wallet
) -> None:
    market, holders = _disputed(platform, admin, {"a": (30, 0), "b": (5, 25), "even": (10, 10)})
    counted = _vote(platform, holders["a"], market, "support").data["voteCount"]
    assert counted == {"support": "3000", "reject": "0"}
    counted = _vote(platform, holders["b"], market, "reject").data["voteCount"]
    assert counted == {"support": "3000", "reject": "2000"}
    assert _vote(platform, holders["even"], market, "support").status == 403
    assert _vote(platform, platform.sign_in(), market, "support").status == 403
    assert _votes(platform, market)["percentageBps"] == 6_000


@pytest.mark.parametrize(
    ("support", "reject", "state"),
    [(60, 40, "DISPUTED"), (59, 40, "FINALIZED"), (0, 50, "FINALIZED"), (0, 0, "FINALIZED")],
)
def test_sixty_percent_by_weight_puts_a_dispute_before_an_admin(
    platform: Platform, admin: Wallet, support: int, reject: int, state: str
) -> None:
    market, holders = _disputed(
        platform, admin, {"for": (support or 10, 0), "against": (0, reject or 10)}
    )
    if support:
        _vote(platform, holders["for"], market, "support")
    if reject:
        _vote(platform, holders["against"], market, "reject")
    platform.deliver("vote_aggregation")
    platform.advance(3 * DAY - 60)
    platform.deliver("market_monitor")
    assert _state(platform, market) == "DISPUTED"  # nothing before the three days are over
    for _ in range(2):
        platform.advance(60)
        platform.deliver("market_monitor")
    platform.advance(60)
    assert _state(platform, market) == state
    with platform.database.connect() as owner:
        asked = owner.execute(
            "select count(*) from escalations where subject = %s", (f"dispute:{market}",)
        ).fetchone()
        bond = owner.execute(
            "select is_upheld from market_disputes where market_id = %s", (market,)
        ).fetchone()
        faults = owner.execute("select * from presage_audit()").fetchall()
    assert asked == (1 if state == "DISPUTED" else 0,)
    assert bond == (None if state == "DISPUTED" else False,)
    assert faults == []
    if state == "DISPUTED":
        body = {"upheld": True, "outcome": "YES", "reason": "The holders are right."}
        decided = platform.call("decide_dispute", token=admin.token, market_id=market, body=body)
        assert decided.data["state"] == "FINALIZED"
        assert _asked(platform) == [("resolved", "The holders are right.", admin.user_id)]


def _asked(platform: Platform) -> list[tuple[Any, ...]]:
    with platform.database.connect() as owner:
        return owner.execute("select status, resolution, resolved_by from escalations").fetchall()


def test_an_answer_that_decides_nothing_is_told(platform: Platform, admin: Wallet) -> None:
    market, holders = _disputed(platform, admin, {"for": (60, 0), "against": (0, 40)})
    _vote(platform, holders["for"], market, "support")
    platform.advance(3 * DAY)
    platform.deliver("market_monitor")

    def alerts() -> list[tuple[Any, ...]]:
        platform.advance(11 * 60)
        assert platform.deliver("market_monitor").status == 200
        with platform.database.connect() as owner:
            return owner.execute("select type from ops_alerts").fetchall()

    assert alerts() == []  # somebody is asked
    admin = platform.sign_in(ADMIN_KEY)
    [asked] = platform.call("list_escalations", token=admin.token).data
    body = {"resolution": "I will look at it."}
    platform.call("resolve_escalation", token=admin.token, body=body, escalation_id=asked["id"])
    assert alerts() == [("transition_overdue",)]
    assert _state(platform, market) == "DISPUTED"


def test_votes_end_with_the_three_days_and_not_with_the_monitor(
    platform: Platform, admin: Wallet
) -> None:
    market, holders = _disputed(platform, admin, {"early": (0, 50), "late": (50, 0)})
    platform.advance(3 * DAY - 1)
    assert _vote(platform, holders["early"], market, "reject").status == 200
    assert platform.call("get_votes", market_id=market).data["isOpen"] is True
    platform.advance(1)
    late = _vote(platform, holders["late"], market, "support")
    assert (late.status, late.body["details"]["field"]) == (409, "dueAt")
    with platform.database.connect() as owner:  # one that came in nevertheless does not count
        owner.execute(
            "insert into votes (id, market_id, user_id, wallet, kind, vote, created_at)"
            " select gen_random_uuid(), m.id, %s, %s, 'dispute', true, m.due_at"
            " from markets as m where m.id = %s",
            (holders["late"].user_id, holders["late"].address, market),
        )
    shown = _votes(platform, market)
    assert shown["dispute"] == {"support": "0", "reject": "5000"}
    assert (shown["isOpen"], shown["timeRemainingSeconds"]) == (False, None)
    platform.deliver("market_monitor")
    platform.advance(60)
    assert _state(platform, market) == "FINALIZED"
    assert _votes(platform, market)["votes"] == 1
