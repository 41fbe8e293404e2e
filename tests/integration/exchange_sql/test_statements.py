"""Scheduled work is a constant number of statements, counted as Postgres executes them."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from infra.bench.workflows import ADD_BARS, ADD_FOLLOWERS, ADD_MARKETS, ADD_ORDERS
from tests.conftest import Database

FEW, MANY = 3, 60
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
TODAY = NOON.date()
# One statement calls this for each book; it is a query of its own to the executor.
BOOK = "select b.best, a.best"
FILL = """
insert into fills (market_id, outcome, taker_order_id, maker_order_id, taker_id, maker_id, kind,
    taker_side, taker_position, price_bps, size_lots, fee_bps, maker_rebate_bps, rebate_micros,
    created_at)
select f.market_id, 0, gen_random_uuid(), gen_random_uuid(), f.user_id, f.user_id, 'MINT', 'BUY',
       'YES', 5000, 100, 0, 0, 0, %s
from follows as f
"""
HOLD = """
insert into positions (market_id, user_id, outcome, position, realised_micros, updated_at)
select f.market_id, f.user_id, 0, 'YES', 100, now() from follows as f
"""
SAY = """
insert into outbox (topic, market_id, payload, created_at)
select 'market_state', m.id, '{"newState": "FINALIZED"}', now() from markets as m
"""


def _fill_world(owner: psycopg.Connection, size: int) -> None:
    """So many markets, with books and bars, and so many followers of each, who hold and traded."""
    owner.execute(ADD_MARKETS, {"markets": size})
    owner.execute(ADD_ORDERS)
    owner.execute(ADD_BARS, {"hours": 48})
    for (market,) in owner.execute("select id from markets").fetchall():
        owner.execute(ADD_FOLLOWERS, {"market": str(market), "followers": size})
    owner.execute(FILL, (NOON - timedelta(days=1),))
    owner.execute(HOLD)
    owner.execute(SAY)
    owner.execute("update accounts set balance_micros = 1000000000 where kind = 'market:orders'")
    owner.execute(
        "update markets set closes_at = now() + interval '30 minutes' where slug like '%1'"
    )


def _statements(database: Database, size: int, call: str, *parameters: object) -> int:
    """How many statements the executor ran for one call over a world of this size."""
    texts: list[str] = []
    with database.connect() as owner:
        owner.execute("truncate markets, users, fills, price_bars, outbox, orders cascade")
        owner.execute("truncate platform_daily_stats")
        _fill_world(owner, size)
        owner.add_notice_handler(lambda notice: texts.append(notice.message_primary or ""))
        owner.execute("load 'auto_explain'")
        for setting in ("log_min_duration = 0", "log_nested_statements = on", "log_level = notice"):
            owner.execute(f"set auto_explain.{setting}".encode())
        owner.execute(call.encode(), parameters)
    # Not the constraints' own look-ups, which are one for each row of any insert.
    return sum(1 for text in texts if BOOK not in text and "FOR KEY SHARE OF x" not in text)


WORK: dict[str, tuple[str, tuple[object, ...]]] = {
    "price_snapshot": ("select snapshot_prices(%s)", (NOON,)),
    "market_close_check": ("select notify_closing_markets(%s)", (datetime.now(UTC),)),
    "markets that closed": (
        "select * from tidy_closed_markets('{}', 1000, 1000, %s)",
        (datetime.now(UTC) + timedelta(minutes=31),),
    ),
    "sweep_outbox": ("select relay_outbox(1000, 1, %s)", (NOON,)),
    "tick_adjustment": ("select * from announce_tick_changes(%s)", (datetime.now(UTC),)),
    "analytics_daily": ("select roll_up_day(%s, %s)", (TODAY - timedelta(days=1), NOON)),
    "leaderboard_refresh": ("select refresh_leaderboard(%s, %s)", (TODAY, NOON)),
}


@pytest.mark.parametrize("task", WORK)
def test_more_markets_and_followers_are_no_more_statements(task: str, database: Database) -> None:
    call, parameters = WORK[task]
    few = _statements(database, FEW, call, *parameters)
    many = _statements(database, MANY, call, *parameters)
    assert few == many
    assert 2 <= few <= 15
