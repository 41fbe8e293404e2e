"""Cancels, the close, settlement, sweeps and what is read: the life of a market after its match."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.integration.exchange_sql.exchange import Exchange, Refusal, refusal

SETTLE = "select * from settle_market(%s, %s, now())"


def finalize(exchange: Exchange, market: UUID, payout: list[int]) -> None:
    exchange.owner.execute(
        "update markets set state = 'FINALIZED', final_payout_bps = %s where id = %s",
        (payout, market),
    )


def settle(exchange: Exchange, market: UUID, limit: int = 100) -> list[tuple[Any, ...]]:
    """Every call's answer until it is done."""
    answers: list[tuple[Any, ...]] = []
    while not answers or not answers[-1][-1]:
        answers.append(tuple(exchange.work(SETTLE, market, limit)[0]))
        assert len(answers) < 50
    return answers


def refused_work(exchange: Exchange, query: str, *parameters: object) -> Refusal:
    with pytest.raises(psycopg.Error) as caught:
        exchange.work(query, *parameters)
    return refusal(caught.value)


def test_a_cancel_gives_back_what_the_order_held(exchange: Exchange) -> None:
    market, user, other = exchange.market(), exchange.user(), exchange.user()
    exchange.hand_out(market, user, other)
    before = exchange.cash(user)
    buy = exchange.place(user, market, price=4000, size=300)
    sell = exchange.place(user, market, side="SELL", price=6000, size=200)
    exchange.place(other, market, position="NO", price=6000, size=100)
    assert exchange.cancel(user, buy.order_id) == (buy.order_id, "cancelled", 100, 200, 800_000)
    assert exchange.cancel(user, sell.order_id) == (sell.order_id, "cancelled", 0, 200, 0)
    assert exchange.cash(user) == before - 400_000
    assert exchange.position(user, market) == (1100, 0)
    for stranger, code in ((user, "PR410"), (other, "PR404")):
        with pytest.raises(psycopg.Error) as caught:
            exchange.cancel(stranger, buy.order_id)
        assert caught.value.sqlstate == code


def test_the_kill_switch_takes_one_market_or_all_and_only_ones_own(exchange: Exchange) -> None:
    markets, user, other = [exchange.market() for _ in range(3)], exchange.user(), exchange.user()
    before = exchange.cash(user)
    for market in markets:
        exchange.place(user, market, price=3000)
        exchange.place(user, market, price=3000)
        exchange.place(other, market, price=3000)
    one = exchange.people[user].execute("select * from cancel_orders(%s, now())", (markets[0],))
    assert [row[1:] for row in one] == [("cancelled", 0, 100, 300_000)] * 2
    rest = exchange.people[user].execute("select * from cancel_orders(null, now())")
    assert len(rest.fetchall()) == 4
    assert exchange.cash(user) == before
    assert exchange.one("select count(*) from orders where user_id = %s and is_open", other) == 3


def test_self_trade_prevention_in_its_three_modes(exchange: Exchange) -> None:
    for stp, status, filled, own_status in (
        ("cancel_taker", "cancelled", 100, "open"),
        ("cancel_maker", "open", 200, "cancelled"),
        ("cancel_both", "cancelled", 100, "cancelled"),
    ):
        market, user, other = exchange.market(), exchange.user(), exchange.user()
        exchange.place(other, market, position="NO", price=6000)
        own = exchange.place(user, market, position="NO", price=5500)
        exchange.place(other, market, position="NO", price=5000)
        placed = exchange.place(user, market, price=5000, size=300, stp=stp)
        expected = "partial" if status == "open" else status
        assert (placed.status, placed.filled_lots) == (expected, filled)
        assert own_status == exchange.one("select status from orders where id = %s", own.order_id)


def test_an_expired_order_never_trades(exchange: Exchange) -> None:
    market, user, other = exchange.market(), exchange.user(), exchange.user()
    before = exchange.cash(other)
    stale = exchange.place(other, market, position="NO", price=6000)
    exchange.owner.execute(
        "update orders set type = 'GTD', expires_at = now() - interval '1 s' where id = %s",
        (stale.order_id,),
    )
    placed = exchange.place(user, market, price=5000)
    assert (placed.status, placed.filled_lots) == ("open", 0)
    assert exchange.one("select status from orders where id = %s", stale.order_id) == "expired"
    assert exchange.cash(other) == before


def test_orders_are_released_after_the_close_and_not_before(exchange: Exchange) -> None:
    market, user = exchange.market(), exchange.user()
    before = exchange.cash(user)
    for _ in range(5):
        exchange.place(user, market)
    release = "select release_market_orders(%s, %s, now())"
    assert refused_work(exchange, release, market, 10) == Refusal("PR410", None)
    exchange.owner.execute("update markets set closes_at = now() where id = %s", (market,))
    assert [exchange.work(release, market, 3)[0][0] for _ in range(3)] == [3, 2, 0]
    assert exchange.cash(user) == before


