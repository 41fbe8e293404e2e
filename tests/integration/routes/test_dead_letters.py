"""Dead letters: tried again at their times, then an admin's; messages that QStash gave up."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra import schedules
from presage import clock, config
from presage.adapters.qstash import connected
from presage.ops.watchdog import SCHEDULED
from presage.routes import ROUTES
from presage.workflows import runs
from presage.workflows.run import Outcome, Run
from tests.harness import CURRENT_KEY, NEXT_KEY, Answer, Platform, Wallet
from tests.integration.local.conftest import run_module

TOKEN = "letters"


@pytest.fixture
def qstash_url(
    tmp_path: Path, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The QStash emulator, to publish to, on the platform's clock."""
    assert platform.clock_file.exists()
    keys = ("--current-key", CURRENT_KEY, "--next-key", NEXT_KEY)
    with run_module("infra.local.qstash", tmp_path, "--token", TOKEN, *keys) as port:
        url = f"http://127.0.0.1:{port}"
        monkeypatch.setenv("QSTASH_URL", url)
        monkeypatch.setenv("QSTASH_TOKEN", TOKEN)
        yield url


def _letters(platform: Platform) -> list[tuple[Any, ...]]:
    """Workflow, item, status, failures, retries and minutes to the next attempt."""
    with platform.database.connect() as owner:
        return owner.execute(
            "select workflow, item, status, failures, retries,"
            " ceil(extract(epoch from next_attempt_at - %s) / 60)::integer"
            " from dead_letters order by id",
            (clock.now(),),
        ).fetchall()


def _messages(url: str) -> list[dict[str, Any]]:
    """What was published: the path and the body, by the emulator's log."""
    query = {"state": "CREATED"}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    found = httpx.get(f"{url}/v2/events", params=query, headers=headers).raise_for_status().json()
    base = config.get("PUBLIC_BASE_URL")
    return [
        {"path": one["url"].removeprefix(base), "body": json.loads(base64.b64decode(one["body"]))}
        for one in reversed(found["events"])
    ]


def _close_markets(platform: Platform, admin: Wallet, count: int) -> list[str]:
    markets = [platform.active_market(admin, admin) for _ in range(count)]
    platform.advance(86_400)
    return markets


def _break(platform: Platform, market: str | None) -> None:
    """Have the halting of one market fail, or of none."""
    with platform.database.connect() as owner:
        owner.execute("drop trigger if exists broken on markets")
        if market is not None:
            owner.execute(
                "create or replace function broken() returns trigger language plpgsql as"
                " $$begin raise 'broken'; end$$"
            )
            owner.execute(
                "create trigger broken before update on markets for each row"
                f" when (old.id = '{market}') execute function broken()".encode()
            )


def _check(platform: Platform) -> Answer:
    return platform.deliver("market_close_check")


