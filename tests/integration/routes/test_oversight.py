"""What operators look at: runs, discrepancies, figures; and what raises the alarm by itself."""

import json
from typing import Any

import pytest

from presage import clock
from tests.harness import Platform, Wallet

DAY = 86_400


@pytest.fixture
def trader(platform: Platform) -> Wallet:
    wallet = platform.sign_in()
    platform.fund(wallet, 1_000_000_000)
    return wallet


def _alerts(platform: Platform) -> list[tuple[str, str, int, dict[str, Any]]]:
    with platform.database.connect() as owner:
        rows = owner.execute(
            "select type, severity, count, data from ops_alerts order by id"
        ).fetchall()
    return [(kind, severity, count, data) for kind, severity, count, data in rows]


def _monitor(platform: Platform, advance_s: int = 60) -> None:
    platform.advance(advance_s)
    assert platform.deliver("market_monitor").status == 200


def _break_the_books(platform: Platform) -> None:
    with platform.database.connect() as owner:
        owner.execute(
            "update accounts set balance_micros = balance_micros + 1 where id = ("
            " select id from accounts where kind = 'user:cash' limit 1)"
        )


def test_runs_are_listed_filtered_and_paged(platform: Platform, admin: Wallet) -> None:
    for _ in range(3):
        platform.deliver("price_snapshot")
        platform.advance(300)
    with platform.database.connect() as owner:
        owner.execute("alter function public.expire_deposits rename to hidden")
        platform.deliver("cleanup_expired_deposits")
        owner.execute("alter function public.hidden rename to expire_deposits")

    def listed(**query: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = platform.call(
            "list_workflow_runs", token=admin.token, query=query
        ).data
        return rows

    assert [one["name"] for one in listed()] == ["cleanup_expired_deposits"] + [
        "price_snapshot"
    ] * 3
    (failed,) = listed(status="failed")
    assert "UndefinedFunction" in failed["error"]
    (newest,) = listed(name="price_snapshot", limit=1)
    assert (newest["slot"], newest["status"], newest["attempt"]) == (
        "2026-07-24T12:10:00+00:00",
        "completed",
        1,
    )
    assert json.loads(newest["counts"]) == {"points": 0}
    window = {"from": "2026-07-24T12:05:00Z", "to": "2026-07-24T12:10:00Z"}
    assert [one["slot"] for one in listed(**window)] == ["2026-07-24T12:05:00+00:00"]
    seen, cursor = [], None
    for _ in range(3):
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = platform.call("list_workflow_runs", token=admin.token, query=query)
        seen += [one["id"] for one in answer.data]
        cursor = answer.body["pagination"]["nextCursor"]
    assert seen == [one["id"] for one in listed()]


def test_books_that_agree_raise_nothing(platform: Platform, admin: Wallet, trader: Wallet) -> None:
    platform.order(trader, platform.active_market(admin, trader), side="BUY", price=0.4, size=5)
    assert platform.deliver("audit_books").data["counts"] == {"findings": 0}
    assert platform.call("list_discrepancies", token=admin.token).data == []
    assert _alerts(platform) == []


@pytest.mark.usefixtures("trader")
def test_books_that_do_not_are_the_loudest_alert(platform: Platform, admin: Wallet) -> None:
    _break_the_books(platform)
    broken = ["accounts_sum_to_zero", "balance_equals_transfers"]
    answer = platform.call("list_discrepancies", token=admin.token)
    assert sorted(one["invariant"] for one in answer.data) == broken
    assert answer.body["pagination"]["total"] == 2
    assert platform.deliver("audit_books").data["counts"] == {"findings": 2}
    ((kind, severity, count, data),) = _alerts(platform)
    assert (kind, severity, count) == ("audit_failed", "CRITICAL", 1)
    assert (data["invariants"], data["findings"]) == (broken, 2)


def test_the_figures_are_those_of_the_tables(
    platform: Platform, admin: Wallet, trader: Wallet
) -> None:
    market = platform.active_market(admin, trader)
    platform.order(trader, market, side="BUY", price=0.4, size=5)
    platform.advance(3_600)
    other = platform.sign_in()
    platform.fund(other, 1_000_000_000)
    platform.order(other, market, side="BUY", outcome="NO", price=0.6, size=5)
    platform.order(other, market, side="BUY", price=0.1, size=5)
    platform.call("create_ticket", token=trader.token, body={"title": "a", "message": "b"})
    with platform.database.connect() as owner:
        owner.execute(
            "insert into dead_letters (workflow, item, error, failures, status, next_attempt_at,"
            " created_at, updated_at) values"
            " ('cleanup', '1', 'x', 1, 'pending', now(), now(), now()),"
            " ('cleanup', '2', 'x', 1, 'manual_review', null, now(), now()),"
            " ('cleanup', '3', 'x', 1, 'resolved', null, now(), now())"
        )
        outbox = owner.execute("select count(*) from outbox where published_at is null").fetchone()
        owner.execute("alter function public.snapshot_prices rename to hidden")
        platform.deliver("price_snapshot")
        owner.execute("alter function public.hidden rename to snapshot_prices")
    assert outbox is not None
    assert outbox[0] > 0
    figures = platform.call("get_admin_metrics", token=admin.token).data
    assert figures == {
        "unpublishedOutbox": outbox[0],
        "pendingDeadLetters": 2,
        "openEscalations": 1,
        "openAlerts": 1,
        "unsettledMarkets": 0,
        "workflowFailures24h": 1,
        "orders": 2,
        "fills": 1,
    }


def test_a_market_that_cannot_be_finalized_is_told(
    platform: Platform, admin: Wallet, trader: Wallet
) -> None:
    market = platform.active_market(admin, trader, disputeWindowS=3_600)
    platform.advance(DAY)
    body = {"outcome": "NO"}
    platform.call("resolve_market", token=admin.token, market_id=market, body=body)
    with platform.database.connect() as owner:
        owner.execute("alter function public.move_market rename to hidden")
        _monitor(platform, 3_600)
        assert _alerts(platform) == []
        _monitor(platform, 600)
        _monitor(platform)
        owner.execute("alter function public.hidden rename to move_market")
    slug = platform.call("get_market", market_id=market).data["slug"]
    facts = {"marketId": market, "slug": slug, "state": "RESOLVING"}
    assert _alerts(platform) == [("transition_overdue", "HIGH", 2, facts)]
    _monitor(platform, 600)  # as a dead letter it waits for ten minutes
    assert platform.call("get_market", market_id=market).data["state"] == "FINALIZED"
    _monitor(platform)
    assert _alerts(platform) == [("transition_overdue", "HIGH", 2, facts)]


def test_a_market_that_waits_for_a_human_is_told_after_thirty_days(
    platform: Platform, admin: Wallet, trader: Wallet
) -> None:
    closed = platform.active_market(admin, trader)
    disputed = platform.active_market(admin, trader)
    platform.order(trader, disputed, side="BUY", price=0.4, size=10)
    other = platform.sign_in()
    platform.fund(other, 1_000_000_000)
    platform.order(other, disputed, side="BUY", outcome="NO", price=0.6, size=10)
    platform.advance(DAY)
    body = {"outcome": "NO"}
    platform.call("resolve_market", token=admin.token, market_id=disputed, body=body)
    assert platform.dispute(trader, disputed).status == 201
    vote = {"marketId": disputed, "vote": "support"}
    assert platform.call("vote_on_dispute", token=trader.token, body=vote).status == 200
    _monitor(platform, 3 * DAY)  # the votes would move money: an admin is asked
    _monitor(platform, 27 * DAY - 60)
    assert _alerts(platform) == []
    _monitor(platform, 60)
    told = [(kind, severity, data["marketId"]) for kind, severity, _, data in _alerts(platform)]
    assert sorted(told) == sorted(
        ("stuck_market", "MEDIUM", market) for market in (closed, disputed)
    )


def test_what_never_began_is_told_after_thirty_days(
    platform: Platform, admin: Wallet, trader: Wallet
) -> None:
    far = {"closesAt": clock.from_ms(clock.now_ms() + 90 * DAY * 1_000).isoformat()}
    proposed, approved = (platform.proposed_market(trader, **far) for _ in range(2))
    platform.active_market(admin, trader, **far)
    platform.advance(60)
    platform.call("approve_market", token=admin.token, market_id=approved)
    _monitor(platform, 30 * DAY - 61)
    assert _alerts(platform) == []
    _monitor(platform, 60)  # approved a minute after it was proposed
    assert [data["marketId"] for _, _, _, data in _alerts(platform)] == [proposed]
    _monitor(platform, 60)
    told = [(kind, severity, data["marketId"]) for kind, severity, _, data in _alerts(platform)]
    assert sorted(told) == sorted(
        ("stuck_market", "MEDIUM", market) for market in (proposed, approved)
    )