def test_settlement_pays_in_chunks_once_and_empties_the_escrow(exchange: Exchange) -> None:
    market, users = exchange.market(), [exchange.user() for _ in range(5)]
    for yes in users[:3]:
        exchange.hand_out(market, yes, users[4], lots=300)
    exchange.place(users[3], market, price=1000, size=500)
    cash = [exchange.cash(user) for user in users]
    assert refused_work(exchange, SETTLE, market, 2) == Refusal("PR410", None)
    finalize(exchange, market, [10_000, 0])
    answers = settle(exchange, market, 2)
    assert answers == [(0, 0, 1, False), *_chunks(exchange, market)]
    gained = [exchange.cash(user) - before for user, before in zip(users, cash, strict=True)]
    assert gained == [3_000_000, 3_000_000, 3_000_000, 500_000, 0]
    assert exchange.account(market, "market:escrow") == 0
    row = exchange.rows("select settled_at, claims_enabled from markets where id = %s", market)[0]
    assert row["settled_at"] is not None
    assert row["claims_enabled"]
    assert settle(exchange, market) == [(0, 0, 0, True)]
    assert exchange.audit() == []


def _chunks(exchange: Exchange, market: UUID) -> list[tuple[Any, ...]]:
    """What the settled market's two chunks must have answered, from who was in each."""
    paid = exchange.rows(
        "select amount_micros from settlements where market_id = %s order by user_id", market
    )
    amounts = [row["amount_micros"] for row in paid]
    return [(2, sum(amounts[:2]), 0, False), (2, sum(amounts[2:]), 0, False), (0, 0, 0, True)]


def test_a_settlement_killed_in_the_middle_doubles_nothing(exchange: Exchange) -> None:
    market, users = exchange.market(), [exchange.user() for _ in range(4)]
    for yes in users[:3]:
        exchange.hand_out(market, yes, users[3], lots=100)
    finalize(exchange, market, [0, 10_000])
    before = exchange.cash(users[3])
    exchange.work(SETTLE, market, 2)
    with exchange.worker.transaction(force_rollback=True):
        exchange.worker.execute(SETTLE, (market, 2))
    assert exchange.audit() == []  # half settled is sound as well
    settle(exchange, market, 2)
    assert exchange.cash(users[3]) == before + 3_000_000
    assert exchange.one("select count(*) from settlements where market_id = %s", market) == 4


def test_a_void_binary_market_pays_half(exchange: Exchange) -> None:
    market, yes, no = exchange.market(), exchange.user(), exchange.user()
    exchange.hand_out(market, yes, no, lots=200)
    before = exchange.cash(yes), exchange.cash(no)
    for unfit in ([5000], [6000, 5000], [5000, 5000, 0], [-1, 10_001]):
        finalize(exchange, market, unfit)
        assert refused_work(exchange, SETTLE, market, 10) == Refusal("PR422", None)
    finalize(exchange, market, [5000, 5000])
    settle(exchange, market)
    assert (exchange.cash(yes), exchange.cash(no)) == (before[0] + 1_000_000, before[1] + 1_000_000)


def test_each_outcome_of_many_has_its_book_and_is_paid_its_share(exchange: Exchange) -> None:
    market = exchange.market(labels=("Dhaka", "Khulna", "Sylhet"))
    yes, no = exchange.user(), exchange.user()
    for outcome, price in ((0, 5000), (1, 3000), (2, 2000)):
        exchange.place(yes, market, outcome=outcome, price=price)
        exchange.place(no, market, outcome=outcome, position="NO", price=10_000 - price)
    assert exchange.audit() == []
    before = exchange.cash(yes), exchange.cash(no)
    finalize(exchange, market, [0, 10_000, 0])
    settle(exchange, market)
    assert (exchange.cash(yes), exchange.cash(no)) == (before[0] + 1_000_000, before[1] + 2_000_000)


def test_fees_are_swept_to_the_platform(exchange: Exchange) -> None:
    market = exchange.market(fee_bps=200)
    exchange.hand_out(market, exchange.user(), exchange.user())
    fees = exchange.account(market, "market:fees")
    assert fees == 50_000
    swept = exchange.work("select * from sweep_fees(1000, now())")[0]
    assert swept.swept_micros >= fees
    assert exchange.account(market, "market:fees") == 0
    assert tuple(exchange.work("select * from sweep_fees(1000, now())")[0]) == (0, 0)


def test_book_trades_and_statistics_show_no_people(exchange: Exchange) -> None:
    market, maker, taker = exchange.market(), exchange.user(), exchange.user()
    exchange.hand_out(market, maker, taker, lots=500)
    exchange.place(maker, market, price=4900, size=100)
    exchange.place(taker, market, price=4900, size=200)
    exchange.place(maker, market, price=4000, size=100)
    exchange.place(maker, market, side="SELL", price=5100, size=300)
    api = exchange.people[taker]
    book = api.execute("select * from market_book(%s, 0::smallint, 10)", (market,)).fetchall()
    assert book == [("bid", 4900, 300, 2), ("bid", 4000, 100, 1), ("ask", 5100, 300, 1)]
    assert (
        len(api.execute("select * from market_book(%s, 0::smallint, 1)", (market,)).fetchall()) == 2
    )
    trades = api.execute("select * from market_trades(%s, null, null, 10)", (market,))
    assert [row[1:7] for row in trades] == [(0, 5000, 500, "BUY", "NO", "MINT")]
    stats = api.execute("select * from market_stats(%s, now())", (market,)).fetchone()
    assert stats is not None
    liquidity = 300 * 4900 + 300 * 5100
    assert stats[:8] == (2_500_000, 2_500_000, 1, 2, 0, 0, 5_000_000, liquidity)


