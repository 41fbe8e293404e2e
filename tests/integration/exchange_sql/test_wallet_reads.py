"""Lists of money at size: a page is read by index, whoever asks and however long the past is."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from presage.db.queries import Queries
from tests.conftest import Database
from tests.integration.exchange_sql.exchange import Exchange

QUERIES = Queries(Path(__file__).resolve().parents[3] / "shared/presage/ledger/queries.sql")
PEOPLE, EACH = 10, 4_000
MOST_ROWS = PEOPLE * EACH // 100  # those that wait may be sorted, nothing else
MAKE_DEPOSITS = """
insert into deposits (
    id, user_id, method, currency, amount_micros, credited_micros, sender_reference, reference_key,
    status, created_at, expires_at, decided_at)
select gen_random_uuid(), %(user)s, 'bank', 'BDT', 5000000, 5000000, 'r',
       md5(%(user)s::text || i), s.status, now(), now() + interval '1 day',
       case when s.status <> 'pending' then now() end
from generate_series(1, %(count)s) as i
cross join lateral (
    select case i %% 100 when 0 then 'pending' when 1 then 'rejected' else 'verified' end as status
) as s
"""
MAKE_WITHDRAWALS = """
insert into withdrawals (
    id, user_id, method, currency, amount_micros, payout_micros, destination, status,
    external_reference, created_at, decided_at)
select gen_random_uuid(), %(user)s, 'bank', 'BDT', 5000000, 5000000, '123456', s.status,
       case s.status when 'completed' then 'paid' end, now(),
       case when s.status <> 'pending' then now() end
from generate_series(1, %(count)s) as i
cross join lateral (
    select case i %% 100 when 0 then 'pending' when 1 then 'rejected' else 'completed' end as status
) as s
"""
MAKE_TRANSFERS = """
insert into transfers (debit_account, credit_account, amount_micros, kind, reference, created_at)
select case i %% 2 when 0 then a.id else e.id end, case i %% 2 when 0 then e.id else a.id end, 1,
       'gift', i, now()
from generate_series(1, %(count)s) as i
cross join (select id from accounts where user_id = %(user)s) as a
cross join (select id from accounts where kind = 'external') as e
"""
NOW = datetime.now(UTC)
NO_FILTER: dict[str, Any] = {
    "limit": 20,
    "mark": None,
    "stored": None,
    "status": None,
    "now": NOW,
    "before": None,
    "kind": None,
    "made_from": None,
    "made_to": None,
}


@pytest.fixture(scope="module")
def crowded(module_database: Database) -> Iterator[tuple[Exchange, UUID]]:
    """Ten people with four thousand deposits, withdrawals and transfers each; one of them."""
    exchange = Exchange.at(module_database)
    users = [exchange.user() for _ in range(PEOPLE)]
    for user in users:
        for make in (MAKE_DEPOSITS, MAKE_WITHDRAWALS, MAKE_TRANSFERS):
            exchange.owner.execute(make, {"user": user, "count": EACH})
    exchange.owner.execute("vacuum analyze")
    yield exchange, users[4]
    exchange.close()


ALL_DEPOSITS = ["pending", "verified", "rejected", "expired"]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("list_deposits", {}),
        ("list_deposits", {"mark": 35_000, "status": "verified"}),
        ("list_all_deposits", {"stored": ALL_DEPOSITS}),
        ("list_all_deposits", {"stored": ALL_DEPOSITS, "mark": 40_000}),
        ("list_all_deposits", {"stored": ["verified"], "status": "verified", "mark": 10_000}),
        ("list_pending_deposits", {"mark": 100}),
        ("list_withdrawals", {}),
        ("list_all_withdrawals", {"stored": ["pending", "completed", "rejected"]}),
        ("list_all_withdrawals", {"stored": ["completed"]}),
        ("list_pending_withdrawals", {}),
        ("list_ledger", {}),
        ("list_ledger", {"before": 17_000}),
        ("list_ledger", {"kind": "gift", "made_to": datetime(2100, 1, 1, tzinfo=UTC)}),
    ],
    ids=str,
)
def test_a_page_of_money_reads_little(
    name: str, fields: dict[str, Any], crowded: tuple[Exchange, UUID]
) -> None:
    exchange, user = crowded
    role = "presage_admin" if "all" in name or "pending" in name else "presage_api"
    told = NO_FILTER | fields
    query = QUERIES[name].sql.rstrip(";").encode()
    with exchange.database.connect(role, presage__user_id=str(user)) as connection:
        connection.prepare_threshold = None  # as the handlers do: planned for the values at hand
        assert len(connection.execute(query, told).fetchall()) == 20
        plan = connection.execute(b"explain (analyze, format json) " + query, told).fetchone()
    assert plan is not None
    assert _rows_read(plan[0][0]["Plan"]) <= MOST_ROWS, plan


def _rows_read(plan: dict[str, Any]) -> int:
    """How many rows of tables a plan looked at, wanted or not."""
    below: int = sum(_rows_read(one) for one in plan.get("Plans", []))
    if "Relation Name" not in plan:
        return below
    seen: float = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
    loops: int = plan["Actual Loops"]
    return below + round(seen * loops)


def test_sums_of_the_audit_take_moments(crowded: tuple[Exchange, UUID]) -> None:
    """The deposits were made up: each verified one is named, in one pass over both tables."""
    exchange, _user = crowded
    with exchange.database.connect("presage_worker", statement_timeout="5s") as worker:
        found = worker.execute(
            "select invariant, count(*) from presage_audit() group by invariant order by invariant"
        ).fetchall()
    assert found == [
        ("deposits_match_transfers", PEOPLE * EACH * 98 // 100),
        ("withdrawals_match_transfers", PEOPLE * EACH * 101 // 100),
    ]
