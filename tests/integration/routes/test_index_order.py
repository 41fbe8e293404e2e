"""Whatever order a history arrives in, and however often: the tables are the same."""

import json
import random
from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from infra.reindex import reindex
from presage.events import indexing
from tests.chain_history import REBUILT, TABLES, forget, history, tables
from tests.harness import Platform

SEEDS = st.integers(0, 2**32)


def _deliver(platform: Platform, transactions: Sequence[Any]) -> None:
    body = json.dumps(transactions).encode()
    done = indexing.receive_helius(platform.as_zone("worker"), body)
    assert (done.malformed, done.incomplete, done.unknown) == (0, 0, 0)


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
            filled.update(name for name, rows in expected.items() if rows)

    filled: set[str] = set()
    check()
    assert filled == set(TABLES)  # or equal would mean empty


def test_a_rebuild_gives_the_same_tables(module_platform: Platform) -> None:
    platform = module_platform
    with platform.database.connect() as owner:
        for chain in range(4):
            forget(owner)
            past = history(chain, markets=5).transactions
            random.Random(chain).shuffle(past)  # noqa: S311 - an order that comes again
            _deliver(platform, past[: len(past) // 2])
            _deliver(platform, past[len(past) // 2 :])
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
