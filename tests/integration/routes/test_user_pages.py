"""What `/users/{wallet}` tells of a wallet: the chain's to anybody, the exchange's to its owner."""

import json
import re
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from solders.keypair import Keypair

from infra.local.deliveries import GENESIS_S, key, market, of_events, signature, wallet
from presage.chain.events import (
    MarketActivated,
    MarketCreated,
    MarketFinalized,
    MarketResolved,
    ProposalVoteSubmitted,
    SharesBought,
    SharesSold,
    WinningsClaimed,
)
from presage.chain.programme import market_address, platform_market_id
from presage.paging import MAX_INT8, encode
from presage.users import service
from tests.conftest import Database
from tests.harness import Answer, Platform, Wallet
from tests.integration.routes.conftest import ADMIN_KEY

UNIT = 1_000_000_000
FAR = str(Keypair().pubkey())  # has much of everything
BOB = wallet("bob")  # trades on chain and never signed in
ONE, TWO = sorted((market("one"), market("two")))
CID = b"QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"
LISTS = ("list_user_positions", "list_user_trades", "list_user_votes")


@dataclass(frozen=True)
class World:
    """Alice, of Solana, trades on chain and here; Carol, of Ethereum, trades with her here."""

    platform: Platform
    admin: Wallet
    alice: Wallet
    carol: Wallet
    native: str


