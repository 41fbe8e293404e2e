"""What workflows look at again and again does not grow with what is over."""

from datetime import timedelta

import psycopg

from infra.bench.due_markets import add_markets
from presage import clock
from tests.harness import Platform
from tests.plans import nodes, plan, scanned

MARKETS, DUE = 5_000, 50
TRANSACTIONS = """
insert into chain_transactions (id, purpose, market_id, signature, raw, last_valid_block_height,
    status, next_attempt_at, created_at, updated_at)
select gen_random_uuid(), 'finalize_market', m.id, m.id::text, '', 1, 'finalized', %(at)s, %(at)s,
    %(at)s
from markets as m
"""
ON_CHAIN = """
with moved as (
    update markets set venue = 'solana' where slug like 'due-%%' returning id
)
insert into chain_markets (market, market_id, address) select id::text, id, id::text from moved
"""


def _fill(owner: psycopg.Connection) -> None:
    """Markets on Solana that are due again, among many that were sent and are final."""
    add_markets(owner, MARKETS, DUE, clock.now())
    owner.execute(ON_CHAIN.encode(), {})
    owner.execute(TRANSACTIONS.encode(), {"at": clock.now() - timedelta(days=1)})
    owner.execute("update markets set settled_at = null where venue = 'solana'")
    owner.execute("vacuum analyze")


def test_a_look_reads_what_is_under_way_only(platform: Platform) -> None:
    with platform.database.connect() as owner:
        _fill(owner)
    told = {"now": clock.now() + timedelta(seconds=30), "limit": 100}
    with platform.database.connect("presage_worker") as worker:
        due = plan(worker, "chain", "list_due_on_chain", told)
        assert (due["Actual Rows"], "chain_transactions" in scanned(due)) == (DUE, False)
        unsettled = plan(worker, "markets", "list_unsettled_markets", told)
        assert unsettled["Actual Rows"] == 0
        assert sum(node.get("Rows Removed by Filter", 0) for node in nodes(unsettled)) == 0


def test_a_market_without_a_new_vote_is_not_counted(platform: Platform) -> None:
    creator = platform.sign_in()
    markets = [platform.proposed_market(creator) for _ in range(4)]

    def vote(market: str) -> None:
        voter = platform.sign_in_with_solana()
        body = {"marketId": market, "vote": "like"}
        assert platform.call("vote_on_proposal", token=voter.token, body=body).status == 200

    def counted() -> int:
        told = {"now": clock.now(), "limit": 100, "after": None, "authority": None}
        with platform.database.connect("presage_worker") as worker:
            root = plan(worker, "votes", "list_open_votes", told)
        [tally] = [n for n in nodes(root) if n.get("Function Name") == "market_tally"]
        return int(tally["Actual Loops"])

    for market in markets:
        vote(market)
    assert counted() == 4
    platform.advance(6)
    platform.deliver("vote_aggregation")
    platform.advance(300)
    assert counted() == 0
    vote(markets[0])
    assert counted() == 1
    assert platform.deliver("vote_aggregation").data["counts"]["counted"] == 1


def test_what_was_signed_goes_after_ninety_days(platform: Platform) -> None:
    with platform.database.connect() as owner:
        for days, status in ((91, "finalized"), (91, "sent"), (89, "expired")):
            owner.execute(
                "insert into chain_transactions (id, purpose, signature, raw, status, attempts,"
                "  last_valid_block_height, next_attempt_at, created_at, updated_at)"
                " values (gen_random_uuid(), %(status)s, %(status)s, '', %(status)s, 1, 1,"
                "  %(at)s, %(at)s, %(at)s)",
                {"status": status, "at": clock.now() - timedelta(days=days)},
            )
        assert platform.deliver("cleanup").data["counts"]["clean_chain_transactions"] == 1
        left = owner.execute("select status from chain_transactions order by status").fetchall()
    assert left == [("expired",), ("sent",)]
