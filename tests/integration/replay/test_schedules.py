"""schedules.toml against the QStash emulator, through the vendor's SDK."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from qstash import QStash

from infra import schedules
from infra.local.homes import PROJECT_ROOT
from infra.local.qstash_cron import next_slot_ms
from presage.adapters.qstash import connected
from presage.ops.watchdog import SCHEDULED
from presage.routes import ROUTES
from tests.integration.local.conftest import run_module

BASE_URL = "https://api.example.com/api/v1"
TOKEN = "schedules"

COUNT = len(tomllib.loads(schedules.SCHEDULES_FILE.read_text(encoding="utf-8"))["schedule"])


@pytest.fixture
def qstash_url(tmp_path: Path) -> Iterator[str]:
    keys = ("--current-key", "sig_current", "--next-key", "sig_next")
    with run_module("infra.local.qstash", tmp_path, "--token", TOKEN, *keys) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def client(qstash_url: str) -> Iterator[QStash]:
    with connected(qstash_url, TOKEN) as client:
        yield client


def test_every_row_is_a_workflow_with_its_own_retries() -> None:
    wanted = schedules.read_wanted(BASE_URL, "dev")
    stems = [one.schedule_id.removeprefix("presage-dev-").replace("-", "_") for one in wanted]
    assert len(stems) == len(set(stems))
    assert {stem: ROUTES[stem].auth for stem in stems} == dict.fromkeys(stems, "qstash")
    assert [one.retries for one in wanted] == [ROUTES[stem].retries for stem in stems]


def test_the_watchdog_expects_what_is_scheduled_and_a_slot_is_a_period() -> None:
    rows = tomllib.loads(schedules.SCHEDULES_FILE.read_text(encoding="utf-8"))["schedule"]
    assert [row["stem"] for row in rows] == list(SCHEDULED)
    for row in rows:
        first = next_slot_ms(row["cron"], 0)
        period_ms = next_slot_ms(row["cron"], first) - first
        assert (row["stem"], period_ms) == (row["stem"], ROUTES[row["stem"]].slot_s * 1000)


def test_a_sync_makes_what_the_file_says_and_a_second_has_nothing_to_do(client: QStash) -> None:
    changes = schedules.sync(client, base_url=BASE_URL, stage="dev", dry_run=True)
    assert len(changes) == COUNT
    assert client.schedule.list() == []

    assert schedules.sync(client, base_url=BASE_URL, stage="dev") == changes
    found = {one.schedule_id: one for one in client.schedule.list()}
    assert sorted(found) == [
        one.schedule_id
        for one in sorted(
            schedules.read_wanted(BASE_URL, "dev"), key=lambda wanted: wanted.schedule_id
        )
    ]
    fast, monitor = found["presage-dev-group-fast"], found["presage-dev-market-monitor"]
    assert fast.failure_callback == f"{BASE_URL}/workflows/delivery-failed"
    assert (fast.cron, fast.retries) == ("*/5 * * * *", 3)
    assert (monitor.cron, monitor.retries) == ("* * * * *", 0)
    assert fast.destination == f"{BASE_URL}/workflows/group-fast"
    assert schedules.sync(client, base_url=BASE_URL, stage="dev") == []


def test_what_changed_is_updated_and_our_strays_alone_are_removed(client: QStash) -> None:
    schedules.sync(client, base_url=BASE_URL, stage="dev")
    schedules.sync(client, base_url=BASE_URL, stage="dev-2")
    for name, path in {
        "presage-dev-old-task": "/workflows/old-task",
        "somebody-elses": "/workflows/old-task",
    }.items():
        client.schedule.create(
            destination="https://old.example.com" + path, cron="0 1 * * *", schedule_id=name
        )
    client.schedule.create(
        destination=f"{BASE_URL}/workflows/group-fast",
        cron="*/10 * * * *",
        retries=3,
        schedule_id="presage-dev-group-fast",
    )
    changes = schedules.sync(client, base_url=BASE_URL, stage="dev")
    assert [change.split(":")[0] for change in changes] == [
        "update presage-dev-group-fast",
        "remove presage-dev-old-task",
    ]
    left = [one.schedule_id for one in client.schedule.list()]
    assert len(left) == 2 * COUNT + 1
    assert "somebody-elses" in left
    assert schedules.sync(client, base_url=BASE_URL, stage="dev-2") == []


def test_the_command_prints_the_difference(qstash_url: str) -> None:
    env = os.environ | {
        "PYTHONPATH": f"{PROJECT_ROOT}/shared:{PROJECT_ROOT}",
        "QSTASH_URL": qstash_url,
        "QSTASH_TOKEN": TOKEN,
        "PUBLIC_BASE_URL": BASE_URL,
        "STAGE": "prod",
    }

    def run(*arguments: str, **changes: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "infra.schedules", *arguments],
            env=env | changes,
            cwd=PROJECT_ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    code, shown = run("--dry-run")
    assert (code, shown.splitlines()[-1]) == (0, f"{COUNT} schedules would be changed")
    assert "create presage-prod-group-fast: */5 * * * * -> " in shown
    assert run()[1].splitlines()[-1] == f"{COUNT} schedules changed"
    assert run() == (0, "nothing to do\n")
    assert run(QSTASH_TOKEN="wrong")[0] == 1
    assert run(PUBLIC_BASE_URL="")[0] == 2
