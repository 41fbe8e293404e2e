"""Lists and figures at size: complete, counted, and read by index instead of from the first row."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from presage import clock
from presage.db.queries import Queries
from tests.conftest import Database
from tests.harness import Platform, Wallet

DOMAINS = Path(__file__).resolve().parents[3] / "shared/presage"
SORTS = ["volume", "liquidity", "endDate", "createdAt"]
MARKETS = 10_050
READER, NEIGHBOUR = uuid.UUID(int=1), uuid.UUID(int=2)
NO_FILTER: dict[str, Any] = dict.fromkeys(
    ("search", "category", "tag", "state", "venue", "status", "min_liquidity_micros", "after_key",
     "after_id", "market_id", "side", "placed_from", "placed_to", "before_seq", "after_market",
     "after_outcome", "after_position")
) | {
    "sort": "createdAt", "limit": 20, "offset": 0, "rests": False, "count_limit": 10_001,
}  # fmt: skip

MAKE_MARKETS = """
insert into markets (id, slug, question, state, category, tags, closes_at, created_at, updated_at)
select md5('m' || i)::uuid, 'market-' || i, 'Will number ' || i || ' come?',
       (array['ACTIVE', 'ACTIVE', 'RESOLVING'])[1 + i %% 3], 'category-' || i %% 4,
       array['tag-' || i %% 5, 'group-' || i %% 300], %(now)s + (1 + i / 3) * interval '1 hour',
       %(now)s - (i / 2) * interval '1 second', %(now)s
from generate_series(1, %(count)s) as i
"""
MAKE_OUTCOMES = (
    "insert into outcomes (market_id, outcome, label) select id, 0, 'YES' from markets"
    " on conflict do nothing"
)
# Many markets share a key: what ends a page must tell them apart.
MAKE_LISTED = """
update market_listings set
    volume_micros = ('x' || substr(md5(market_id::text), 1, 1))::bit(4)::bigint * 10000,
    liquidity_micros = ('x' || substr(md5(market_id::text), 2, 1))::bit(4)::bigint * 10000
"""
MAKE_ORDERS = """
insert into orders (
    id, user_id, account_id, market_id, outcome, position, side, type, price_bps, size_lots,
    book_side, book_price_bps, status, is_open, filled_lots, remaining_lots, placed_status,
    created_at, updated_at)
select gen_random_uuid(), %(user)s, 1, md5('m' || 1 + i %% 200)::uuid, 0, 'YES', 'BUY', 'GTC', 4000,
       100, 'bid', 4000, case when b.rests then 'open' else 'filled' end, b.rests,
       case when b.rests then 0 else 100 end, case when b.rests then 100 else 0 end, 'open', now(),
       now()
from generate_series(1, %(count)s) as i
cross join lateral (select i %% 1000 = 7 as rests) as b
"""
MAKE_POSITIONS = """
insert into positions (
    market_id, user_id, outcome, position, held_lots, cost_micros, realised_micros, updated_at)
select md5('m' || i)::uuid, %(user)s, 0, 'YES', case when i <= 3 then 100 else 0 end,
       case when i <= 3 then 400000 else 0 end, 5, now()
