"""Workflows: who may start one, that a slot completes once, and that a crash loses nothing."""

import os
import signal
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from presage import clock, config
from presage.routes import ROUTES
from presage.workflows.groups import GROUPS
from presage.workflows.runs import LEASE_S
from tests.harness import NEXT_KEY, Answer, Platform, Wallet, sign_delivery

ROOT = Path(__file__).resolve().parents[3]
WAITERS = "from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


def _runs(platform: Platform) -> list[tuple[Any, ...]]:
    with platform.database.connect() as owner:
        return owner.execute(
            "select name, status, attempt from workflow_runs order by started_at, name"
        ).fetchall()


def _signed(
    platform: Platform, signature: str, raw: bytes = b"", *, stem: str = "cleanup"
) -> Answer:
    headers = {"upstash-signature": signature, "upstash-message-id": "msg_1"}
    return platform.invoke(stem, platform.event(stem, raw=raw, headers=headers))


def _url(stem: str = "cleanup") -> str:
    return config.get("PUBLIC_BASE_URL") + ROUTES[stem].path


@pytest.mark.parametrize("stem", [one.stem for one in ROUTES.values() if one.auth == "qstash"])
def test_what_qstash_did_not_sign_is_refused_and_leaves_no_row(
    stem: str, module_platform: Platform
) -> None:
    platform = module_platform
    url = config.get("PUBLIC_BASE_URL") + ROUTES[stem].path
    other = _url("sweep_fees" if stem != "sweep_fees" else "cleanup")
    now = clock.now_ms() // 1000
    good = sign_delivery(url, b"")
    head, claims, signature = good.split(".")
    body = b'{"slot": "2026-07-24T00:00:00Z"}'
    before = _rows(platform)
    refused = {
        "unsigned": platform.call(stem),
        "empty": _signed(platform, "", stem=stem),
        "wrong key": _signed(platform, sign_delivery(url, b"", key="x" * 40), stem=stem),
        "expired": _signed(platform, sign_delivery(url, b"", exp=now - 31), stem=stem),
        "not yet": _signed(platform, sign_delivery(url, b"", nbf=now + 31), stem=stem),
        "another URL": _signed(platform, sign_delivery(other, b""), stem=stem),
        "another host": _signed(
            platform, sign_delivery(url.replace("127.0.0.1", "localhost"), b""), stem=stem
        ),
        "another body": _signed(platform, good, raw=body, stem=stem),
        "its body left out": _signed(platform, sign_delivery(url, body), stem=stem),
        "another issuer": _signed(platform, sign_delivery(url, b"", iss="Upstart"), stem=stem),
        "altered": _signed(platform, f"{head}.{claims[:-2]}AA.{signature}", stem=stem),
        "no algorithm": _signed(platform, f"eyJhbGciOiJub25lIn0.{claims}.", stem=stem),
        "nonsense": _signed(platform, "a.b.c", stem=stem),
    }
    assert {name: answer.status for name, answer in refused.items()} == dict.fromkeys(refused, 401)
    assert _rows(platform) == before


def test_what_qstash_signed_is_served(platform: Platform) -> None:
    assert _signed(platform, sign_delivery(_url(), b"")).status == 200


def _rows(platform: Platform) -> dict[str, int]:
    """How many rows each table has."""
    with platform.database.connect() as owner:
        names = [
            name
            for (name,) in owner.execute(
                "select relname from pg_class where relnamespace = 'public'::regnamespace"
                " and relkind = 'r'"
            ).fetchall()
        ]
        counts = (f"select '{name}', count(*) from {name}" for name in names)  # noqa: S608 - ours
        return dict(owner.execute(" union all ".join(counts).encode()).fetchall())


def test_the_next_key_is_taken_during_a_rotation(platform: Platform) -> None:
    assert _signed(platform, sign_delivery(_url(), b"", key=NEXT_KEY)).status == 200


def test_the_clocks_may_differ_by_half_a_minute(platform: Platform) -> None:
    now = clock.now_ms() // 1000
    assert _signed(platform, sign_delivery(_url(), b"", exp=now - 29, nbf=now + 29)).status == 200