def test_an_item_comes_again_after_5_10_and_20_minutes_then_waits_for_an_admin(
    platform: Platform, admin: Wallet
) -> None:
    bad, good = _close_markets(platform, admin, 2)
    _break(platform, bad)
    started = clock.now_ms()
    tried = []
    for _ in range(12):
        before = _letters(platform)
        done = _check(platform)
        assert done.status == 200
        if _letters(platform)[0][3] != (before[0][3] if before else 0):
            tried.append((clock.now_ms() - started) // 60_000)
        platform.advance(300)
    assert tried == [0, 5, 15, 35]
    assert _letters(platform) == [("market_close_check", bad, "manual_review", 4, 3, None)]
    assert _status(platform, good) == "halted"

    _break(platform, None)
    assert _check(platform).data["status"] == "completed"
    assert _status(platform, bad) != "halted"
    [letter] = platform.call("list_dead_letters", token=admin.token).data
    again = platform.call("retry_dead_letter", token=admin.token, letter_id=letter["id"])
    assert (again.data["status"], again.data["retries"]) == ("pending", 0)
    platform.advance(300)
    assert _check(platform).data["counts"]["closed"] == 1
    assert _status(platform, bad) == "halted"
    assert _letters(platform)[0][2] == "resolved"


def _status(platform: Platform, market: str) -> str:
    with platform.database.connect() as owner:
        row = owner.execute("select trading_status from markets where id = %s", (market,))
        return str(row.fetchone()[0])  # type: ignore[index]


def test_an_item_that_succeeds_when_it_is_due_is_resolved(
    platform: Platform, admin: Wallet
) -> None:
    [bad] = _close_markets(platform, admin, 1)
    _break(platform, bad)
    _check(platform)
    assert _letters(platform) == [("market_close_check", bad, "pending", 1, 0, 5)]
    _break(platform, None)
    platform.advance(300)
    assert _check(platform).data["counts"]["closed"] == 1
    assert _letters(platform) == [("market_close_check", bad, "resolved", 1, 0, None)]


def test_what_an_earlier_slice_left_alone_is_not_settled_by_the_last(platform: Platform) -> None:
    slot = platform.as_zone("worker").now
    for item, wait_s in (("done", 0), ("busy", 150), ("late", 210)):
        platform.dead_letter("cleanup", item)
        platform.advance(wait_s)  # the last is not due until the chain is under way

    def a_slice(part: int) -> Run:
        call = platform.as_zone("worker")
        delivery = runs.Delivery(
            name="cleanup",
            slot=slot,
            part=part,
            message_id=f"m{part}",
            group_run_id=None,
            attempt=1,
        )
        claim = runs.begin(call, delivery)
        return Run(id=claim.run_id, name="cleanup", slot=slot, call=call, waiting=claim.waiting)

    first = a_slice(0)
    assert [first.skips(item) for item in ("done", "late")] == [False, True]
    first.skipped.add("busy")
    first.fail("bad", ValueError("it broke"))
    runs.finish(first, Outcome(counts={}, next_cursor={"after": "late"}))
    platform.advance(360)  # by now all of them are due
    runs.finish(a_slice(1), Outcome(counts={}))
    found = {item: status for _, item, status, *_ in _letters(platform)}
    assert found == {"done": "resolved", "busy": "pending", "late": "pending", "bad": "pending"}


def test_admins_list_retry_and_discard(platform: Platform, admin: Wallet) -> None:
    first = platform.dead_letter("cleanup", "a", times=4)
    second = platform.dead_letter("sweep_fees", "b")

    def listed(**query: str) -> list[int]:
        page = platform.call("list_dead_letters", token=admin.token, query=query)
        return [one["id"] for one in page.data]

    assert listed() == [second, first]
    assert listed(status="manual_review") == [first]
    assert listed(workflow="sweep_fees") == [second]
    page = platform.call("list_dead_letters", token=admin.token, query={"limit": "1"})
    cursor = page.body["pagination"]["nextCursor"]
    assert listed(limit="1", cursor=cursor) == [first]

    reason = {"reason": "The feed was switched off."}
    for _ in range(2):
        gone = platform.call("discard_dead_letter", token=admin.token, letter_id=first, body=reason)
        assert (gone.data["status"], gone.data["reason"]) == ("discarded", reason["reason"])
    for _ in range(2):
        again = platform.call("retry_dead_letter", token=admin.token, letter_id=first)
        assert (again.data["status"], again.data["reason"]) == ("pending", None)
    with platform.database.connect() as owner:
        owner.execute(
            "update dead_letters set status = 'resolved', next_attempt_at = null where id = %s",
            (second,),
        )
        audited = owner.execute(
            "select action, resource_id, changes ->> 'from', changes ->> 'to' from audit_log"
            " where resource = 'dead_letter' order by id"
        ).fetchall()
    assert audited == [
        ("discard_dead_letter", str(first), "manual_review", "discarded"),
        ("retry_dead_letter", str(first), "discarded", "pending"),
    ]
    for stem, body in (("retry_dead_letter", None), ("discard_dead_letter", reason)):
        refused = platform.call(stem, token=admin.token, letter_id=second, body=body)
        assert (refused.status, refused.body["code"]) == (409, "INVALID_STATE")
        missing = platform.call(stem, token=admin.token, letter_id=999_999, body=body)
        assert missing.status == 404
    empty = {"reason": ""}
    refused = platform.call("discard_dead_letter", token=admin.token, letter_id=second, body=empty)
    assert refused.status == 400


def test_a_rare_workflow_runs_again_between_its_slots_once_for_all_its_letters(
    platform: Platform, qstash_url: str
) -> None:
    assert platform.deliver("cleanup").data["duplicate"] is False
    for item in ("a", "b"):
        platform.dead_letter("cleanup", item)
    platform.dead_letter("price_snapshot", "comes by itself")
    platform.advance(240)
    assert platform.deliver("dead_letter_retry").data["counts"] == {"messages": 0, "workflows": 0}
    platform.advance(60)
    for _ in range(2):
        published = platform.deliver("dead_letter_retry").data["counts"]
        platform.advance(60)
        assert published == {"messages": 0, "workflows": 1}
    [message] = _messages(qstash_url)
    assert message["path"] == ROUTES["cleanup"].path
    done = platform.deliver("cleanup", message["body"])
    assert (done.data["duplicate"], done.data["status"]) == (False, "completed")
    assert platform.deliver("cleanup", message["body"]).data["duplicate"] is True
    assert {(one[1], one[2]) for one in _letters(platform)} == {
        ("a", "resolved"),
        ("b", "resolved"),
        ("comes by itself", "pending"),
    }


def _failed(message_id: str, stem: str, source: object = None, **fields: Any) -> dict[str, Any]:
    """QStash's failure callback (https://upstash.com/docs/qstash/features/callbacks)."""
    raw = b"" if source is None else json.dumps(source).encode()
    return {
        "status": 500,
        "header": {"content-type": ["application/json"]},
        "body": base64.b64encode(b"{}").decode(),
        "retried": ROUTES[stem].retries,
        "maxRetries": ROUTES[stem].retries,
        "dlqId": "1725323658779-0",
        "sourceMessageId": message_id,
        "url": config.get("PUBLIC_BASE_URL") + ROUTES[stem].path,
        "method": "POST",
        "sourceHeader": {"Content-Type": ["application/json"]},
        "sourceBody": base64.b64encode(raw).decode(),
        "notBefore": clock.now_ms(),
        "createdAt": clock.now_ms(),
        "scheduleId": "presage-test",
        "callerIP": "127.0.0.1",
        "aFieldOfTomorrow": 1,
    } | fields


def test_a_message_that_qstash_gave_up_is_kept_once_and_sent_again(
    platform: Platform, qstash_url: str
) -> None:
    slot = clock.floor_to(clock.now(), 86_400).isoformat()
    lost = _failed(
        "msg_lost", "cleanup", createdAt=clock.to_ms(clock.floor_to(clock.now(), 86_400))
    )
    for _ in range(2):
        kept = platform.deliver("delivery_failed", lost)
        assert (kept.status, kept.data["item"]) == (200, "msg_lost")
    assert _letters(platform) == [("qstash", "msg_lost", "pending", 1, 0, 5)]
    waits = []
    for number in range(4):
        waits.append(_letters(platform)[0][5])
        if waits[-1] is None:
            break
        platform.advance(60 * waits[-1])
        assert platform.deliver("dead_letter_retry").data["counts"]["messages"] == 1
        assert _letters(platform)[0][2] == "resolved"
        message = _messages(qstash_url)[-1]
        assert message == {
            "path": ROUTES["cleanup"].path,
            "body": {"slot": slot, "deadLetter": "msg_lost"},
        }
        again = _failed(f"msg_again_{number}", "cleanup", message["body"])
        for _ in range(2):
            assert platform.deliver("delivery_failed", again).data["item"] == "msg_lost"
    assert waits == [5, 10, 20, None]
    assert _letters(platform) == [("qstash", "msg_lost", "manual_review", 4, 3, None)]
    assert len(_messages(qstash_url)) == 3


def test_a_job_of_every_minute_has_one_letter_which_its_next_run_resolves(
    platform: Platform, qstash_url: str
) -> None:
    for number in range(3):
        platform.deliver("delivery_failed", _failed(f"msg_{number}", "expire_orders"))
        platform.advance(60)
    assert _letters(platform) == [("qstash", "expire_orders", "pending", 3, 0, 2)]
    platform.advance(300)
    assert platform.deliver("dead_letter_retry").data["counts"]["messages"] == 0
    platform.deliver("expire_orders")
    assert _letters(platform)[0][2] == "resolved"
    # It failed for 35 minutes: an admin is told, and its next success is an answer too.
    for number in range(36):
        platform.deliver("delivery_failed", _failed(f"msg_later_{number}", "expire_orders"))
        platform.advance(60)
    assert _letters(platform)[0][2] == "manual_review"
    platform.deliver("expire_orders")
    assert _letters(platform)[0][2] == "resolved"
    assert _messages(qstash_url) == []


def test_what_is_no_message_of_ours_is_kept_and_never_sent(platform: Platform) -> None:
    odd = _failed("msg_odd", "cleanup", url="https://example.com/workflows/cleanup")
    assert platform.deliver("delivery_failed", odd).status == 200
    platform.advance(600)
    assert platform.deliver("dead_letter_retry").data["counts"]["messages"] == 0
    for wrong in ({"sourceBody": "%"}, {"sourceBody": "W10="}, {"sourceMessageId": None}):
        refused = platform.deliver("delivery_failed", odd | wrong)
        assert (refused.status, refused.body["code"]) == (400, "VALIDATION_FAILED")


def test_the_watchdog_tells_once_of_what_stopped_is_missing_or_paused(
    platform: Platform, admin: Wallet, qstash_url: str
) -> None:
    def told() -> set[str]:
        with platform.database.connect() as owner:
            rows = owner.execute(
                "select fingerprint from ops_alerts where type = 'schedule_stopped'"
            ).fetchall()
        return {fingerprint.partition(":")[2] for (fingerprint,) in rows}

    assert admin.token
    env = {"STAGE": "test", "QSTASH_TOKEN": TOKEN, "QSTASH_URL": qstash_url}
    schedules.sync_stage(env | {"PUBLIC_BASE_URL": config.get("PUBLIC_BASE_URL")})
    for _ in range(4):
        platform.deliver("schedule_watchdog")
        for stem in (
            "market_monitor",
            "expire_orders",
            "settle_market",
            "sweep_outbox",
            "send_alerts",
            "chain_confirm",
        ):
            platform.deliver(stem)
        platform.deliver("dead_letter_retry")
        platform.advance(60)
    assert told() == set()
    for _ in range(2):
        platform.advance(60)
        for stem in ("market_monitor", "settle_market", "sweep_outbox", "send_alerts"):
            platform.deliver(stem)
        platform.deliver("chain_confirm")
        platform.deliver("dead_letter_retry")
        platform.deliver("schedule_watchdog")
        platform.advance(60)
    assert told() == {"expire_orders"}
    with connected(qstash_url, TOKEN) as client:
        client.schedule.pause("presage-test-group-daily")
        client.schedule.delete("presage-test-settle-market")
    done = platform.deliver("schedule_watchdog")
    assert done.data["counts"] == {"troubles": 3}
    assert told() == {
        "expire_orders",
        "group_daily",
        "settle_market",
    }


def test_the_watchdog_looks_at_what_ran_although_qstash_does_not_answer(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QSTASH_URL", "http://127.0.0.1:9")
    platform.deliver("expire_orders")
    platform.advance(181)
    done = platform.deliver("schedule_watchdog")
    assert (done.data["status"], done.data["counts"]) == ("partial", {"troubles": 1})
    assert [one[:3] for one in _letters(platform)] == [
        ("schedule_watchdog", "schedules", "pending")
    ]


def test_a_schedule_that_never_ran_counts_from_when_it_was_made(
    platform: Platform, qstash_url: str
) -> None:
    env = {"STAGE": "test", "QSTASH_TOKEN": TOKEN, "QSTASH_URL": qstash_url}
    schedules.sync_stage(env | {"PUBLIC_BASE_URL": config.get("PUBLIC_BASE_URL")})
    platform.deliver("schedule_watchdog")
    platform.advance(180)
    assert platform.deliver("schedule_watchdog").data["counts"] == {"troubles": 0}
    platform.advance(60)
    each_minute = [stem for stem in SCHEDULED if ROUTES[stem].slot_s == 60]
    told = platform.deliver("schedule_watchdog").data["counts"]["troubles"]
    assert told == len(each_minute) - 1
