"""Profit and loss by the shares held longest, told from the trades themselves."""

from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.integration.exchange_sql.exchange import Exchange


def fifo(exchange: Exchange, user: UUID, market: UUID | None) -> list[tuple[Any, ...]]:
    cursor = exchange.people[user].execute("select * from fifo_positions(%s)", (market,))
    return [row[1:] for row in cursor]


def trade(exchange: Exchange, user: UUID, market: UUID, side: str, price: int, size: int) -> None:
    """A trade of YES against somebody new who takes the other side."""
    other = exchange.user()
    if side == "BUY":
        exchange.place(other, market, position="NO", price=10_000 - price, size=size)
    else:
        exchange.place(other, market, price=price, size=size)
    assert exchange.place(user, market, side=side, price=price, size=size).status == "filled"


def test_the_shares_held_longest_leave_first(exchange: Exchange) -> None:
    market, user = exchange.market(), exchange.user()
    trade(exchange, user, market, "BUY", 2000, 300)
    trade(exchange, user, market, "BUY", 6000, 100)
    trade(exchange, user, market, "SELL", 5000, 200)
    # 200 bought at 0.20 left at 0.50; 100 at 0.20 and 100 at 0.60 are valued at the last trade.
    assert fifo(exchange, user, market) == [(0, "YES", 200, 800_000, 600_000, 200_000)]
    trade(exchange, user, market, "SELL", 5000, 150)
    assert fifo(exchange, user, None) == [(0, "YES", 50, 300_000, 850_000, -50_000)]


def test_fees_and_rebates_are_realised(exchange: Exchange) -> None:
    market = exchange.market(fee_bps=1000, maker_rebate_bps=5000)
    maker, taker = exchange.user(), exchange.user()
    exchange.place(maker, market, position="NO", size=100)
    exchange.place(taker, market, size=100)  # the fee is 10 % of 0.25
    assert fifo(exchange, taker, market) == [(0, "YES", 100, 500_000, -25_000, 0)]
    assert fifo(exchange, maker, market) == [(0, "NO", 100, 500_000, 12_500, 0)]


def test_a_conversion_hands_its_cost_on(exchange: Exchange) -> None:
    market = exchange.market(labels=("a", "b", "OTHER"), is_exhaustive=True)
    user = exchange.user()
    exchange.change(user, market, "split", 0, 100)
    exchange.change(user, market, "convert", 0, 100)
    assert fifo(exchange, user, market) == [
        (0, "YES", 100, 500_000, 0, 0),
        (0, "NO", 0, 0, 0, 0),
        (1, "YES", 100, 250_000, 0, 250_000),
        (2, "YES", 100, 250_000, 0, 250_000),
    ]
    exchange.change(user, market, "redeem", None, 40)
    rows = fifo(exchange, user, market)
    assert sum(row[4] for row in rows) == 0  # 0.40 back for 0.40 of cost
    assert [row[2] for row in rows] == [60, 0, 60, 60]


def test_a_settled_market_is_all_realised(exchange: Exchange) -> None:
    market, yes, no = exchange.market(), exchange.user(), exchange.user()
    exchange.hand_out(market, yes, no, lots=100)
    exchange.owner.execute(
        "update markets set state = 'FINALIZED', final_payout_bps = '{10000,0}' where id = %s",
        (market,),
    )
    exchange.work("select * from settle_market(%s, 10, now())", market)
    assert fifo(exchange, yes, market) == [(0, "YES", 0, 0, 500_000, 0)]
    assert fifo(exchange, no, market) == [(0, "NO", 0, 0, -500_000, 0)]


def test_nobody_sees_anothers_and_nobody_is_refused(exchange: Exchange) -> None:
    market, yes, no = exchange.market(), exchange.user(), exchange.user()
    exchange.hand_out(market, yes, no)
    assert fifo(exchange, exchange.user(), market) == []
    with exchange.database.connect("presage_api") as nobody, pytest.raises(psycopg.Error) as caught:
        nobody.execute("select * from fifo_positions(null)")
    assert caught.value.sqlstate == "PR401"
