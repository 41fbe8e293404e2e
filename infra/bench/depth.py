"""An order's latency beside a thousand and a million resting orders."""

from contextlib import ExitStack
from uuid import UUID

import psycopg

from infra.bench.flow import (
    FULL,
    USERS,
    Side,
    add_markets,
    add_users,
    check_audit,
    fresh_database,
    number,
    percentile,
    pinned,
    place_in_one_flush,
)
from infra.bench.registry import Figure, figure
from infra.local.postgres import Postgres

FEW, MANY = 1_000, 1_000_000
ROUNDS = 10
ROUND_ORDERS = 1_000 if FULL else 300
WARM_UP_ORDERS = 300

# Buys of YES below 0.50 and of NO below 0.50 (asks above it), 49 levels a side, in pages as a book
# that grew: neighbours in arrival are neighbours in no level. What they hold is escrowed, as by
# place_order: one transfer a user, and the balances it makes.
REST = """
with placed as (
    insert into orders (id, user_id, account_id, market_id, outcome, position, side, type,
        price_bps, size_lots, client_order_id, request_hash, book_side, book_price_bps, status,
        is_open, remaining_lots, placed_status, created_at, updated_at)
    select gen_random_uuid(), a.user_id, a.id, %(market)s, 0, side.position, 'BUY', 'GTC',
        p.price_bps, p.lots, 'rest-' || right(%(market)s::text, 12) || '-' || n,
        decode(md5(n::text) || md5(n::text), 'hex'),
        side.book_side, case side.position when 'YES' then p.price_bps else 10000 - p.price_bps end,
        'open', true, p.lots, 'open', now(), now()
    from generate_series(1, %(count)s) as n
    cross join lateral (
        select 100 * (1 + (n / 2 * 17) %% 49) as price_bps, 100 * (1 + n %% 10) as lots
    ) as p
    join (values (0, 'YES', 'bid'), (1, 'NO', 'ask')) as side (half, position, book_side)
        on side.half = n %% 2
    join (
        select a.id, a.user_id, row_number() over (order by a.user_id) - 1 as place
        from accounts as a where a.user_id = any (%(users)s)
    ) as a on a.place = n %% 2 * %(half)s + n / 2 %% %(half)s
    returning account_id, remaining_lots * price_bps as held
),
held as (
    select account_id, sum(held)::bigint as micros from placed group by account_id
),
moved as (
    insert into transfers (debit_account, credit_account, amount_micros, kind, reference,
        market_id, created_at)
    select h.account_id, l.orders_account, h.micros, 'order', 'bulk', %(market)s, now()
    from held as h, market_ledgers as l where l.market_id = %(market)s
)
update accounts as a set balance_micros = a.balance_micros + d.delta
from (
    select account_id as id, -micros as delta from held
    union all
    select l.orders_account, (select sum(micros) from held)::bigint
    from market_ledgers as l where l.market_id = %(market)s
) as d
where a.id = d.id
"""


@figure
def order_latency_by_depth(server: Postgres) -> Figure:
    """The 99th percentile of an order's latency with many orders resting, against few."""
    with ExitStack() as stack:
        many, few = (_Book(server, stack, resting) for resting in (MANY, FEW))
        with pinned(many.api.info.backend_pid, few.api.info.backend_pid) as is_pinned:
            for book in (many, few):
                book.side.run(book.owner, book.users, WARM_UP_ORDERS)
                book.side.forget()
            for turn in range(ROUNDS):
                for book in (many, few) if turn % 2 == 0 else (few, many):
                    book.side.run(book.owner, book.users, ROUND_ORDERS)
        for book in (many, few):
            check_audit(book.owner)
        return _figure(many, few, "pinned" if is_pinned else "not pinned")


def _figure(many: "_Book", few: "_Book", note: str) -> Figure:
    p99_us = [percentile(book.side.latencies_s, 99) * 1e6 for book in (many, few)]
    p50_us = [percentile(book.side.latencies_s, 50) * 1e6 for book in (many, few)]
    return Figure(
        name="order_latency_by_depth",
        ours=p99_us[0],
        peer=p99_us[1],
        goal=round(1 / 1.5, 3),
        unit="us",
        better="lower",
        method=f"p99 of {ROUNDS} alternating rounds of {ROUND_ORDERS} orders beside {MANY} resting"
        f" orders, {many.fills_an_order():.2f} fills an order. Peer: the same beside {FEW},"
        f" {few.fills_an_order():.2f} fills an order; within 1.5 times is met. Medians"
        f" {p50_us[0]:.0f} and {p50_us[1]:.0f} us; {note}; resting orders loaded by SQL with their"
        " escrow; the audits are empty at the end",
        goal_is_ratio=True,
    )


class _Book:
    """One market with resting orders, in a database of its own: no index is shared."""

    def __init__(self, server: Postgres, stack: ExitStack, resting: int) -> None:
        name = f"bench_depth_{resting}"
        url = stack.enter_context(fresh_database(server, name))
        self.owner = stack.enter_context(psycopg.connect(url, autocommit=True))
        self.api = stack.enter_context(
            psycopg.connect(
                server.url(name, "presage_api"), autocommit=True, prepare_threshold=None
            )
        )
        self.users: list[UUID] = sorted(add_users(self.owner))
        (self.market,) = add_markets(self.owner, 1)
        self.owner.execute(
            REST,
            {"market": self.market, "count": resting, "users": self.users, "half": USERS // 2},
        )
        self.owner.execute("vacuum analyze")
        self.owner.execute("checkpoint")
        self.side = Side(self.market, place_in_one_flush(self.api))

    def fills_an_order(self) -> float:
        """Fills of the flow, warm-up included."""
        return number(self.owner, "select count(*) from fills") / self.side.orders
