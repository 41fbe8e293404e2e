"""What becomes of an account's orders when it may only close."""

from tests.integration.exchange_sql.exchange import Exchange

UPDATE = """
select cancelled_orders, more_orders from update_user(%s, null, true, null, 'test', '', now())
"""


def test_resting_buys_are_released_a_thousand_at_a_time(own_exchange: Exchange) -> None:
    exchange = own_exchange
    user, ruler, market = exchange.user(), exchange.user(), exchange.market()
    exchange.owner.execute("update users set role = 'admin' where id = %s", (ruler,))
    for _ in range(1_001):
        exchange.place(user, market, price=100)
    with exchange.database.connect("presage_admin", presage__user_id=str(ruler)) as admin:
        told = [admin.execute(UPDATE, (user,)).fetchone() for _ in range(3)]
    assert told == [(1_000, True), (1, False), (0, False)]
    assert exchange.rows("select from orders where is_open") == []
    assert exchange.audit() == []