def test_bars_are_kept_by_the_match(exchange: Exchange) -> None:
    market, maker, taker = exchange.market(), exchange.user(), exchange.user()
    for price in (5000, 5200, 5400):
        exchange.place(maker, market, position="NO", price=10_000 - price)
    exchange.place(taker, market, price=6000, size=300)
    exchange.place(maker, market, price=4000)
    exchange.place(taker, market, position="NO", price=6000)
    rows = exchange.rows("select * from price_bars where market_id = %s", market)
    assert {
        (
            row["interval_s"],
            row["open_bps"],
            row["high_bps"],
            row["low_bps"],
            row["close_bps"],
            row["volume_micros"],
            row["volume_lots"],
            row["trade_count"],
        )
        for row in rows
    } == {(seconds, 5000, 5400, 4000, 4000, 1_960_000, 400, 4) for seconds in (300, 3600)}


def test_a_snapshot_writes_one_point_an_outcome_and_slot(own_exchange: Exchange) -> None:
    exchange = own_exchange
    market, closed = exchange.market(), exchange.market(state="APPROVED")
    user, other = exchange.user(), exchange.user()
    exchange.place(user, market, price=4000, size=200)
    exchange.place(other, market, position="NO", price=5000)
    now = datetime.now(UTC)
    snapshot = "select snapshot_prices(%s)"
    assert [exchange.work(snapshot, now)[0][0] for _ in range(2)] == [1, 0]
    point = exchange.rows("select * from price_points")[0]
    assert (point["market_id"], point["mid_bps"], point["spread_bps"]) == (market, 4500, 1000)
    assert (point["bid_depth_lots"], point["ask_depth_lots"]) == (200, 100)
    exchange.place(user, market, price=4800)
    assert exchange.work(snapshot, now + timedelta(minutes=5))[0][0] == 1
    points = exchange.rows("select mid_bps from price_points order by slot")
    assert [point["mid_bps"] for point in points] == [4500, 4900]
    assert exchange.one("select count(*) from price_points where market_id = %s", closed) == 0


def test_an_order_tells_the_outbox_once(exchange: Exchange) -> None:
    market, maker, taker = exchange.market(), exchange.user(), exchange.user()
    resting = exchange.place(maker, market, position="NO", price=6000, size=300)
    placed = exchange.place(taker, market, price=4000)
    rows = exchange.rows("select payload from outbox where market_id = %s order by id", market)
    assert [row["payload"]["order"]["order_id"] for row in rows] == [
        str(resting.order_id),
        str(placed.order_id),
    ]
    fill = rows[1]["payload"]["fills"][0]
    assert (fill["maker_order_id"], fill["maker_remaining_lots"]) == (str(resting.order_id), 200)


def test_transfers_are_judged(exchange: Exchange) -> None:
    user, market = exchange.user(1_000_000), exchange.market()
    post = "select post_transfer(%s, %s, %s, %s, %s, %s, 'test', %s, now())"
    cases: list[tuple[tuple[object, ...], Refusal]] = [
        (("external", None, "user:cash", user, None, 0, "a"), Refusal("PR400", "amount")),
        (("external", None, "user:cash", user, None, 1, ""), Refusal("PR400", "reference")),
        (("external", None, "external", None, None, 1, "a"), Refusal("PR400", "credit")),
        (("user:cash", user, "external", None, None, 1_000_001, "a"), Refusal("PR402", None)),
        (("external", None, "user:cash", market, None, 1, "a"), Refusal("PR404", None)),
        (("external", None, "market:bonds", None, user, 1, "a"), Refusal("PR404", None)),
    ]
    for parameters, expected in cases:
        assert refused_work(exchange, post, *parameters) == expected
    exchange.work(post, "user:cash", user, "market:bonds", None, market, 400_000, "bond")
    assert (exchange.cash(user), exchange.account(market, "market:bonds")) == (600_000, 400_000)
    exchange.work(post, "market:bonds", None, "user:cash", user, market, 400_000, "back")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        exchange.people[user].execute(post, ("external", None, "user:cash", user, None, 1, "b"))


def test_search_finds_english_and_bengali_by_prefix(exchange: Exchange) -> None:
    market = exchange.market(
        question="Will Dhaka flood?", question_bn="ঢাকায় কি বন্যা হবে?", tags=["weather"]
    )
    found = "select count(*) from markets where id = %s and search_tokens @@ search_query(%s)"
    for words in ("dha", "FLOOD will", "বন্", "ঢাকা", "weath dhaka!", "'flood':"):
        assert exchange.one(found, market, words) == 1, words
    for words in ("dhaka dry", "খুলনা", "", "!!"):
        assert exchange.one(found, market, words) == 0, words
