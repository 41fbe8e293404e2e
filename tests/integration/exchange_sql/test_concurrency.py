"""Eight connections trade at random on shared markets and accounts; no deadlock reaches one."""

import random
import threading
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb

from tests.integration.exchange_sql.exchange import DEFAULTS, PLACE, Exchange

CLIENTS = 8
STEPS = 60
EXPECTED = {None, "PR402", "PR410", "PR422", "40001"}  # 40001: the caller asks again


class Trader(threading.Thread):
    """A client that speaks for any user, counting the SQLSTATEs it meets."""

    def __init__(
        self, exchange: Exchange, number: int, users: list[UUID], markets: list[UUID]
    ) -> None:
        super().__init__()
        self.random = random.Random(number)  # noqa: S311 - a seeded test
        self.connection = exchange.database.connect("presage_api")
        self.worker = exchange.database.connect("presage_worker")
        self.users, self.markets = users, markets
        self.met: Counter[str | None] = Counter()
        self.placed: list[tuple[UUID, UUID]] = []

    def run(self) -> None:
        """Place, cancel, kill, sweep fees and snapshot at random."""
        for _ in range(STEPS):
            die = self.random.random()
            user = self.random.choice(self.users)
            try:
                if die < 0.60:
                    self.place(user)
                elif die < 0.80:
                    self.place_batch(user)
                elif die < 0.90 and self.placed:
                    owner, order = self.random.choice(self.placed)
                    self.speak(owner, "select * from cancel_order(%s, now())", order)
                elif die < 0.95:
                    self.speak(user, "select * from cancel_orders(null, now())")
                elif die < 0.98:
                    self.worker.execute("select * from sweep_fees(10, now())")
                else:
                    self.worker.execute("select snapshot_prices(now())")
                self.met[None] += 1
            except psycopg.Error as error:
                self.met[error.sqlstate] += 1
        self.connection.close()
        self.worker.close()

    def place(self, user: UUID) -> None:
        """One random order of few prices, so that things cross."""
        order = uuid4()
        fields = {
            "market": self.random.choice(self.markets),
            "position": self.random.choice(["YES", "NO"]),
            "side": self.random.choice(["BUY", "BUY", "SELL"]),
            "type": self.random.choice(["GTC", "GTC", "GTC", "FAK", "FOK"]),
            "price": self.random.choice([4500, 5000, 5500]),
            "size": self.random.choice([100, 200, 500, 900]),
            "stp": self.random.choice(["cancel_taker", "cancel_maker", "cancel_both"]),
            "order_id": order,
            "now": datetime.now(UTC),
        }
        self.speak(user, PLACE, DEFAULTS | fields)
        self.placed.append((user, order))

    def place_batch(self, user: UUID) -> None:
        """A bet slip over all markets."""
        orders = [
            {
                "market_id": str(self.random.choice(self.markets)),
                "outcome": 0,
                "position": self.random.choice(["YES", "NO"]),
                "side": self.random.choice(["BUY", "BUY", "SELL"]),
                "type": self.random.choice(["GTC", "GTC", "FAK"]),
                "price_bps": self.random.choice([4500, 5000, 5500]),
                "size_lots": self.random.choice([100, 200, 500]),
                "self_trade_prevention": self.random.choice(["cancel_taker", "cancel_maker"]),
            }
            for _ in range(self.random.randint(2, 6))
        ]
        self.speak(
            user,
            "select place_orders(%s, %s, %s, %s, %s, now())",
            self.random.choice(["independent", "atomic"]),
            Jsonb(orders),
            str(uuid4()),
            b"h",
            uuid4(),
        )

    def speak(self, user: UUID, query: str, *parameters: object) -> None:
        """One statement as a user, in a transaction of its own, as the handlers do it."""
        named = parameters[0] if parameters and isinstance(parameters[0], dict) else parameters
        with self.connection.transaction():
            self.connection.execute("select set_config('presage.user_id', %s, true)", (str(user),))
            self.connection.execute(query, named)


def test_random_trading_on_eight_connections_keeps_every_invariant(own_exchange: Exchange) -> None:
    exchange = own_exchange
    users = [exchange.user() for _ in range(5)]
    markets = [exchange.market(fee_bps=300, maker_rebate_bps=5000) for _ in range(3)]
    for market in markets:
        exchange.hand_out(market, users[0], users[1], lots=2000)
    traders = [Trader(exchange, number, users, markets) for number in range(CLIENTS)]
    for trader in traders:
        trader.start()
    for trader in traders:
        trader.join()
    met = sum((trader.met for trader in traders), Counter[str | None]())
    assert set(met) <= EXPECTED, met
    assert met[None] > CLIENTS * STEPS / 3
    assert exchange.one("select count(*) from fills") > 50
    assert exchange.audit() == []
    _settle_while_sweeping(exchange, markets)
    assert exchange.audit() == []


def _settle_while_sweeping(exchange: Exchange, markets: list[UUID]) -> None:
    """Copies of a settlement at once, as a workflow delivered twice would run."""
    exchange.owner.execute(
        "update markets set state = 'FINALIZED', final_payout_bps = '{10000,0}', closes_at = now()"
    )
    done: list[bool] = []

    def settle(market: UUID) -> None:
        with exchange.database.connect("presage_worker") as connection, suppress(IndexError):
            for _ in range(50):
                connection.execute("select * from sweep_fees(10, now())")
                row = connection.execute(
                    "select done from settle_market(%s, 1, now())", (market,)
                ).fetchone()
                if row is not None and row[0]:
                    done.append(True)
                    return

    threads = [threading.Thread(target=settle, args=(market,)) for market in markets * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == len(threads)
