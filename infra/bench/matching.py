"""Single orders: place_order in one flush against an application-side matcher, on one book."""

from functools import cache
from itertools import batched
from statistics import median

from infra.bench import duel
from infra.bench.duel import Duel, Plan
from infra.bench.flow import FULL, percentile, place_in_batches
from infra.bench.registry import Figure, figure
from infra.local.postgres import Postgres

ROUNDS = 6
ROUND_ORDERS = 500
WARM_UP_ORDERS = 500
CLOUD_ROUND_ORDERS = 400 if FULL else 80
CLOUD_WARM_UP_ORDERS = 100
BATCH = 20

_NOTE = "Ours: place_order in one pipelined flush, unprepared"


@cache
def _near(server: Postgres) -> Duel:
    plan = Plan(
        database="bench_matching",
        rounds=ROUNDS,
        round_orders=ROUND_ORDERS,
        warm_up_orders=WARM_UP_ORDERS,
    )
    return duel.run(server, plan)


@figure
def single_orders(server: Postgres) -> Figure:
    """Orders a second, each in its own durable transaction."""
    return _near(server).orders_per_second("single_orders", 3, _NOTE)


@figure
def wal_per_order(server: Postgres) -> Figure:
    """Bytes of write-ahead log an order, full-page images included."""
    measured = _near(server)
    return measured.figure(
        "wal_per_order",
        measured.ours.wal_bytes / measured.count,
        measured.peer.wal_bytes / measured.count,
        3584,
        "bytes",
        "lower",
        f"pg_current_wal_insert_lsn around the rounds. {_NOTE}",
    )


@figure
def order_latency_spread(server: Postgres) -> Figure:
    """The 95th percentile of an order's latency over its median, one client; the median round."""
    measured = _near(server)
    return measured.figure(
        "order_latency_spread",
        _spread(measured.ours.latencies_s),
        _spread(measured.peer.latencies_s),
        1.8,
        "p95/p50",
        "lower",
        f"the median round; p50 of ours {_ms(measured.ours.latencies_s, 50)}, p95"
        f" {_ms(measured.ours.latencies_s, 95)}, of the peer {_ms(measured.peer.latencies_s, 50)}"
        f" and {_ms(measured.peer.latencies_s, 95)}. {_NOTE}",
    )


def _spread(latencies_s: list[float]) -> float:
    rounds = batched(latencies_s, ROUND_ORDERS, strict=False)
    return median(percentile(one, 95) / percentile(one, 50) for one in rounds)


def _ms(latencies_s: list[float], percent: float) -> str:
    return f"{percentile(latencies_s, percent) * 1e3:.2f} ms"


@figure
def cloud_single_orders(server: Postgres) -> Figure:
    """As single_orders, with 0.5 ms more a round trip and 1 ms more a commit for both."""
    plan = Plan(
        database="bench_cloud",
        rounds=ROUNDS,
        round_orders=CLOUD_ROUND_ORDERS,
        warm_up_orders=CLOUD_WARM_UP_ORDERS,
        cloud=True,
    )
    return duel.run(server, plan).orders_per_second("cloud_single_orders", 4, _NOTE)


@figure
def batches_of_20(server: Postgres) -> Figure:
    """As single_orders, but ours places one user's twenty orders by one call."""
    plan = Plan(
        database="bench_batches",
        rounds=ROUNDS,
        round_orders=ROUND_ORDERS,
        warm_up_orders=WARM_UP_ORDERS,
        batch=BATCH,
        ours=place_in_batches,
    )
    note = f"Ours: place_orders, {BATCH} orders of one user in one pipelined flush, unprepared"
    return duel.run(server, plan).orders_per_second("batches_of_20", 11, note)
