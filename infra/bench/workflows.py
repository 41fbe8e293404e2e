"""What the scheduled work costs as the platform grows: ten times as much in at most eleven times.

Each is one call of a function whose statements are set-based, so their number does not depend on
how many markets or followers there are. The peer is the same work at a tenth of the size, times
ten: a ratio of 10/11 is eleven times the time.
"""

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg

from infra.bench.flow import BenchError, fresh_database, number
from infra.bench.registry import Figure, figure
from infra.local.postgres import Postgres

SMALL, LARGE = 1_000, 10_000
FEW_FOLLOWERS, MANY_FOLLOWERS = 10_000, 100_000
HOURS = 48
RUNS = 5
GOAL = 10 / 11

ADD_MARKETS = """
with added as (
    insert into markets (id, slug, question, state, closes_at, created_at, updated_at)
    select gen_random_uuid(), 'bench-' || n, 'bench', 'ACTIVE', now() + interval '30 days', now(),
           now()
    from generate_series(%(from)s::integer, %(until)s::integer) as n
    returning id
)
insert into outcomes (market_id, outcome, label) select id, 0, 'YES' from added
"""
# Two levels a side; nobody's money stands behind them, which a snapshot does not ask for.
ADD_ORDERS = """
insert into orders (id, user_id, account_id, market_id, outcome, position, side, type, price_bps,
    size_lots, book_side, book_price_bps, status, is_open, remaining_lots, placed_status,
    created_at, updated_at)
select gen_random_uuid(), m.id, 1, m.id, 0, 'YES', 'BUY', 'GTC', 4800 + 100 * level, 100,
       case when level < 2 then 'bid' else 'ask' end, 4800 + 100 * level, 'open', true, 100, 'open',
       now(), now()
from markets as m
cross join generate_series(0, 3) as level
where not exists (select from orders as o where o.market_id = m.id)
"""
ADD_BARS = """
insert into price_bars
select m.id, 0, 3600, date_bin('1 hour', now(), 'epoch') - make_interval(hours => hour), 5000, 5100,
       4900, 5000 + 100 * (hour %% 2), 1, 1, 1
from markets as m
cross join generate_series(1, %(hours)s::integer) as hour
where not exists (select from price_bars as b where b.market_id = m.id)
"""
ADD_FOLLOWERS = """
with people as (
    insert into users (id, address, chain, created_at)
    select gen_random_uuid(), %(market)s::text || ':' || n, 'evm', now()
    from generate_series(1, %(followers)s::integer) as n
    returning id
)
insert into follows select id, %(market)s::uuid, true, true, true, now() from people
"""


def _grow(owner: psycopg.Connection, first: int, last: int) -> None:
    """Markets number `first` to `last`, with a book and two days of bars each."""
    owner.execute(ADD_MARKETS, {"from": first, "until": last})
    owner.execute(ADD_ORDERS)
    owner.execute(ADD_BARS, {"hours": HOURS})
    owner.execute("vacuum analyze")


def _figure(name: str, large_s: float, small_s: float, method: str) -> Figure:
    return Figure(
        name=name,
        ours=large_s,
        peer=10 * small_s,
        goal=GOAL,
        unit="s",
        better="lower",
        method=f"{method} in {large_s:.3f} s, a tenth of them in {small_s:.3f} s, both the best of"
        f" several. Peer: ten times the tenth's; a ratio of {GOAL:.2f} is eleven times",
        goal_is_ratio=True,
    )


def _snapshots(worker: psycopg.Connection, first: int, markets: int) -> float:
    """Snapshots of successive slots, every active outcome each."""
    spent = []
    for slot in range(first, first + RUNS):
        moment = _now() + timedelta(minutes=5 * (slot + 1))
        began = time.perf_counter()
        points = number(worker, "select snapshot_prices(%s)", moment)
        spent.append(time.perf_counter() - began)
        if points != markets:
            raise BenchError(f"a slot has {points:.0f} points and not {markets}")
    return min(spent)  # what else the machine does only ever adds


