"""What workflows look at again and again does not grow with what is over."""

from datetime import timedelta

import psycopg

from infra.bench.due_markets import add_markets
from infra.local.deliveries import GENESIS_S, of_events
from presage import clock
from presage.chain.events import ConfigUpdated, ProtocolPauseStatusChanged
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

TRADES = 40_000
TRADED = """
insert into chain_events (signature, ordinal, slot, tx_index, block_time, event_type, market,
    wallet, data, received_at)
select n::text, 0, n, 0, %(began)s::timestamptz + n * interval '1 second', 'SharesBought', 'm',
    'maker', '{"outcome": true, "shares": 1, "cost": 1, "new_price_yes": 1}', %(began)s
from generate_series(1, %(trades)s) as n
"""
LOOKED = """
insert into chain_events (signature, ordinal, slot, tx_index, block_time, event_type, market,
    wallet, data, received_at)
values ('observed:' || %(kind)s, 0, %(slot)s, 2147483647, %(at)s, %(kind)s, 'm', 'maker',
    jsonb_build_object('timestamp', extract(epoch from %(at)s::timestamptz)::bigint,
        'state', 'ACTIVE', 'shares_yes', 1000, 'shares_no', 0), %(at)s)
"""
OF_MARKETS = "select project_chain_markets('{m}')"
OF_POSITIONS = """
select project_observed_positions(array(
    select e::chain_events from chain_events as e where e.event_type = 'PositionObserved'))
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


def test_what_an_account_told_is_counted_from_there_on(platform: Platform) -> None:
    """The indexer's lock is held meanwhile, and a market maker trades all day."""
    looked = clock.now() + timedelta(seconds=TRADES - 10)
    looks = ("MarketObserved", "PositionObserved")
    with platform.database.connect() as owner:
        owner.execute(TRADED.encode(), {"trades": TRADES, "began": clock.now()})
        owner.execute("insert into chain_addresses values ('m', gen_random_uuid(), 'at')")
        owner.execute(
            "insert into chain_markets (market, market_id, address, shares_yes)"
            " select market, market_id, address, 7 from chain_addresses"
        )
        owner.execute("insert into chain_positions (market, wallet) values ('m', 'maker')")
        for kind in looks:
            owner.execute(LOOKED.encode(), {"kind": kind, "slot": TRADES - 10, "at": looked})
        owner.execute("vacuum analyze")
        for asked in (OF_MARKETS, OF_POSITIONS):
            row = owner.execute(f"explain (analyze, buffers, format json) {asked}".encode())
            [[[told]]] = row.fetchall()
            assert told["Plan"]["Shared Hit Blocks"] + told["Plan"]["Shared Read Blocks"] < 1_000
        for table in ("chain_markets", "chain_positions"):
            shares = owner.execute(f"select shares_yes from {table}".encode())  # noqa: S608 - ours
            assert shares.fetchall() == [(1_000 + 10,)]


def test_a_pause_of_the_programme_looks_at_no_market(platform: Platform) -> None:
    scans = "select seq_scan + idx_scan from pg_stat_xact_user_tables where relname = 'markets'"
    looked = []
    for event in (
        ProtocolPauseStatusChanged(True, bytes(32), GENESIS_S),  # noqa: FBT003 - the programme's
        ConfigUpdated(300, 200, 500, 7000, 6000, 86_400, 432_000, GENESIS_S),
    ):
        platform.index(of_events(event, name=str(event)))
        with platform.database.connect() as owner, owner.transaction():
            # As when it is indexed, but where the counts of one transaction can be read.
            owner.execute("delete from chain_config where %s", (type(event) is ConfigUpdated,))
            owner.execute("select project_chain_config()")
            looked += owner.execute(scans).fetchall()
    assert looked[0] == (0,)
    assert looked[1] > (0,)


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