def _trade(kind: type[Any], this: bytes, who: bytes, number: int, **fields: Any) -> Any:
    body = {"outcome": True, "shares": 2 * UNIT, "new_price_yes": UNIT // 2} | fields
    amount = {"proceeds" if kind is SharesSold else "cost": fields.pop("amount", UNIT)}
    body = {name: value for name, value in body.items() if name != "amount"}
    event = kind(this, who, timestamp=GENESIS_S, **amount, **body)
    return of_events(event, name=f"trade {number}", slot=2_000 + number)


@pytest.fixture(scope="module")
def world(module_platform: Platform) -> World:
    platform = module_platform
    seed = Keypair()
    admin, alice = platform.sign_in(ADMIN_KEY), platform.sign_in_with_solana(seed)
    raw, carol = bytes(seed.pubkey()), platform.sign_in()
    platform.call("update_profile", token=alice.token, body={"displayName": "Alice"})
    made = [
        event
        for n, this in enumerate((ONE, TWO))
        for event in (
            of_events(MarketCreated(this, BOB, 10**11, 0, GENESIS_S), name=f"m{n}", slot=1_001),
            of_events(MarketActivated(this, BOB, 10**10, GENESIS_S), name=f"a{n}", slot=1_002),
        )
    ]
    trades = [
        _trade(SharesBought, ONE, raw, 1),
        _trade(SharesBought, ONE, raw, 2, outcome=False, amount=UNIT // 4),
        _trade(SharesSold, ONE, raw, 3, shares=UNIT, amount=UNIT // 2),
        _trade(SharesBought, TWO, raw, 4, shares=3 * UNIT),
        _trade(SharesBought, TWO, BOB, 5, outcome=False),
    ]
    ended = [
        of_events(
            MarketResolved(TWO, BOB, outcome=True, evidence_hash=CID, timestamp=GENESIS_S),
            MarketFinalized(TWO, final_outcome=True, was_disputed=False, timestamp=GENESIS_S),
            name="end",
            slot=3_000,
        ),
        of_events(
            WinningsClaimed(bytes(market_address(TWO)), raw, True, 2 * UNIT, GENESIS_S),  # noqa: FBT003
            name="claim",
            slot=3_001,
        ),
    ]
    votes = [
        of_events(
            ProposalVoteSubmitted(this, raw, vote=n == 0, timestamp=GENESIS_S + n),
            name=f"v{n}",
            slot=1_001,
            index=5 + n,
        )
        for n, this in enumerate((ONE, TWO))
    ]
    indexed = platform.index(*made, *trades, *ended, *votes).data
    assert indexed["indexed"] == 14
    native = platform.active_market(admin, carol)
    for one in (alice, carol):
        platform.fund(one, 100_000_000)
    for price in (0.1, 0.2):  # rests, and trades in two fills
        platform.order(alice, native, side="BUY", price=price, size=5)
    platform.order(alice, native, side="BUY", price=0.4, size=10)
    for _ in range(2):
        platform.order(carol, native, side="BUY", outcome="NO", price=0.6, size=5)
    voted = {"marketId": platform.proposed_market(carol), "vote": "like"}
    platform.call("vote_on_proposal", token=alice.token, body=voted)
    platform.deliver("analytics_daily")
    return World(platform, admin, alice, carol, native)


def _get(world: World, stem: str, address: str, token: str | None = None, **query: Any) -> Answer:
    return world.platform.call(stem, token=token, wallet=address, query=query)


def _walk(world: World, stem: str, address: str, token: str | None) -> list[dict[str, Any]]:
    """Every row, a page of one at a time, which is what one page of all would say."""
    rows: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        world.platform.advance(1)
        answer = _get(world, stem, address, token, limit=1, **cursor)
        rows += answer.data
        if answer.body["pagination"]["nextCursor"] is None:
            break
        cursor = {"cursor": answer.body["pagination"]["nextCursor"]}
    assert rows == _get(world, stem, address, token).data
    return rows


def test_a_profile_says_what_each_venue_knows(world: World) -> None:
    expected = {
        "wallet": world.alice.address,
        "chain": "solana",
        "displayName": "Alice",
        "joinedAt": _get(world, "get_user_profile", world.alice.address).data["joinedAt"],
        "solana": {
            "currency": "SOL",
            "trades": 4,
            "volume": "2.75",
            "marketsTraded": 2,
            "votes": 2,
            "openPositions": 1,
            "profit": "1.0",
        },
        "native": {
            "currency": "BDT",
            "trades": 2,
            "volume": "4.0",
            "marketsTraded": 1,
            "votes": 1,
            "openPositions": 1,
            "profit": "0.0",
        },
    }
    for reader in (world.alice, world.admin):
        got = _get(world, "get_user_profile", world.alice.address, reader.token).data
        assert got == expected
    for token in (None, world.carol.token):
        got = _get(world, "get_user_profile", world.alice.address, token).data
        assert got == expected | {"native": None}


def test_a_wallet_that_only_trades_on_chain_is_known(world: World) -> None:
    got = _get(world, "get_user_profile", key(BOB)).data
    assert (got["displayName"], got["joinedAt"], got["native"]) == (None, None, None)
    assert (got["solana"]["trades"], got["solana"]["profit"]) == (1, "-1.0")
    [position] = _get(world, "list_user_positions", key(BOB)).data
    assert (position["isOpen"], position["cost"], position["profit"]) == (False, "0.0", "-1.0")


def test_an_ethereum_address_in_any_spelling(world: World) -> None:
    shown = _get(world, "get_user_profile", world.carol.address).data
    assert (shown["wallet"], shown["chain"]) == (world.carol.address, "evm")
    assert _get(world, "get_user_profile", world.carol.address.lower()).data == shown
    for bad in ("0x12", "nonsense!", world.alice.address[:-9]):
        assert _get(world, "get_user_profile", bad).status == 400


@pytest.mark.parametrize("stem", ["get_user_profile", *LISTS])
def test_a_wallet_that_nobody_met_is_not_found(stem: str, world: World) -> None:
    for nobody in (str(Keypair().pubkey()), "0x000000000000000000000000000000000000dEaD"):
        answer = _get(world, stem, nobody, world.admin.token)
        assert (answer.status, answer.body["details"]["field"]) == (404, "wallet")


def test_positions_of_both_venues(world: World) -> None:
    rows = _walk(world, "list_user_positions", world.alice.address, world.alice.token)
    ids = [str(platform_market_id(this)) for this in (ONE, TWO)]
    assert [(row["venue"], row["marketId"]) for row in rows] == [
        ("solana", ids[0]),
        ("solana", ids[1]),
        ("native", world.native),
    ]
    held = [(row["sharesYes"], row["sharesNo"], row["isOpen"]) for row in rows]
    assert held == [("1.0", "2.0", True), ("3.0", "0.0", False), ("10.0", "0.0", True)]
    worth = [(row["cost"], row["profit"], row["currency"]) for row in rows]
    assert worth == [("0.75", None, "SOL"), ("0.0", "1.0", "SOL"), ("4.0", "0.0", "BDT")]
    assert [row["state"] for row in rows] == ["ACTIVE", "FINALIZED", "ACTIVE"]


def test_trades_of_both_venues_newest_first(world: World) -> None:
    rows = _walk(world, "list_user_trades", world.alice.address, world.alice.token)
    chain, here = rows[:4], rows[4:]
    assert [row["signature"] for row in chain] == [signature(f"trade {n}") for n in (4, 3, 2, 1)]
    assert [
        (row["side"], row["position"], row["size"], row["price"], row["amount"]) for row in chain
    ] == [
        ("BUY", "YES", "3.0", "0.333333333", "1.0"),
        ("SELL", "YES", "1.0", "0.5", "0.5"),
        ("BUY", "NO", "2.0", "0.125", "0.25"),
        ("BUY", "YES", "2.0", "0.5", "1.0"),
    ]
    for row in here:
        assert (row["venue"], row["marketId"]) == ("native", world.native)
        assert (row["side"], row["position"], row["isTaker"]) == ("BUY", "YES", False)
        assert (row["size"], row["price"], row["amount"]) == ("5.0", "0.4", "2.0")
    assert len(here) == 2
    taker = _get(world, "list_user_trades", world.carol.address, world.carol.token).data
    assert [(row["position"], row["price"], row["isTaker"]) for row in taker] == [
        ("NO", "0.6", True),
        ("NO", "0.6", True),
    ]


def test_votes_of_both_venues_newest_first(world: World) -> None:
    rows = _walk(world, "list_user_votes", world.alice.address, world.alice.token)
    assert [(row["cast"], row["vote"]) for row in rows] == [
        ("chain", False),
        ("chain", True),
        ("here", True),
    ]


@pytest.mark.parametrize("stem", LISTS)
def test_what_is_private_stays_private(stem: str, world: World) -> None:
    platform, alice, admin = world.platform, world.alice, world.admin
    everything = _get(world, stem, alice.address, alice.token).data
    public = [
        row for row in everything if row.get("venue") == "solana" or row.get("cast") == "chain"
    ]
    assert 0 < len(public) < len(everything)
    for token, expected in (
        (None, public),
        (world.carol.token, public),
        (platform.api_key(admin, "read"), public),
        (platform.api_key(alice, "read"), everything),
        (platform.api_key(admin, "admin"), everything),
        (admin.token, everything),
    ):
        assert _get(world, stem, alice.address, token).data == expected


def test_the_database_believes_no_claim_to_be_an_admin(world: World) -> None:
    calls = (
        "select * from user_positions(%s, true, null, null, 9)",
        "select * from user_trades(%s, true, null, null, 9)",
        "select * from user_votes(%s, true, null, null, 9)",
        "select * from user_profile(%s, true) where votes is not null",
    )
    for reader, finds in ((world.carol, False), (world.alice, True), (world.admin, True)):
        with world.platform.database.connect(
            "presage_api", presage__user_id=str(reader.user_id)
        ) as connection:
            for call in calls:
                found = connection.execute(call.encode(), (world.alice.address,)).fetchall()
                assert bool(found) is finds, call
    with (
        world.platform.database.connect("presage_api") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("select readable_user('x', true)")


@pytest.mark.parametrize("stem", LISTS)
def test_a_forged_cursor_is_refused(stem: str, world: World) -> None:
    pages = _get(world, stem, world.alice.address, limit=1).body["pagination"]
    good = pages["nextCursor"]
    for bad in (good[:-4], "W10", "WyJvdGhlciIsIngiLDBd", "x" * 300):
        answer = _get(world, stem, world.alice.address, cursor=bad)
        assert answer.status == 400, bad


CROWD = 30_000
MOST_BLOCKS = 250
CROWDED = f"""
set session_replication_role = replica;
insert into users (id, address, chain, created_at)
values ('00000000-0000-4000-8000-0000000000aa', '{FAR}', 'solana', now());
create temporary table crowd as
select n, 'm' || n as market, case when n % 2 = 0 then '{FAR}' else 'w' || n end as wallet,
       to_timestamp(1784800000 + n) as at
from generate_series(1, {CROWD}) as n;
insert into chain_addresses select market, md5(market)::uuid, 'a' || n from crowd;
insert into chain_markets (market, market_id, address)
select market, md5(market)::uuid, 'a' || n from crowd;
insert into chain_events
select 's' || n, 0, n, 0, at, 'SharesBought', 'm' || 1 + n % 100, wallet,
       '{{"outcome": true, "shares": 1, "cost": 1}}', now() from crowd;
insert into chain_positions (market, wallet, shares_yes) select market, wallet, 1 from crowd;
insert into chain_votes (market, wallet, kind, vote, voted_at)
select market, wallet, 'proposal', true, at from crowd;
insert into orders (id, user_id, account_id, market_id, outcome, position, side, type, price_bps,
    size_lots, book_side, book_price_bps, status, is_open, filled_lots, remaining_lots,
    placed_status, created_at, updated_at)
select gen_random_uuid(), '00000000-0000-4000-8000-0000000000aa', 1, gen_random_uuid(), 0, 'YES',
       'BUY', 'GTC', 5000, 100, 'bid', 5000, 'cancelled', false,
       case when n = 1 then 100 else 0 end, 0, 'open', now(), now()
from generate_series(1, 3000) as n;
insert into fills (id, market_id, outcome, taker_order_id, maker_order_id, taker_id, maker_id,
    kind, taker_side, taker_position, price_bps, size_lots, fee_bps, maker_rebate_bps,
    rebate_micros, created_at)
select 1000000 + n, o.market_id, 0, o.id, gen_random_uuid(), o.user_id, gen_random_uuid(), 'MINT',
       'BUY', 'YES', 5000, 100, 0, 0, 0, now()
from orders as o
cross join generate_series(1, 3) as n
where o.user_id = '00000000-0000-4000-8000-0000000000aa' and o.filled_lots > 0
"""  # noqa: S608 - texts of ours
ASKED = dict.fromkeys(
    (
        *("after_key", "after_id", "after_outcome", "before_time", "before_slot", "before_index"),
        *("before_ordinal", "before_signature", "before_seq", "before_fill", "before"),
        *("before_key", "before_kind", "before_id"),
    )
)
MIDDLE: dict[str, dict[str, Any]] = {
    "list_chain_positions": {"after_key": "m2"},
    "list_chain_trades": {
        "before_time": "2026-07-23T12:00:00Z",
        "before_slot": 1,
        "before_index": 0,
        "before_ordinal": 0,
        "before_signature": "s",
    },
    "list_chain_votes": {
        "before": "2026-07-23T12:00:00Z",
        "before_key": "m",
        "before_kind": "dispute",
    },
}


@pytest.fixture(scope="module")
def crowded(module_database: Database, world: World) -> Database:  # noqa: ARG001 - served first
    """A wallet with as many events, positions and votes as everybody else together."""
    with module_database.connect() as owner:
        owner.execute(CROWDED.encode())
        owner.execute("vacuum analyze")
    return module_database


@pytest.mark.parametrize("name", sorted(MIDDLE))
@pytest.mark.parametrize("where", ["first", "middle"])
def test_a_page_is_found_by_an_index(name: str, where: str, crowded: Database) -> None:
    told = ASKED | {"wallet": FAR, "limit": 21} | (MIDDLE[name] if where == "middle" else {})
    query = b"explain (analyze, buffers, format json) " + service._queries[name].sql.encode()  # noqa: SLF001 - the statement itself
    with crowded.connect("presage_api") as connection:
        connection.prepare_threshold = None
        row = connection.execute(query.rstrip(b";\n"), told).fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    assert plan["Actual Rows"] == 21
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < MOST_BLOCKS
    assert not re.search(r'"Seq Scan"[^{]*"Relation Name": "chain_', json.dumps(plan))


@pytest.mark.usefixtures("crowded")
def test_orders_that_never_traded_are_passed_over(world: World) -> None:
    """The one order that traded is the oldest of three thousand: pages look at five hundred."""
    behind_the_chain = encode(["native", MAX_INT8, 0, 0, 0, ""])
    rows: list[Any] = []
    cursor: str | None = behind_the_chain
    pages = 0
    while cursor:
        answer = _get(world, "list_user_trades", FAR, world.admin.token, limit=2, cursor=cursor)
        rows += answer.data
        cursor = answer.body["pagination"]["nextCursor"]
        pages += 1
    # Each page goes on from the last order looked at: six of 499 further ones, then two of fills.
    assert (len(rows), pages) == (3, 8)
