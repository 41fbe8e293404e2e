"""Whatever order a history arrives in, and however often: the tables are the same."""

import json
import random
from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from infra.local.deliveries import key, market
from infra.reindex import reindex
from presage.events import indexing
from presage.events.transactions import MAX_INDEX, Row, Transaction
from tests.chain_history import PEOPLE, REBUILT, TABLES, forget, history, tables
from tests.harness import Platform

SEEDS = st.integers(0, 2**32)
LANES = 4


def _deliver(platform: Platform, transactions: Sequence[Any]) -> None:
    body = json.dumps(transactions).encode()
    done = indexing.receive_helius(platform.as_zone("worker"), body)
    assert (done.malformed, done.incomplete, done.unknown) == (0, 0, 0)


def _deliver_all(platform: Platform, deliveries: Sequence[Sequence[Any]]) -> None:
    for one in deliveries:
        _deliver(platform, one)


def _observed(transactions: Sequence[Any]) -> list[Transaction]:
    """What accounts said halfway, as if the logs of something before had been cut off."""
    middle = transactions[len(transactions) // 2]
    slot, time_s = middle["slot"], middle["blockTime"]
    this, who = market("1").hex(), key(PEOPLE[0])
    told: dict[str, dict[str, object]] = {
        "MarketObserved": {"market_id": this, "shares_yes": 10**12, "shares_no": 10**11},
        "PositionObserved": {
            "market_id": this,
            "user": who,
            "shares_yes": 7,
            "shares_no": 10**12,
            "has_claimed": True,
            "claimed_amount": 10**11,
        },
    }
    rows = [
        Row(f"observed:{kind}", 0, slot, MAX_INDEX, time_s, kind, this,
            who if kind == "PositionObserved" else None,
            json.dumps({"timestamp": time_s} | data))
        for kind, data in told.items()
    ]  # fmt: skip
    return [Transaction(row.signature, slot, time_s, [row]) for row in rows]


def _look(platform: Platform, *looks: Transaction) -> None:
    indexing.index(platform.as_zone("worker"), indexing.Batch(list(looks)))


def _shuffled(transactions: list[Any], order: random.Random) -> list[list[Any]]:
    """The transactions in another order, some more than once, cut into deliveries."""
    again = order.sample(transactions, len(transactions) // 3)
    arriving = transactions + again
    order.shuffle(arriving)
    cuts = sorted(order.sample(range(len(arriving)), min(len(arriving), order.randint(0, 8))))
    return [
        arriving[start:end] for start, end in zip([0, *cuts], [*cuts, len(arriving)], strict=True)
    ]


def test_any_order_of_deliveries_gives_the_same_tables(module_platform: Platform) -> None:
    platform = module_platform

    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    @given(SEEDS, SEEDS)
    @example(1, 0)
    def check(chain: int, arrival: int) -> None:
        with platform.database.connect() as owner:
            forget(owner)
            past = history(chain).transactions
            _deliver(platform, past)
            expected = tables(owner)
            forget(owner)
            order = random.Random(arrival)  # noqa: S311 - an order that comes again
            for delivery in [past[::-1]] if arrival == 0 else _shuffled(past, order):
                _deliver(platform, delivery)
            assert tables(owner) == expected
            looks = _observed(past)
            _look(platform, *looks)
            seen = tables(owner)
            assert seen["chain_positions"] != expected["chain_positions"]
            assert seen["chain_markets"] != expected["chain_markets"]
            forget(owner)
            arriving = _shuffled(past, order)
            _look(platform, looks[0])
            for number, delivery in enumerate(arriving):
                if number == len(arriving) // 2:
                    _look(platform, looks[1])
                _deliver(platform, delivery)
            _look(platform, *looks)
            assert tables(owner) == seen
            filled.update(name for name, rows in expected.items() if rows)

    filled: set[str] = set()
    check()
    assert filled == set(TABLES)  # or equal would mean empty


def test_deliveries_side_by_side_give_the_same_tables(module_platform: Platform) -> None:
    """The same transactions by several at once, each in an order of its own."""
    platform = module_platform
    with platform.database.connect() as owner, platform.threads(LANES) as pool:
        for chain in range(8):
            forget(owner)
            past = history(chain).transactions
            _deliver(platform, past)
            expected = tables(owner)
            forget(owner)
            orders = [random.Random(10 * chain + lane) for lane in range(LANES)]  # noqa: S311 - comes again
            lanes = [_shuffled(past, order) for order in orders]
            list(pool.map(lambda lane: _deliver_all(platform, lane), lanes))
            assert tables(owner) == expected


def test_a_rebuild_gives_the_same_tables(module_platform: Platform) -> None:
    platform = module_platform
    with platform.database.connect() as owner:
        for chain in range(4):
            forget(owner)
            past = history(chain, markets=5).transactions
            random.Random(chain).shuffle(past)  # noqa: S311 - an order that comes again
            _deliver(platform, past[: len(past) // 2])
            _deliver(platform, past[len(past) // 2 :])
            _look(platform, *_observed(past))
            expected = tables(owner)
            told = owner.execute("select count(*) from outbox").fetchone()
            # What a bug might have left: wrong sums, and rows of no market.
            owner.execute("update chain_markets set shares_yes = 1, state = 'ACTIVE', volume = 0")
            owner.execute("update chain_positions set shares_yes = shares_yes + 1")
            owner.execute("delete from chain_votes where kind = 'dispute'")
            owner.execute("update dispute_weights set weight = 1")
            owner.execute("insert into chain_positions values ('00', 'nobody')")
            assert all(tables(owner)[name] != expected[name] for name in REBUILT[:3])
            # Steps of a few events, of which a market has more.
            done = reindex(platform.database.url("presage_worker"), batch=2, rows=3 + chain)
            assert (done.markets, done.events) == (5, _of_markets(expected))
            assert tables(owner) == expected
            assert owner.execute("select count(*) from outbox").fetchone() == told


def _of_markets(expected: dict[str, list[tuple[Any, ...]]]) -> int:
    """How many events belong to a market: all but those of the programme's config."""
    names = ("ConfigUpdated", "ProtocolPauseStatusChanged")
    rows = [row for (row,) in expected["chain_events"]]
    return sum(not any(name in row for name in names) for row in rows)
