"""Alerts: raised once an hour, sent once to each channel whatever fails, acknowledged once."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from presage import clock
from presage.ops import alerts
from presage.ops.alerts import AlertType
from presage.ops.sending import MAX_ATTEMPTS
from tests.alert_receiver import PAGERDUTY_PATH, ROUTING_KEY, SLACK_PATH, Receiver, serve_receiver
from tests.harness import Platform, Wallet
from tests.mailbox import SENDER, Mailbox, serve_mailbox

ROOT = Path(__file__).resolve().parents[3]
OPS = "ops@example.com"


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with serve_mailbox() as served:
        yield served


@pytest.fixture
def mail(platform: Platform, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> Mailbox:  # noqa: ARG001 - whose settings these are
    for name, value in {
        "EMAIL_SENDER": SENDER,
        "OPS_EMAIL": OPS,
        "AWS_ENDPOINT_URL_SESV2": mailbox.url,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(name, value)
    mailbox.clear()
    return mailbox


@pytest.fixture
def receiver(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:  # noqa: ARG001 - whose settings these are
    with serve_receiver() as served:
        monkeypatch.setenv("SLACK_WEBHOOK_URL", served.url + SLACK_PATH)
        monkeypatch.setenv("PAGERDUTY_ROUTING_KEY", ROUTING_KEY)
        monkeypatch.setenv("PAGERDUTY_URL", served.url)
        yield served


def _raise(platform: Platform, kind: AlertType, subject: str = "x", **data: Any) -> None:
    alerts.raise_alert(platform.as_zone("worker"), kind, data, subject)


def _send(platform: Platform, advance_s: int = 60) -> dict[str, int]:
    platform.advance(advance_s)
    answer = platform.deliver("send_alerts")
    assert answer.status == 200, answer.body
    counts: dict[str, int] = answer.data["counts"]
    return counts


def _listed(platform: Platform, admin: Wallet, **query: Any) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = platform.call("list_alerts", token=admin.token, query=query).data
    return listed


def test_a_thousand_failures_in_a_minute_are_one_message_and_count_a_thousand(
    platform: Platform, admin: Wallet, receiver: Receiver
) -> None:
    with platform.database.connect() as owner:
        owner.execute("alter function public.snapshot_prices rename to hidden")

    def fail(number: int) -> int:
        slot = f"2026-07-{1 + number // 288:02}T{number // 12 % 24:02}:{number % 12 * 5:02}:00Z"
        return platform.deliver("price_snapshot", {"slot": slot}).status

    try:
        with platform.threads(8) as pool:
            first = list(pool.map(fail, range(500)))
            sent = platform.deliver("send_alerts").data["counts"]
            second = list(pool.map(fail, range(500, 1_000)))
    finally:
        with platform.database.connect() as owner:
            owner.execute("alter function public.hidden rename to snapshot_prices")
    assert first + second == [500] * 1_000
    assert sent == {"sent": 1, "acknowledged": 0, "owed": 0, "skipped": 0}
    assert _send(platform)["sent"] == 0
    assert len(receiver.slack) == 1
    (alert,) = _listed(platform, admin)
    assert (alert["type"], alert["severity"], alert["count"]) == ("workflow_failed", "HIGH", 1_000)
    data = json.loads(alert["data"])
    assert (data["workflow"], data["error"]) == ("price_snapshot", "UndefinedFunction")
    assert alert["channels"] == ["slack"]


def test_two_that_raise_at_once_are_one_alert(platform: Platform, admin: Wallet) -> None:
    raised = "select * from raise_alert('workflow_failed', 'HIGH', 'workflow_failed:x', '{}', %s)"
    with platform.threads(1) as pool, platform.database.connect() as owner:
        owner.autocommit = False
        owner.execute(raised, (clock.now(),))
        other = pool.submit(_raise, platform, "workflow_failed")
        with pytest.raises(TimeoutError):
            other.result(0.5)
        owner.commit()
        other.result(10)
    assert [one["count"] for one in _listed(platform, admin)] == [2]


def test_an_hour_later_it_is_another_alert(
    platform: Platform, admin: Wallet, receiver: Receiver
) -> None:
    _raise(platform, "workflow_failed")
    platform.advance(3_599)
    _raise(platform, "workflow_failed")
    assert [one["count"] for one in _listed(platform, admin)] == [2]
    platform.advance(1)
    _raise(platform, "workflow_failed")
    assert [one["count"] for one in _listed(platform, admin)] == [1, 2]
    assert _send(platform)["sent"] == 2
    assert len(receiver.slack) == 2


def test_critical_goes_everywhere_in_each_ones_format(
    platform: Platform, receiver: Receiver, mail: Mailbox
) -> None:
    _raise(platform, "audit_failed", "accounts_sum_to_zero", invariants=["<a> & b"])
    assert _send(platform) == {"sent": 1, "acknowledged": 0, "owed": 0, "skipped": 0}
    (slack,), (event,), (letter,) = receiver.slack, receiver.pagerduty, mail.mails
    title = "audit failed: accounts_sum_to_zero"
    assert slack["text"] == f"CRITICAL: {title}"
    assert [block["type"] for block in slack["blocks"]] == ["header", "section", "context"]
    assert "&lt;a&gt; &amp; b" in slack["blocks"][1]["text"]["text"]
    assert event["dedup_key"] == "audit_failed:accounts_sum_to_zero"
    assert event["payload"] == {
        "summary": title,
        "source": "presage-test",
        "severity": "critical",
        "timestamp": "2026-07-24T12:00:00+00:00",
        "component": "presage",
        "class": "audit_failed",
        "custom_details": {
            "meaning": alerts.ALERTS["audit_failed"].meaning,
            "first_step": alerts.ALERTS["audit_failed"].first_step,
            "count": 1,
            "invariants": ["<a> & b"],
        },
    }
    assert (letter.source, letter.destinations["ToAddresses"]) == (SENDER, [OPS])
    assert letter.subject == title
    assert "First step:" in letter.body


def test_no_log_tells_the_webhooks_address(
    platform: Platform, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    _raise(platform, "workflow_failed")
    receiver.faults[SLACK_PATH] = [500, 403]
    assert _send(platform)["owed"] == 1
    assert _send(platform)["sent"] == 1
    assert "served" in caplog.text
    assert SLACK_PATH not in caplog.text


def test_old_alerts_are_dropped(platform: Platform) -> None:
    _raise(platform, "workflow_failed", "old")
    platform.advance(90 * 86_400)
    _raise(platform, "workflow_failed", "new")
    platform.deliver("cleanup")
    with platform.database.connect() as owner:
        kept = owner.execute("select fingerprint from ops_alerts").fetchall()
    assert kept == [("workflow_failed:old",), ("workflow_failed:new",)]
    platform.advance(86_400)
    platform.deliver("cleanup")
    with platform.database.connect() as owner:
        kept = owner.execute("select fingerprint from ops_alerts").fetchall()
    assert kept == [("workflow_failed:new",)]


def test_high_is_for_slack_and_less_is_only_stored(
    platform: Platform, admin: Wallet, receiver: Receiver, mail: Mailbox
) -> None:
    _raise(platform, "transition_overdue")
    _raise(platform, "stuck_market")
    assert _send(platform)["sent"] == 1
    assert (len(receiver.slack), len(receiver.pagerduty), len(mail.mails)) == (1, 0, 0)
    assert [one["sentAt"] is None for one in _listed(platform, admin)] == [True, False]


def test_a_channel_that_fails_does_not_repeat_the_others(
    platform: Platform, admin: Wallet, receiver: Receiver, mail: Mailbox
) -> None:
    _raise(platform, "audit_failed")
    receiver.faults[SLACK_PATH] = [500, 500]
    assert _send(platform) == {"sent": 0, "acknowledged": 0, "owed": 1, "skipped": 0}
    assert receiver.asked == {SLACK_PATH: 2, PAGERDUTY_PATH: 1}
    (alert,) = _listed(platform, admin)
    assert (alert["channels"], alert["sentAt"]) == (["pagerduty", "email"], None)
    assert _send(platform)["sent"] == 1
    (alert,) = _listed(platform, admin)
    assert alert["channels"] == ["pagerduty", "email", "slack"]
    assert _send(platform)["sent"] == 0
    assert (len(receiver.slack), len(receiver.pagerduty), len(mail.mails)) == (1, 1, 1)


def test_a_sender_killed_between_two_channels_repeats_neither(
    platform: Platform, receiver: Receiver, mail: Mailbox
) -> None:
    _raise(platform, "audit_failed")
    receiver.faults[PAGERDUTY_PATH] = [8.0]
    program = (
        "from pathlib import Path; from tests.harness import Platform;"
        f"Platform(None, Path({str(platform.clock_file)!r})).deliver('send_alerts')"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}/shared:{ROOT}"},
        stdout=subprocess.DEVNULL,
    )
    while not receiver.asked.get(PAGERDUTY_PATH):
        assert child.poll() is None
        time.sleep(0.02)
    child.kill()
    assert child.wait(10) == -signal.SIGKILL
    assert (len(receiver.slack), len(receiver.pagerduty), len(mail.mails)) == (1, 0, 0)
    assert _send(platform) == {"sent": 1, "acknowledged": 0, "owed": 0, "skipped": 0}
    assert (len(receiver.slack), len(receiver.pagerduty), len(mail.mails)) == (1, 1, 1)


@pytest.mark.parametrize(
    ("faults", "retry_after", "asked", "arrives"),
    [
        pytest.param([429], "1", 2, True, id="asked to wait a second"),
        pytest.param([429], "30", 1, False, id="asked to wait longer than a run can"),
        pytest.param([500], None, 2, True, id="one hiccup"),
        pytest.param([8.0], None, 2, True, id="one timeout"),
        pytest.param([8.0, 8.0], None, 2, False, id="no answer"),
        pytest.param([403], None, 1, False, id="refused, which no retry mends"),
    ],
)
def test_faults_are_bounded(
    platform: Platform,
    receiver: Receiver,
    faults: list[int | float],
    retry_after: str | None,
    asked: int,
    arrives: bool,
) -> None:
    _raise(platform, "workflow_failed")
    receiver.faults[SLACK_PATH], receiver.retry_after = list(faults), retry_after
    counts = _send(platform)
    assert receiver.asked == {SLACK_PATH: asked}
    assert (counts["sent"], counts["owed"], len(receiver.slack)) == (
        (1, 0, 1) if arrives else (0, 1, 0)
    )
    if not arrives:
        assert _send(platform)["sent"] == 1


def test_what_no_channel_takes_is_asked_less_often_and_ends_as_a_dead_letter(
    platform: Platform, admin: Wallet, receiver: Receiver
) -> None:
    _raise(platform, "workflow_failed")
    receiver.faults[SLACK_PATH] = [403] * MAX_ATTEMPTS
    tries = [minute for minute in range(16) if _send(platform)["owed"]]
    assert tries == [0, 1, 3, 7, 15]
    for _ in range(MAX_ATTEMPTS - len(tries)):
        assert _send(platform, 3_600)["owed"] == 1
    assert _send(platform, 3_600)["owed"] == 0
    assert _listed(platform, admin)[-1]["attempts"] == MAX_ATTEMPTS
    with platform.database.connect() as owner:
        letters = owner.execute("select workflow, item from dead_letters").fetchall()
    assert letters == [("send_alerts", "1:slack")]


def test_what_is_not_configured_is_skipped_and_counted(platform: Platform) -> None:
    _raise(platform, "audit_failed")
    assert _send(platform) == {"sent": 1, "acknowledged": 0, "owed": 0, "skipped": 3}


def test_two_senders_send_once(platform: Platform, receiver: Receiver) -> None:
    for number in range(6):
        _raise(platform, "workflow_failed", str(number))
    slots = ["2026-07-24T12:00:00Z", "2026-07-24T12:01:00Z", "2026-07-24T12:02:00Z"]
    with platform.threads(3) as pool:
        answers = list(pool.map(lambda s: platform.deliver("send_alerts", {"slot": s}), slots))
    assert sum(answer.data["counts"]["sent"] for answer in answers) == 6
    assert len(receiver.slack) == 6


def test_an_alert_is_acknowledged_once_and_filtered(platform: Platform, admin: Wallet) -> None:
    _raise(platform, "stuck_market", "one")
    _raise(platform, "audit_failed", "two")
    newest, oldest = _listed(platform, admin)
    assert _listed(platform, admin, severity="CRITICAL") == [newest]
    assert _listed(platform, admin, type="stuck_market") == [oldest]
    path = {"alert_id": newest["id"]}
    done = platform.call("acknowledge_alert", token=admin.token, **path)
    assert done.data["acknowledgedBy"] == str(admin.user_id)
    platform.advance(5)
    again = platform.call("acknowledge_alert", token=admin.token, **path)
    assert again.data == done.data
    assert _listed(platform, admin, open="true") == [oldest]
    assert _listed(platform, admin, open="false") == [done.data]
    assert platform.call("acknowledge_alert", token=admin.token, alert_id=99).status == 404
    log = platform.call("list_audit_log", token=admin.token, query={"resource": "alert"}).data
    assert [(one["action"], one["resourceId"]) for one in log] == [
        ("acknowledge_alert", str(newest["id"]))
    ]


def test_pagerduty_hears_once_that_an_alert_was_taken_up(
    platform: Platform, admin: Wallet, receiver: Receiver
) -> None:
    _raise(platform, "audit_failed", "told")
    assert _send(platform)["sent"] == 1
    _raise(platform, "audit_failed", "not yet")
    _raise(platform, "workflow_failed", "slack only")
    for alert in _listed(platform, admin):
        platform.call("acknowledge_alert", token=admin.token, alert_id=alert["id"])
    assert len(receiver.pagerduty) == 1  # not in the request
    receiver.faults[PAGERDUTY_PATH] = [500, 500]
    # Who has taken an alert up is not woken for it.
    assert _send(platform) == {"sent": 2, "acknowledged": 0, "owed": 1, "skipped": 1}
    assert [_send(platform)["acknowledged"] for _ in range(4)] == [1, 0, 0, 0]
    trigger, acknowledgement = receiver.pagerduty
    assert acknowledgement == {
        "routing_key": ROUTING_KEY,
        "event_action": "acknowledge",
        "dedup_key": trigger["dedup_key"],
    }
    assert len(receiver.slack) == 3


def test_alerts_are_paged(platform: Platform, admin: Wallet) -> None:
    for number in range(5):
        _raise(platform, "workflow_failed", str(number))
    seen: list[int] = []
    cursor = None
    for _ in range(3):
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = platform.call("list_alerts", token=admin.token, query=query)
        seen += [one["id"] for one in answer.data]
        cursor = answer.body["pagination"]["nextCursor"]
    assert (seen, cursor) == ([5, 4, 3, 2, 1], None)


def test_subjects_too_long_for_a_fingerprint_stay_apart(platform: Platform, admin: Wallet) -> None:
    for last in "ab":
        _raise(platform, "workflow_failed", "x" * 300 + last)
    fingerprints = {one["fingerprint"] for one in _listed(platform, admin)}
    assert len(fingerprints) == 2
    assert max(map(len, fingerprints)) <= 255