def test_a_slot_completes_once(platform: Platform) -> None:
    first = platform.deliver("price_snapshot")
    assert (first.status, first.data["duplicate"]) == (200, False)
    other_message = platform.deliver("price_snapshot")
    assert (other_message.status, other_message.data["duplicate"]) == (200, True)
    platform.advance(300)
    next_slot = platform.deliver("price_snapshot")
    assert next_slot.data["duplicate"] is False
    assert _runs(platform) == [("price_snapshot", "completed", 1)] * 2


def test_a_message_completes_once_however_late_it_comes_again(platform: Platform) -> None:
    message = {"upstash-message-id": "msg_same"}
    platform.deliver("price_snapshot", **message)
    platform.advance(900)
    assert platform.deliver("price_snapshot", **message).data["duplicate"] is True
    assert len(_runs(platform)) == 1


def test_a_live_run_is_left_alone_and_a_crashed_one_taken_over(platform: Platform) -> None:
    with platform.database.connect() as owner:
        owner.execute(
            "insert into workflow_runs (id, name, slot, part, message_id, attempt, status,"
            " lease_until, started_at) values (%s, 'price_snapshot', %s, 0, 'msg_0', 1, 'running',"
            " %s, %s)",
            (
                uuid.uuid4(),
                clock.floor_to(clock.now(), 300),
                clock.from_ms(clock.now_ms() + LEASE_S * 1000),
                clock.now(),
            ),
        )
    live = platform.deliver("price_snapshot")
    assert (live.status, live.headers["retry-after"]) == (503, "30")
    platform.advance(LEASE_S)
    taken = platform.deliver("price_snapshot", **{"upstash-retried": "1"})
    assert taken.data["duplicate"] is False
    assert _runs(platform) == [("price_snapshot", "completed", 2)]


@pytest.mark.parametrize("is_one_message", [True, False])
def test_of_twenty_duplicates_at_once_one_works(
    platform: Platform, admin: Wallet, *, is_one_message: bool
) -> None:
    """The one that works is held up at a market's lock, so that the others meet it alive."""
    market = platform.active_market(admin, admin)
    platform.advance(86_400)
    headers = {"upstash-message-id": "msg_twenty"} if is_one_message else {}

    def deliver(_: int) -> Answer:
        try:
            return platform.deliver("market_close_check", **headers)
        finally:
            platform.close()

    with platform.database.connect() as holder, ThreadPoolExecutor(20) as pool:
        holder.autocommit = False
        holder.execute("select from markets where id = %s for update", (market,))
        deliveries = [pool.submit(deliver, number) for number in range(20)]
        done = 0
        while done < 19:
            time.sleep(0.05)
            done = sum(one.done() for one in deliveries)
        holder.rollback()
        answers = [one.result() for one in deliveries]
    assert sorted(one.status for one in answers) == [200] + [503] * 19
    [worked] = [one for one in answers if one.status == 200]
    assert worked.data["counts"]["closed"] == 1
    assert _runs(platform) == [("market_close_check", "completed", 1)]
    assert deliver(0).data["duplicate"] is True


def test_a_failed_run_runs_again(platform: Platform) -> None:
    with platform.database.connect() as owner:
        owner.execute("alter function public.snapshot_prices rename to hidden")
        failed = platform.deliver("price_snapshot")
        owner.execute("alter function public.hidden rename to snapshot_prices")
    assert (failed.status, failed.body["code"]) == (500, "INTERNAL_ERROR")
    assert "retry-after" in failed.headers
    assert "snapshot_prices" not in str(failed.body)
    assert platform.deliver("price_snapshot").data["duplicate"] is False
    assert _runs(platform) == [("price_snapshot", "completed", 2)]


