"""Settlement of a hundred thousand holders in chunks, against one holder a statement."""

import time
from datetime import UTC, datetime
from uuid import UUID

import psycopg

from infra.bench.flow import BenchError, add_markets, check_audit, fresh_database, number
from infra.bench.registry import Figure, figure
from infra.local.postgres import Postgres
from presage.markets.upkeep import HOLDERS_PER_PAYOUT

HOLDERS = 100_000
PEER_HOLDERS = 2_000
LOTS = 1_000

# Half hold YES and half NO, each bought at 0.50 with money that was deposited.
HOLD = """
with people as (
    insert into users (id, address, chain, created_at)
    select gen_random_uuid(), %(market)s || ':' || n, 'evm', now()
    from generate_series(1, %(holders)s) as n
    returning id
),
opened as (
    insert into accounts (id, kind, user_id, balance_micros)
    select nextval('account_ids'), 'user:cash', p.id, 0 from people as p
    returning id, user_id
),
held as (
    insert into positions (market_id, user_id, outcome, position, held_lots, cost_micros,
        updated_at)
    select %(market)s, o.user_id, 0, case o.id %% 2 when 0 then 'YES' else 'NO' end, %(lots)s,
           %(lots)s * 5000, now()
    from opened as o
),
moved as (
    insert into transfers (debit_account, credit_account, amount_micros, kind, reference, market_id,
        created_at)
    select e.id, o.id, %(lots)s * 5000, 'deposit', o.user_id, null, now()
    from opened as o, accounts as e where e.kind = 'external'
    union all
    select o.id, l.escrow_account, %(lots)s * 5000, 'mint', o.user_id, l.market_id, now()
    from opened as o, market_ledgers as l where l.market_id = %(market)s
)
update accounts as a set
    balance_micros = a.balance_micros
        + case a.kind when 'external' then -1 else 1 end * %(holders)s::bigint * %(lots)s * 5000
where a.kind = 'external' or (a.kind = 'market:escrow' and a.market_id = %(market)s)
"""


def _settle(worker: psycopg.Connection, market: UUID, chunk: int) -> float:
    """Pay everybody, `chunk` holders a durable transaction; the seconds it took."""
    started = time.perf_counter()
    done = False
    while not done:
        row = worker.execute(
            "select done from settle_market(%s, %s, %s)", (market, chunk, datetime.now(UTC))
        ).fetchone()
        done = bool(row and row[0])
    return time.perf_counter() - started


@figure
def settlement(server: Postgres) -> Figure:
    """Holders paid a second until the last one is."""
    with (
        fresh_database(server, "bench_settlement") as url,
        psycopg.connect(url, autocommit=True) as owner,
    ):
        big, small = add_markets(owner, 2)
        for market, holders in ((big, HOLDERS), (small, PEER_HOLDERS)):
            owner.execute(HOLD, {"market": market, "holders": holders, "lots": LOTS})
        owner.execute(
            "update markets set state = 'FINALIZED', final_payout_bps = '{10000,0}',"
            " finalized_at = now()"
        )
        owner.execute("vacuum analyze")
        check_audit(owner)
        worker_url = server.url("bench_settlement", "presage_worker")
        with psycopg.connect(worker_url, autocommit=True) as worker:
            spent_s = _settle(worker, big, HOLDERS_PER_PAYOUT)
            peer_s = _settle(worker, small, 1)
        owner.execute("analyze")
        check_audit(owner)
        paid = number(owner, "select count(*) from settlements where market_id = %s", big)
        if paid != HOLDERS:
            raise BenchError(f"{paid:.0f} of {HOLDERS} holders were paid")
    return Figure(
        name="settlement",
        ours=HOLDERS / spent_s,
        peer=PEER_HOLDERS / peer_s,
        goal=5,
        unit="holders/s",
        better="higher",
        method=f"{HOLDERS} holders, half of them winners, in {spent_s:.1f} s by settle_market in"
        f" chunks of {HOLDERS_PER_PAYOUT}, a durable transaction each; empty audits before and"
        f" after. Peer: settle_market one holder a call, {PEER_HOLDERS} holders in {peer_s:.1f} s",
        goal_is_ratio=True,
    )
