"""The QStash emulator's queues, schedules, groups and faults, driven by the vendor's SDK."""

import json
import time
from pathlib import Path

import pytest
from qstash.errors import QStashError
from qstash.message import EnqueueResponse

from .conftest import run_module
from .qstash_driver import HOUR, KEYS, MINUTE, SECOND, Driver, publish, vendor, verify
from .receiver import Arrival, Receiver, Reply


def test_a_queue_is_first_in_first_out(driver: Driver, receiver: Receiver) -> None:
    client = driver.client
    receiver.script = lambda arrival: Reply(
        500 if arrival.path == "/1" and arrival.headers["upstash-retried"] == "0" else 200
    )
    for number in (1, 2, 3):
        sent = client.message.enqueue_json(
            queue="orders", url=f"{receiver.url}/{number}", retry_delay="5000"
        )
        assert isinstance(sent, EnqueueResponse)
    driver.advance()
    assert receiver.paths() == ["/1"]
    assert client.queue.get("orders").lag == 3
    client.queue.pause("orders")
    driver.advance(5 * SECOND)
    assert receiver.paths() == ["/1"]
    client.queue.resume("orders")
    driver.advance()
    assert receiver.paths() == ["/1", "/1", "/2", "/3"]
    client.queue.upsert("orders", parallelism=3)
    assert [(one.name, one.parallelism) for one in client.queue.list() if one.name == "orders"] == [
        ("orders", 3)
    ]
    client.queue.delete("orders")


def test_messages_can_be_read_and_cancelled(driver: Driver, receiver: Receiver) -> None:
    client = driver.client
    sent = publish(driver, receiver.url, {"a": 1}, delay=60, headers={"X-A": "b"}, retries=5)
    shown = client.message.get(sent.message_id)
    assert (shown.url, shown.max_retries, shown.body) == (receiver.url, 5, '{"a": 1}')
    assert shown.not_before == driver.now_ms + MINUTE
    assert shown.headers is not None
    assert shown.headers["X-A"] == ["b"]
    client.message.cancel(sent.message_id)
    with pytest.raises(QStashError, match="404"):
        client.message.get(sent.message_id)
    ids = [publish(driver, receiver.url, delay=60).message_id for _ in range(3)]
    assert client.message.cancel_many(ids[:2]) == 2
    assert client.message.cancel_all() == 1
    driver.advance(HOUR)
    assert receiver.arrivals == []


def test_a_schedule_fires_every_slot(driver: Driver, receiver: Receiver) -> None:
    client = driver.client
    driver.advance(-driver.now_ms % HOUR)
    created = client.schedule.create_json(
        destination=f"{receiver.url}/tick", cron="*/5 * * * *", body={"t": 1}, schedule_id="fast"
    )
    assert created == "fast"
    client.schedule.create(destination=f"{receiver.url}/hour", cron="30 * * * *")
    assert driver.advance(29 * MINUTE)["delivered"] == 5
    # Both are due at half past, then one more: in order of time.
    driver.advance(6 * MINUTE)
    assert sorted(receiver.paths()[5:7]) == ["/hour", "/tick"]
    assert receiver.paths()[7:] == ["/tick"]
    tick = receiver.arrivals[0]
    assert tick.headers["upstash-schedule-id"] == "fast"
    assert json.loads(tick.body) == {"t": 1}
    shown = client.schedule.get("fast")
    assert (shown.cron, shown.retries, shown.paused) == ("*/5 * * * *", 3, False)
    assert shown.last_schedule_time == driver.now_ms
    assert shown.next_schedule_time == driver.now_ms + 5 * MINUTE
    assert shown.last_schedule_states is not None
    assert [one.value for one in shown.last_schedule_states.values()] == ["SUCCESS"]


def test_schedules_pause_overwrite_and_go(driver: Driver, receiver: Receiver) -> None:
    api = driver.client.schedule
    for _ in range(2):  # the second overwrites the first
        api.create(destination=receiver.url, cron="* * * * *", schedule_id="minute", retries=0)
    assert [one.schedule_id for one in api.list()] == ["minute"]
    api.pause("minute")
    assert api.get("minute").paused
    assert driver.advance(10 * MINUTE)["delivered"] == 0
    api.resume("minute")
    assert driver.advance(MINUTE)["delivered"] == 1
    api.delete("minute")
    assert driver.advance(10 * MINUTE)["delivered"] == 0
    with pytest.raises(QStashError, match="404"):
        api.get("minute")
    for wrong in ("* * *", "61 * * * *", "CRON_TZ=Nowhere/City 0 9 * * *", ""):
        with pytest.raises(QStashError, match="400"):
            api.create(destination=receiver.url, cron=wrong)


