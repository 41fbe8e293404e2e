"""The day's report as operators get it, and the alert when an item begins to wait for them."""

from collections.abc import Iterator

import pytest

from presage.workflows import runs
from presage.workflows.run import Outcome, Run
from tests.alert_receiver import SLACK_PATH, Receiver, serve_receiver
from tests.harness import NOON_MS, Platform

DAY_MS = 86_400_000


@pytest.fixture
def receiver(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    assert platform
    with serve_receiver() as served:
        monkeypatch.setenv("SLACK_WEBHOOK_URL", served.url + SLACK_PATH)
        yield served


def test_a_report_reaches_slack_once_although_slack_failed_first(
    platform: Platform, receiver: Receiver
) -> None:
    platform.sign_in()
    platform.set_clock(NOON_MS + DAY_MS)
    receiver.faults = {SLACK_PATH: [500, 500]}
    first = platform.deliver("daily_report")
    assert (first.data["status"], first.data["counts"]) == ("partial", {"reports": 1})
    assert receiver.slack == []
    for _ in range(2):
        platform.advance(300)
        slot = platform.as_zone("worker").now.isoformat()
        again = platform.deliver("daily_report", {"again": True, "slot": slot})
        assert again.status == 200
    assert [body["text"] for body in receiver.slack] == ["Presage on 2026-07-24"]
    assert "Volume" in receiver.slack[0]["blocks"][1]["text"]["text"]
    with platform.database.connect() as owner:
        letters = owner.execute("select item, status from dead_letters").fetchall()
        told = owner.execute("select channels from daily_reports").fetchall()
    assert (letters, told) == ([("2026-07-24:slack", "resolved")], [(["slack"],)])


def test_operators_are_alerted_once_when_an_item_waits_for_them(platform: Platform) -> None:
    call = platform.as_zone("worker")
    statuses: list[tuple[str, list[tuple[str, int]]]] = []
    for minutes in (0, 5, 10, 20, 20):
        platform.advance(minutes * 60)
        call.now = platform.as_zone("worker").now
        claim = runs.begin(
            call,
            runs.Delivery(
                name="cleanup",
                slot=call.now,
                part=0,
                message_id=f"m{minutes}-{len(statuses)}",
                group_run_id=None,
                attempt=0,
            ),
        )
        run = Run(id=claim.run_id, name="cleanup", slot=call.now, call=call)
        run.fail("one", ValueError("it never works"))
        runs.finish(run, Outcome(counts={}))
        with platform.database.connect() as owner:
            [(status,)] = owner.execute("select status from dead_letters").fetchall()
            alerts = owner.execute("select fingerprint, count from ops_alerts").fetchall()
        statuses.append((status, alerts))
    told = [("dead_letter:cleanup:one", 1)]
    assert statuses == [("pending", [])] * 3 + [("manual_review", told)] * 2