def test_an_operator_names_the_slot_and_is_audited(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    bearer = {"authorization": "Bearer let-me-in-please"}
    body = {"slot": "2026-07-24T00:00:00Z"}
    assert platform.call("cleanup", body=body, headers=bearer).status == 401
    monkeypatch.setenv("CRON_SECRET", "let-me-in-please")
    unnamed = platform.call("cleanup", headers=bearer)
    assert (unnamed.status, unnamed.body["details"]["field"]) == (400, "slot")
    assert platform.call("cleanup", body=body, headers=bearer).status == 200
    assert platform.call("cleanup", body=body, headers={"authorization": "Bearer no"}).status == 401
    with platform.database.connect() as owner:
        audited = owner.execute("select action, resource_id from audit_log").fetchall()
    assert audited == [("start_workflow", "cleanup")]


def test_every_task_of_a_group_exists() -> None:
    assert {task for tasks in GROUPS.values() for task in tasks} <= set(ROUTES)


def test_one_failing_item_stops_none(
    platform: Platform, admin: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A market whose orders cannot be released now is a dead letter; the others are tidied."""
    trader = platform.sign_in()
    platform.fund(trader, 100_000_000)
    good, bad = (platform.active_market(admin, admin) for _ in range(2))
    for market in (good, bad):
        platform.order(trader, market, side="BUY", price=0.5, size=10)
    platform.advance(86_400)
    monkeypatch.setenv("WORKER_STATEMENT_TIMEOUT_MS", "300")
    with platform.database.connect() as owner:
        owner.autocommit = False
        owner.execute("select from markets where id = %s for update", (bad,))
        done = platform.deliver("market_close_check")
        owner.rollback()
    assert (done.status, done.data["status"]) == (200, "partial")
    assert done.data["counts"] == {"told": 0, "closed": 1, "releasedOrders": 1}
    with platform.database.connect() as owner:
        letters = owner.execute("select workflow, item, status from dead_letters").fetchall()
    assert letters == [("market_close_check", bad, "pending")]
    platform.advance(300)
    assert platform.deliver("market_close_check").data["counts"]["closed"] == 1


def test_a_settlement_killed_in_the_middle_pays_once(platform: Platform, admin: Wallet) -> None:
    """The process dies after the first market is paid, while it works on the second."""
    traders = [platform.sign_in() for _ in range(2)]
    for trader in traders:
        platform.fund(trader, 100_000_000)
    markets = [platform.active_market(admin, admin, disputeWindowS=3600) for _ in range(2)]
    for market in markets:
        platform.order(traders[0], market, side="BUY", price=0.5, size=10)
        platform.order(traders[1], market, side="BUY", outcome="NO", price=0.5, size=10)
    platform.advance(86_400)
    for market in markets:
        body = {"outcome": "YES"}
        platform.call("resolve_market", token=admin.token, market_id=market, body=body)
        platform.advance(1)
    platform.advance(3600)
    assert platform.deliver("market_monitor").data["counts"] == {
        "finalized": 2,
        "concluded": 0,
        "sent": 0,
        "cancelled": 0,
    }
    with platform.database.connect() as owner:
        order = [
            str(market)
            for (market,) in owner.execute(
                "select id from markets order by finalized_at, id"
            ).fetchall()
        ]
    _settle_and_kill(platform, blocked=order[1])
    assert platform.deliver("settle_market").status == 503
    platform.advance(LEASE_S)
    assert platform.deliver("settle_market").data["counts"]["settled"] == 1
    balances = [
        platform.call("get_wallet", token=trader.token).data["available"] for trader in traders
    ]
    assert balances == [110.0, 90.0]
    assert platform.audit() == []


def _settle_and_kill(platform: Platform, *, blocked: str) -> None:
    """Start the delivery in a process of its own, hold one market's lock, and kill it there."""
    program = (
        "from pathlib import Path; from tests.conftest import Database;"
        "from tests.harness import Platform;"
        f"print(Platform(None, Path({str(platform.clock_file)!r})).deliver('settle_market'))"
    )
    with platform.database.connect() as holder:
        holder.autocommit = False
        holder.execute("select from markets where id = %s for update", (blocked,))
        child = subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": f"{ROOT}/shared:{ROOT}"},
            stdout=subprocess.DEVNULL,
        )
        _wait_for_waiter(platform)
        child.send_signal(signal.SIGKILL)
        child.wait(10)
        # Its backend would finish the statement that it has been sent: end that too.
        with platform.database.connect() as killer:
            killer.execute(f"select pg_terminate_backend(pid) {WAITERS}".encode())
        holder.rollback()
    assert child.returncode == -signal.SIGKILL


def _wait_for_waiter(platform: Platform) -> None:
    with platform.database.connect() as watcher:
        for _ in range(400):
            row = watcher.execute(f"select count(*) {WAITERS}".encode()).fetchone()
            if row and row[0]:
                return
            time.sleep(0.05)
    raise psycopg.OperationalError("the settlement never reached the locked market")