@figure
def price_snapshot(server: Postgres) -> Figure:
    """Seconds for the five-minute points of ten thousand markets."""
    with (
        fresh_database(server, "bench_snapshot") as url,
        psycopg.connect(url, autocommit=True) as owner,
        psycopg.connect(server.url("bench_snapshot", "presage_worker"), autocommit=True) as worker,
    ):
        _grow(owner, 1, SMALL)
        small_s = _snapshots(worker, 0, SMALL)
        _grow(owner, SMALL + 1, LARGE)
        large_s = _snapshots(worker, RUNS, LARGE)
    return _figure(
        "price_snapshot",
        large_s,
        small_s,
        f"snapshot_prices over {LARGE} markets, four orders each",
    )


@figure
def tick_adjustment(server: Postgres) -> Figure:
    """Seconds to measure the volatility of ten thousand markets and announce their ticks."""

    def announce(worker: psycopg.Connection, owner: psycopg.Connection, markets: int) -> float:
        spent = []
        for _ in range(RUNS):
            owner.execute("truncate tick_changes, market_clarifications, outbox")
            began = time.perf_counter()
            said = number(worker, "select announced from announce_tick_changes(%s)", _now())
            spent.append(time.perf_counter() - began)
            if said != markets:
                raise BenchError(f"{said:.0f} of {markets} ticks were announced")
        return min(spent)

    with (
        fresh_database(server, "bench_ticks") as url,
        psycopg.connect(url, autocommit=True) as owner,
        psycopg.connect(server.url("bench_ticks", "presage_worker"), autocommit=True) as worker,
    ):
        # An hourly move of 1 % is wild over a day: at half a tick each of them is told.
        _grow(owner, 1, SMALL)
        owner.execute("update markets set tick_size_bps = 50")
        owner.execute("update price_bars set close_bps = open_bps + 5 * (close_bps - open_bps)")
        small_s = announce(worker, owner, SMALL)
        _grow(owner, SMALL + 1, LARGE)
        owner.execute("update markets set tick_size_bps = 50 where tick_size_bps = 100")
        owner.execute(
            "update price_bars set close_bps = open_bps + 5 * (close_bps - open_bps)"
            " where close_bps = 5100"
        )
        owner.execute("vacuum analyze")
        large_s = announce(worker, owner, LARGE)
    return _figure(
        "tick_adjustment", large_s, small_s, f"announce_tick_changes for {LARGE} markets that move"
    )


@figure
def follower_notices(server: Postgres) -> Figure:
    """Seconds to tell a hundred thousand followers that their market closes, and its outcome."""

    def tell(worker: psycopg.Connection, owner: psycopg.Connection, market: UUID) -> float:
        owner.execute(
            "update markets set closes_at = now() + interval '30 minutes' where id = %s", (market,)
        )
        owner.execute(
            "insert into outbox (topic, market_id, payload, created_at)"
            """ values ('market_state', %s, '{"newState": "FINALIZED"}', now())""",
            (market,),
        )
        followers = number(owner, "select count(*) from follows where market_id = %s", market)
        began = time.perf_counter()
        told = number(worker, "select notify_closing_markets(%s)", _now())
        worker.execute("select relay_outbox(100, 1, %s)", (_now(),))
        spent = time.perf_counter() - began
        kept = number(owner, "select count(*) from notifications where market_id = %s", market)
        if (told, kept) != (followers, 2 * followers):
            raise BenchError(f"{told:.0f} and {kept:.0f} of {followers:.0f} were told")
        owner.execute("update markets set state = 'CANCELLED' where id = %s", (market,))
        return spent

    with (
        fresh_database(server, "bench_followers") as url,
        psycopg.connect(url, autocommit=True) as owner,
        psycopg.connect(server.url("bench_followers", "presage_worker"), autocommit=True) as worker,
    ):
        owner.execute(ADD_MARKETS, {"from": 1, "until": 6})
        markets: list[UUID] = [
            row[0] for row in owner.execute("select id from markets order by slug").fetchall()
        ]
        for place, market in enumerate(markets):
            followers = MANY_FOLLOWERS if place % 2 else FEW_FOLLOWERS
            owner.execute(ADD_FOLLOWERS, {"market": str(market), "followers": followers})
        owner.execute("vacuum analyze")
        spent = [tell(worker, owner, market) for market in markets]
    return _figure(
        "follower_notices",
        min(spent[1::2]),
        min(spent[0::2]),
        f"notify_closing_markets and relay_outbox for {MANY_FOLLOWERS} followers",
    )


def _now() -> datetime:
    return datetime.now(UTC)