from generate_series(1, 5000) as i
"""


@pytest.fixture
def alice(platform: Platform) -> Wallet:
    wallet = platform.sign_in()
    platform.fund(wallet, 1_000_000_000)
    return wallet


@pytest.fixture
def bob(platform: Platform) -> Wallet:
    wallet = platform.sign_in()
    platform.fund(wallet, 1_000_000_000)
    return wallet


@pytest.fixture
def listed(platform: Platform) -> Platform:
    """A platform with sixty markets, whose keys collide."""
    with platform.database.connect() as owner:
        owner.execute(MAKE_MARKETS, {"now": clock.now(), "count": 60})
        owner.execute(MAKE_OUTCOMES)
        owner.execute(MAKE_LISTED)
    return platform


@pytest.fixture(scope="module")
def crowded(module_database: Database) -> Iterator[psycopg.Connection]:
    """A database with many rows, seen as one user with a long past sees it."""
    with module_database.connect() as owner:
        for user in (READER, NEIGHBOUR):
            owner.execute(
                "insert into users (id, address, chain, created_at) values (%s, %s, 'evm', now())",
                (user, str(user)),
            )
        owner.execute(MAKE_MARKETS, {"now": clock.now(), "count": MARKETS})
        owner.execute(MAKE_OUTCOMES)
        owner.execute(MAKE_LISTED)
        for user in (READER, NEIGHBOUR):
            owner.execute(MAKE_ORDERS, {"user": user, "count": 20_000})
            owner.execute(MAKE_POSITIONS, {"user": user})
        owner.execute("vacuum analyze")
    reader = module_database.connect("presage_api", presage__user_id=str(READER))
    reader.prepare_threshold = None  # as the handlers do: a plan is made for the values at hand
    yield reader
    reader.close()


def _pages(platform: Platform, **query: object) -> Iterator[dict[str, Any]]:
    cursor = None
    while True:
        shown = query | ({"cursor": cursor} if cursor else {})
        answer = platform.call("list_markets", query=shown)
        assert answer.status == 200, answer.body
        yield answer.body
        cursor = answer.body["pagination"]["nextCursor"]
        if not cursor:
            return


@pytest.mark.parametrize(
    ("filters", "where"),
    [
        ({}, "true"),
        ({"category": "category-1"}, "category = 'category-1'"),
        ({"tag": "tag-2"}, "tags @> '{tag-2}'"),
        ({"state": "RESOLVING"}, "state = 'RESOLVING'"),
        ({"venue": "native", "status": "active"}, "state = 'ACTIVE'"),
        ({"status": "closed", "search": "numb"}, "state = 'RESOLVING'"),
        ({"minLiquidity": 0.08}, "l.liquidity_micros >= 80000"),
        ({"venue": "solana"}, "false"),
    ],
    ids=str,
)
def test_a_filtered_list_is_complete_in_every_order(
    filters: dict[str, Any], where: str, listed: Platform
) -> None:
    keys = {
        "volume": "l.volume_micros desc",
        "liquidity": "l.liquidity_micros desc",
        "endDate": "m.closes_at",
        "createdAt": "m.created_at desc",
    }
    for sort in SORTS:
        with listed.database.connect() as owner:
            rows = owner.execute(
                f"select m.id::text from markets m join market_listings l on l.market_id = m.id"  # noqa: S608 - this test's own text
                f" where {where} order by {keys[sort]}, m.id desc".encode()
            ).fetchall()
        expected = [name for (name,) in rows]
        answers = list(_pages(listed, sort=sort, limit=7, **filters))
        assert [market["id"] for answer in answers for market in answer["data"]] == expected
        totals = {(one["pagination"]["total"], one["pagination"]["page"]) for one in answers[1:]}
        assert totals <= {(len(expected), None)}
        for page in (1, 2, 500):
            query = {"sort": sort, "limit": 7, "page": page} | filters
            answer = listed.call("list_markets", query=query).body
            shown = [market["id"] for market in answer["data"]]
            assert shown == expected[7 * (page - 1) : 7 * page]
            assert answer["pagination"] | {"nextCursor": None} == {
                "page": page,
                "limit": 7,
                "total": len(expected),
                "totalPages": -(-len(expected) // 7),
                "nextCursor": None,
            }


def test_a_snapshot_brings_the_keys_up_to_date(
    platform: Platform, admin: Wallet, alice: Wallet, bob: Wallet
) -> None:
    busy, quiet = (platform.active_market(admin, alice) for _ in range(2))
    platform.order(alice, busy, side="BUY", price=0.5, size=10)
    platform.order(bob, busy, side="BUY", outcome="NO", price=0.5, size=4)
    platform.order(bob, busy, side="BUY", outcome="NO", price=0.49, size=4)
    assert platform.deliver("price_snapshot").status == 200
    for sort in ("volume", "liquidity"):
        listed = platform.call("list_markets", query={"sort": sort}).data
        assert [(one["id"], one["volume"], one["liquidity"]) for one in listed] == [
            (busy, 2.0, 5.04),
            (quiet, 0.0, 0.0),
        ]
    platform.advance(86_400)
    body = {"outcome": "YES"}
    platform.call("resolve_market", token=admin.token, market_id=busy, body=body)
    assert platform.deliver("price_snapshot").status == 200
    closed = platform.call("list_markets", query={"sort": "volume", "status": "closed"}).data
    assert (closed[0]["id"], closed[0]["volume"], closed[0]["liquidity"]) == (busy, 2.0, 0.0)


def test_a_snapshot_and_an_order_never_wait_for_each_other(
    platform: Platform, admin: Wallet, alice: Wallet, bob: Wallet
) -> None:
    market = platform.active_market(admin, alice)
    platform.order(alice, market, side="BUY", price=0.5, size=10)
    trade = {"side": "BUY", "outcome": "NO", "price": 0.5, "size": 1}
    with platform.database.connect("presage_worker", lock_timeout="2s") as worker:
        worker.autocommit = False
        assert platform.order(bob, market, **trade).status == 201
        for _ in range(2):
            worker.execute("select snapshot_prices(%s)", (clock.now(),))
            assert platform.order(bob, market, **trade).data["status"] == "filled"
            worker.commit()
            platform.advance(300)
    with platform.database.connect() as match:
        match.autocommit = False
        for table in ("outcomes", "market_counters"):
            match.execute(f"update {table} set trade_count = 0".encode())  # noqa: S608 - two tables
        assert platform.deliver("price_snapshot").status == 200
        match.rollback()


def test_the_previous_price_is_the_snapshot_before_last(
    platform: Platform, admin: Wallet, alice: Wallet, bob: Wallet
) -> None:
    market = platform.active_market(admin, alice)
    platform.order(bob, market, side="BUY", outcome="NO", price=0.4, size=1)
    for price, previous in ((0.4, None), (0.5, 0.5), (0.56, 0.55)):
        platform.order(alice, market, side="BUY", price=price, size=1)
        assert platform.deliver("price_snapshot").status == 200
        platform.advance(300)
        yes = platform.call("get_market", market_id=market).data["outcomes"][0]
        assert yes["previousPrice"] == previous


@pytest.mark.parametrize("stem", ["list_orders", "list_positions", "list_market_trades"])
def test_lists_without_numbered_pages_say_so(
    stem: str, platform: Platform, admin: Wallet, alice: Wallet
) -> None:
    market = platform.active_market(admin, alice)
    path: dict[str, Any] = {"market_id": market} if "market" in stem else {}
    refused = platform.call(stem, token=alice.token, query={"page": 2}, **path)
    assert (refused.status, refused.body["details"]["field"]) == (400, "page")
    answer = platform.call(stem, token=alice.token, **path)
    assert answer.status == 200
    assert answer.body.get("pagination", {}).get("page") is None


def test_resting_orders_are_found_by_status(
    platform: Platform, admin: Wallet, alice: Wallet, bob: Wallet
) -> None:
    markets = [platform.active_market(admin, alice) for _ in range(2)]
    placed = {
        (market, price): platform.order(alice, market, side="BUY", price=price, size=2).data["id"]
        for market in markets
        for price in (0.3, 0.4)
    }
    platform.order(bob, markets[0], side="BUY", outcome="NO", price=0.6, size=1)
    platform.order(bob, markets[1], side="BUY", outcome="NO", price=0.6, size=2)

    def found(**query: str) -> list[str]:
        rows = platform.call("list_orders", token=alice.token, query=query).data
        return [order["id"] for order in rows]

    assert found(status="open") == [placed[markets[1], 0.3], placed[markets[0], 0.3]]
    assert found(status="partial") == [placed[markets[0], 0.4]]
    assert found(status="filled") == [placed[markets[1], 0.4]]
    assert found(marketId=markets[0]) == [placed[markets[0], 0.4], placed[markets[0], 0.3]]
    assert found(marketId=markets[1], status="partial") == []


def test_holders_share_what_their_side_holds(
    platform: Platform, admin: Wallet, alice: Wallet, bob: Wallet
) -> None:
    market = platform.active_market(admin, alice, disputeWindowS=3600)
    carol = platform.sign_in()
    platform.fund(carol, 1_000_000_000)
    platform.order(alice, market, side="BUY", price=0.4, size=3)
    platform.order(carol, market, side="BUY", price=0.4, size=1)
    platform.order(bob, market, side="BUY", outcome="NO", price=0.6, size=4)
    shares = [
        (bob.address, "NO", 10_000),
        (alice.address, "YES", 7_500),
        (carol.address, "YES", 2_500),
    ]
    for state in ("ACTIVE", "FINALIZED"):
        if state == "FINALIZED":  # payouts begin here: the escrow no longer says what is held
            platform.advance(86_400)
            body = {"outcome": "YES"}
            platform.call("resolve_market", token=admin.token, market_id=market, body=body)
            platform.advance(3600)
            platform.deliver("market_monitor")
        shown = platform.call("get_market", market_id=market).data
        assert shown["state"] == state
        assert [
            (holder["address"], holder["position"], holder["shareBps"])
            for holder in shown["topHolders"]
        ] == shares
    platform.deliver("settle_market")
    with platform.database.connect() as owner:
        assert owner.execute("select * from market_holders(%s, 10)", (market,)).fetchall() == []


def test_settled_positions_count_in_the_totals(crowded: psycopg.Connection) -> None:
    row = crowded.execute(*_asked("portfolio", "total_positions")).fetchone()
    # Three markets hold a share: a bid without an ask and no trade values it at a half.
    assert row == (3 * 400_000, 3 * 100 * 5_000, 5_000 * 5)


@pytest.mark.parametrize(("filters", "total"), [({}, 10_001), ({"tag": "tag-1"}, MARKETS // 5)])
def test_a_total_is_counted_so_far(
    filters: dict[str, Any], total: int, crowded: psycopg.Connection
) -> None:
    assert crowded.execute(*_asked("markets", "count_markets", **filters)).fetchone() == (total,)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"search": "numb"},
        {"search": "zebra"},
        {"status": "active"},
        {"category": "category-3"},
        {"category": "none"},
        {"tag": "none"},
        {"tag": "group-7", "search": "numb"},
        {"venue": "solana"},
        {"after_key": 60_000, "after_id": READER},
    ],
    ids=str,
)
def test_a_page_of_markets_reads_little(
    sort: str, fields: dict[str, Any], crowded: psycopg.Connection
) -> None:
    assert _rows_read(crowded, "markets", "list_markets", sort=sort, **fields) < MARKETS / 2


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"status": "open", "rests": True},
        {"status": "partial", "rests": True},
    ],
    ids=str,
)
def test_a_page_of_orders_reads_little(fields: dict[str, Any], crowded: psycopg.Connection) -> None:
    assert _rows_read(crowded, "orders", "list_orders", **fields) < 200


def test_a_page_of_positions_reads_little(crowded: psycopg.Connection) -> None:
    # The planner may sort one user's positions: its own past, and nobody else's.
    assert _rows_read(crowded, "portfolio", "list_positions") <= 5_000 + 2 * 20


def _asked(domain: str, name: str, **fields: Any) -> tuple[bytes, dict[str, Any]]:
    """A named query with all of its parameters."""
    sql = Queries(DOMAINS / domain / "queries.sql")[name].sql
    values = NO_FILTER | {"now": clock.now()} | fields
    used = set(re.findall(r"%\((\w+)\)s", sql))
    return sql.encode(), {key: value for key, value in values.items() if key in used}


def _rows_read(reader: psycopg.Connection, domain: str, name: str, **fields: Any) -> int:
    """How many rows of tables a query looks at, wanted or not; a sequential scan is all of them."""
    sql, values = _asked(domain, name, **fields)
    row = reader.execute(b"explain (analyze, format json) " + sql, values).fetchone()
    assert row is not None
    read = 0
    plans = [row[0][0]["Plan"]]
    while plans:
        node = plans.pop()
        plans += node.get("Plans", [])
        if "Relation Name" in node:
            seen = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            read += round(seen * node["Actual Loops"])
    return read