def test_a_schedule_in_a_time_zone(driver: Driver, receiver: Receiver) -> None:
    api = driver.client.schedule
    name = api.create(destination=receiver.url, cron="CRON_TZ=America/New_York 0 9 * * *")
    upcoming = api.get(name).next_schedule_time
    assert upcoming is not None
    assert upcoming % (24 * HOUR) == 13 * HOUR  # summer time


def test_a_url_group_fans_out(driver: Driver, receiver: Receiver) -> None:
    api = driver.client.url_group
    api.upsert_endpoints(
        "pair", [{"url": f"{receiver.url}/1", "name": "one"}, {"url": f"{receiver.url}/2"}]
    )
    answers = driver.client.message.publish_json(url_group="pair", body={})
    assert isinstance(answers, list)
    assert [one.url for one in answers] == [f"{receiver.url}/1", f"{receiver.url}/2"]
    assert driver.advance()["delivered"] == 2
    api.remove_endpoints("pair", [{"name": "one"}])
    assert [one.url for one in api.get("pair").endpoints] == [f"{receiver.url}/2"]
    api.delete("pair")
    assert api.list() == []


def test_flow_control_bounds_parallelism(driver: Driver, receiver: Receiver) -> None:
    running, most = [0], [0]

    def script(_: Arrival) -> Reply:
        running[0] += 1
        most[0] = max(most[0], running[0])
        time.sleep(0.02)
        running[0] -= 1
        return Reply()

    receiver.script = script
    for _ in range(6):
        publish(driver, receiver.url, flow_control={"key": "k", "parallelism": 2, "rate": 9})
    shown = driver.client.flow_control.get("k")
    assert (shown.parallelism_max, shown.rate_max, shown.wait_list_size) == (2, 9, 6)
    assert driver.advance()["delivered"] == 6
    assert most == [2]


def test_what_a_delivery_publishes_is_part_of_the_advance(
    driver: Driver, receiver: Receiver
) -> None:
    def script(arrival: Arrival) -> Reply:
        number = int(arrival.path.strip("/"))
        if number < 3:
            publish(driver, f"{receiver.url}/{number + 1}")
        return Reply()

    receiver.script = script
    publish(driver, f"{receiver.url}/1")
    assert driver.advance()["delivered"] == 3
    assert receiver.paths() == ["/1", "/2", "/3"]


def test_faults(driver: Driver, receiver: Receiver) -> None:
    driver.control("faults", duplicate=100)
    sent = publish(driver, receiver.url)
    assert driver.advance()["delivered"] == 1
    assert [one.headers["upstash-message-id"] for one in receiver.arrivals] == [sent.message_id] * 2
    driver.control("faults", lose_answer=100)
    publish(driver, receiver.url, retry_delay="1")
    assert driver.advance()["retried"] == 1
    assert len(receiver.arrivals) == 3
    driver.control("faults", fail=100)
    driver.advance(1)
    assert len(receiver.arrivals) == 3
    driver.control("faults")
    assert driver.advance(10 * MINUTE)["delivered"] == 1


def test_events_tell_the_story(driver: Driver, receiver: Receiver) -> None:
    sent = publish(driver, receiver.url)
    driver.advance()
    logs = driver.client.log.list(filter={"message_id": sent.message_id}).logs
    assert [one.state.value for one in logs] == ["DELIVERED", "ACTIVE", "CREATED"]


def test_real_time_delivers_by_itself_and_state_survives(tmp_path: Path) -> None:
    state = ("--state", str(tmp_path / "state.json"))
    with Receiver() as receiver:
        with (
            run_module("infra.local.qstash", tmp_path, *KEYS, *state) as port,
            vendor(f"http://127.0.0.1:{port}") as client,
        ):
            client.message.publish(url=f"{receiver.url}/now", body="text")
            [arrival] = receiver.wait_for(1)
            verify(arrival, f"{receiver.url}/now")
            receiver.script = lambda _: Reply(500)
            client.message.publish(url=f"{receiver.url}/retried", retries=1, retry_delay="50")
            receiver.wait_for(3)
            client.message.publish(url=f"{receiver.url}/kept", body="x", delay="1s")
            client.schedule.create(
                destination=receiver.url, cron="0 0 * * *", schedule_id="kept", body="y"
            )
        receiver.script = lambda _: Reply()
        with (
            run_module("infra.local.qstash", tmp_path, *KEYS, *state) as port,
            vendor(f"http://127.0.0.1:{port}") as client,
        ):
            assert [one.schedule_id for one in client.schedule.list()] == ["kept"]
            assert receiver.wait_for(4)[3].path == "/kept"
            assert receiver.arrivals[3].body == b"x"
